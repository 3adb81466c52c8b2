package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-lb/herald/test/thirdparty"
)

func TestMemoryMissing(t *testing.T) {
	for text, want := range map[string]string{
		"MemTotal: 9 kB\nMemAvailable:    1024000 kB\n": "1000 are free",
		"MemTotal: 9 kB\nMemAvailable:    8192000 kB\n": "",
		"MemTotal: 9 kB\n": "", // an old kernel doesn't say
	} {
		file := filepath.Join(t.TempDir(), "meminfo")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := memoryMissing(file); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestOverlayProbe: it says no on an overlay and on what isn't there, and leaves
// nothing mounted.
func TestOverlayProbe(t *testing.T) {
	thirdparty.Need(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := overlayMissing(filepath.Join(file, "below")); got == "" {
		t.Error("overlays can be made below a file")
	}
	// A filesystem that can't hold an overlay's changes.
	if got := overlayMissing("/proc/self"); got == "" {
		t.Error("overlays can be made in /proc")
	}
	dir := t.TempDir()
	_ = overlayMissing(dir) // whatever it says here
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("something is mounted below %s", dir)
	}
}
