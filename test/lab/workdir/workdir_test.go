package workdir

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// What a maker has is its own from the moment on that New returns, however many
// others make, remove and sweep directories meanwhile.
func TestNobodySweepsALiveDirectory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			for range 100 {
				d, err := New("lab")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o644); err != nil {
					t.Error(err)
				}
				sweep()
				if _, err := os.Stat(filepath.Join(d.Path, "file")); err != nil {
					t.Error(err)
				}
				d.Remove()
			}
		})
	}
	makers.Wait()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// Wherever a maker was killed, the next one removes what it left; nobody else's.
func TestTheNextMakerRemovesWhatKilledOnesLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	live := For(t, "frr")
	left := map[string][]string{
		"herald-lab-1": {},                       // killed before it made its lock
		"herald-frr-2": {lockName, "run/socket"}, // while it ran
		"herald-frr-3": {lockName},               // while it was removed
	}
	others := map[string][]string{
		"herald-notes":   {},
		"herald-lab-4":   {"notes"},
		"other-lab-5":    {lockName},
		"herald-lab-old": {lockName},
	}
	for _, dirs := range []map[string][]string{left, others} {
		for dir, files := range dirs {
			mkdir(t, dir)
			for _, file := range files {
				if parent := filepath.Dir(file); parent != "." {
					mkdir(t, filepath.Join(dir, parent))
				}
				if err := os.WriteFile(filepath.Join(os.TempDir(), dir, file), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	plain := filepath.Join(os.TempDir(), "herald-lab-6")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}

	made := For(t, "lab")
	for dir := range left {
		if _, err := os.Stat(filepath.Join(os.TempDir(), dir)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
	kept := []string{live, made, plain}
	for dir := range others {
		kept = append(kept, filepath.Join(os.TempDir(), dir))
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("it was removed: %v", err)
		}
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(os.TempDir(), dir), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestAMakerThatCannotMakeSaysSo(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if d, err := New("lab"); err == nil {
		t.Errorf("made %s", d.Path)
	}
}
