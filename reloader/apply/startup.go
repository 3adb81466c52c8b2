package apply

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/plan"
)

// appliedPrefix starts the startup file's second line: the hash of the file of
// the exchange directory that it was made from, and what names its additions.
const appliedPrefix = "! applied "

// headRoom is for what stands around the configuration.
const headRoom = 512

// Startup is the file that FRR loads when it starts: what was last applied.
type Startup struct {
	// Dir is FRR's run directory, Version and BootID go into the header.
	Dir, Version, BootID string

	// written is the hash of what was written last.
	written string
}

// Good is a configuration that FRR accepted whole.
type Good struct {
	// Hash of the exchange directory's file.
	Hash   string
	Config *plan.Config
	// Additions names the snippets' lines that are part of Config; empty: none.
	Additions string
}

// Same says whether two are made of the same file and the same additions.
func (g *Good) Same(other *Good) bool {
	return g.Hash == other.Hash && g.Additions == other.Additions
}

// Write replaces the file, if it would change. The text is ordered so that FRR
// knows every route-map before a neighbor names it.
func (s *Startup) Write(good *Good, quirks plan.Quirks) error {
	text := good.Config.Text(quirks)
	body := make([]byte, 0, len(text)+headRoom)
	body = append(append(body, strings.TrimSpace(appliedPrefix+good.Hash+" "+good.Additions)...), '\n')
	body = append(append(body, text...), good.Config.Release()...)
	file := exchange.NewFile(s.Version, s.BootID, body)
	if file.Hash == s.written {
		return nil
	}
	if err := file.Write(s.Dir, exchange.StartupFile); err != nil {
		return fmt.Errorf("startup file: %w: FRR would come back with an older configuration; make room in %s", err, s.Dir)
	}
	s.written = file.Hash
	return nil
}

// Read is what FRR last started with or would start with; nil where there is no
// such file or it isn't whole.
func (s *Startup) Read() *Good {
	data, err := os.ReadFile(filepath.Join(s.Dir, exchange.StartupFile))
	if err != nil {
		return nil
	}
	file, err := exchange.Decode(data)
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(file.Body), "\n")
	// FRR's start script leaves the hash out where it left out prefixes.
	hash, ok := strings.CutPrefix(first, appliedPrefix)
	if !ok {
		hash = ""
	}
	hash, additions, _ := strings.Cut(hash, " ")
	return &Good{Hash: hash, Config: plan.Parse(plan.WithoutRelease(string(file.Body))), Additions: additions}
}
