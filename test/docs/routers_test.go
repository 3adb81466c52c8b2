package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/thirdparty"
)

// TestRoutersConfigurations: FRR, BIRD and GoBGP take what the page says.
func TestRoutersConfigurations(t *testing.T) {
	thirdparty.Need(t, frr.V8_4.Root())
	blocks := blocksOf(t, "routers.md")
	for _, make := range []struct {
		name   string
		begins string
		check  []string
	}{
		{"FRR", "frr defaults", []string{"vtysh", "-C", "-f", "/page/conf"}},
		{"BIRD", "router id", []string{"/usr/sbin/bird", "-p", "-c", "/page/conf"}},
		{"GoBGP", "[global.config]", []string{"/usr/bin/gobgpd", "-d", "-t", "toml", "-f", "/page/conf"}},
	} {
		t.Run(make.name, func(t *testing.T) {
			text := ""
			for _, b := range blocks {
				if strings.HasPrefix(b.text, make.begins) {
					text = b.text
				}
			}
			if text == "" {
				t.Fatalf("routers.md has no configuration that begins with %q", make.begins)
			}
			dir := t.TempDir()
			page := filepath.Join(dir, "page")
			if err := os.Mkdir(page, 0o755); err != nil {
				t.Fatal(err)
			}
			check := func(text string) (string, error) {
				if err := os.WriteFile(filepath.Join(page, "conf"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				box, err := sandbox.Start(sandbox.Spec{
					Name: "page", Dir: filepath.Join(t.TempDir(), "box"), Root: frr.V8_4.Root(),
					Mounts: []sandbox.Mount{{Kind: sandbox.Bind, Source: page, Target: "/page"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer box.Kill()
				out, err := box.Run(t.Context(), make.check...)
				return out, err
			}
			if out, err := check(text); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := check(text + "\nnonsense here\n"); err == nil {
				t.Error("it takes nonsense too: the check proves nothing")
			}
		})
	}
}
