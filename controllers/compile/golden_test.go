package compile_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

var update = flag.Bool("update", false, "rewrite the goldens with what comes out")

// A golden is one rule: the file's name is the rule, its comment says why.
// Input: objects.yaml, situation.yaml (optional) and applied.conf (optional).
// Output: frr.conf, issues, withheld; relay.json where the golden is about it, and of a
// node that has withdrawn what it keeps, with the nodes that are able to take it over.
type golden struct {
	file    string
	archive *txtar.Archive
}

func goldens(t testing.TB) map[string]golden {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	all := map[string]golden{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = golden{file: file, archive: archive}
	}
	return all
}

func (g golden) section(name string) string {
	for _, f := range g.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// compile reads the objects in the given order and is what comes out.
func (g golden) compile(t testing.TB, documents []string) map[string]string {
	t.Helper()
	var where situation
	if err := yaml.UnmarshalStrict([]byte(g.section("situation.yaml")), &where); err != nil {
		t.Fatal(err)
	}
	result := compile.Compile(snapshotOf(t, documents, where, g.section("applied.conf")))
	body, err := frrtemplates.Render(result.Config)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"frr.conf": string(body), "issues": showIssues(result), "withheld": showWithheld(result)}
	if objects := g.section("objects.yaml"); strings.Contains(objects, "kind: FlowPolicy") || strings.Contains(objects, "pathMTURelay") {
		got["relay.json"] = showRelay(t, result)
	}
	if drainStages[where.Drain] == snapshot.DrainWithdrawn {
		got["kept"] = showKept(result)
	}
	return got
}

var outputs = []string{"frr.conf", "issues", "withheld", "relay.json", "kept"}

func showRelay(t testing.TB, result *compile.Result) string {
	t.Helper()
	text, err := json.MarshalIndent(result.Relay, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func showIssues(result *compile.Result) string {
	var b strings.Builder
	for _, issue := range result.Issues {
		fmt.Fprintf(&b, "%s/%s %s: %s\n", issue.Object.Kind, issue.Object.Name, issue.Reason, issue.Message)
	}
	return b.String()
}

func showWithheld(result *compile.Result) string {
	var b strings.Builder
	for _, w := range result.Withheld {
		fmt.Fprintf(&b, "%s %s\n", w.Service, w.Why)
	}
	return b.String()
}

func showKept(result *compile.Result) string {
	var b strings.Builder
	for _, key := range result.Kept {
		fmt.Fprintf(&b, "%s\n", key)
		for _, of := range slices.SortedFunc(maps.Keys(result.Takers), snapshot.Route.Compare) {
			if of.Service == key {
				fmt.Fprintf(&b, "  %s: %s\n", strings.TrimSpace(of.Address.String()+" "+of.VRF), cmp.Or(strings.Join(showTakers(result.Takers[of]), ", "), "nobody"))
			}
		}
	}
	for _, wait := range result.Waits {
		fmt.Fprintln(&b, showWait(wait))
	}
	return b.String()
}

// showWait is what a Service waits for, as far as compile tells.
func showWait(wait compile.Wait) string {
	text := fmt.Sprintf("waits: %s %s, %d", wait.Route.Service, strings.TrimSpace(wait.Route.Address.String()+" "+wait.Route.VRF), wait.Services)
	if wait.Unknown {
		text += ", others unknown"
	}
	if wait.NoEndpoint {
		text += ", no endpoint"
	}
	for _, missing := range wait.Nodes {
		text += strings.TrimSuffix(", "+missing.Node+" "+lackNames[missing.Lacks]+" "+missing.Peer, " ")
	}
	if wait.More > 0 {
		text += fmt.Sprintf(", %d more", wait.More)
	}
	return text
}

func showTakers(takers []snapshot.Taker) (shown []string) {
	for _, taker := range takers {
		shown = append(shown, taker.Node+" "+taker.Peer)
	}
	return shown
}

func TestGoldens(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			documents := documents(g.section("objects.yaml"))
			got := g.compile(t, documents)
			if *update {
				g.write(t, got)
				return
			}
			for _, output := range outputs {
				if want := g.section(output); got[output] != want {
					t.Errorf("%s differs (go test -update rewrites it):\n--- got\n%s--- want\n%s", output, got[output], want)
				}
			}
			random := rand.New(rand.NewSource(1))
			for range 20 {
				again := g.compile(t, shuffled(random, documents))
				for _, output := range outputs {
					if again[output] != got[output] {
						t.Fatalf("%s depends on the order of the objects:\n--- got\n%s--- want\n%s", output, again[output], got[output])
					}
				}
			}
		})
	}
}

// TestWhatIsAppliedIsCompiledAgain: with its own output as what is applied, every
// golden comes out the same, and its prefixes are open whatever the gates say.
func TestWhatIsAppliedIsCompiledAgain(t *testing.T) {
	for name, g := range goldens(t) {
		var where situation
		if err := yaml.UnmarshalStrict([]byte(g.section("situation.yaml")), &where); err != nil {
			t.Fatal(err)
		}
		s := snapshotOf(t, documents(g.section("objects.yaml")), where, g.section("frr.conf"))
		if s.Gates != nil {
			s.Gates = &snapshot.Gates{Announced: s.Applied.Prefixes}
		}
		body, err := frrtemplates.Render(compile.Compile(s).Config)
		if err != nil || string(body) != g.section("frr.conf") {
			t.Errorf("%s: %v\n%s\nwas\n%s", name, err, body, g.section("frr.conf"))
		}
	}
}

func (g golden) write(t *testing.T, got map[string]string) {
	t.Helper()
	kept := g.archive.Files[:0:0]
	for _, f := range g.archive.Files {
		if _, isOutput := got[f.Name]; !isOutput {
			kept = append(kept, f)
		}
	}
	for _, output := range outputs {
		if data, has := got[output]; has {
			kept = append(kept, txtar.File{Name: output, Data: []byte(data)})
		}
	}
	text := txtar.Format(&txtar.Archive{Comment: g.archive.Comment, Files: kept})
	if old, _ := os.ReadFile(g.file); bytes.Equal(old, text) {
		return
	}
	if err := os.WriteFile(g.file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
