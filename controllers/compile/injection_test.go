package compile_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/snippet"
	"github.com/herald-lb/herald/test/grammar"
)

// perField is how many goldens try each field: what it does may depend on others.
func perField() int {
	if testing.Short() {
		return 1
	}
	return 2
}

// TestEveryLineIsKnown: the grammar that the tests below rely on is that of the
// templates.
func TestEveryLineIsKnown(t *testing.T) {
	for name, g := range goldens(t) {
		base, _ := snippet.Split([]byte(g.section("frr.conf")))
		if foreign := grammar.Foreign(string(base)); len(foreign) > 0 {
			t.Errorf("%s: not in test/grammar: %q", name, foreign)
		}
	}
}

// TestV11NoTextBecomesALine puts hostile texts into every text that any golden
// has, whatever its Kind, alone and behind the valid one. The API server
// refuses most of them; compile must not rely on it, nor fail for the others.
func TestV11NoTextBecomesALine(t *testing.T) {
	all := goldens(t)
	tried := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		g := all[name]
		texts := documents(g.section("objects.yaml"))
		for i, text := range texts {
			object := map[string]any{}
			if err := yaml.Unmarshal([]byte(text), &object); err != nil {
				t.Fatal(err)
			}
			others := slices.Delete(slices.Clone(texts), i, i+1)
			for _, field := range leaves(object, fmt.Sprint(object["kind"])) {
				if field.path == field.kind+".kind" || tried[field.path] == perField() {
					continue
				}
				tried[field.path]++
				attack(t, g, name, object, field, others)
			}
		}
	}
	for _, field := range []string{"BGPPeer.spec.peerAddress", "BGPAdvertisement.spec.communities[]", "Community.spec.communities[].value", "Secret.stringData.password", "BFDProfile.metadata.name"} {
		if tried[field] == 0 {
			t.Errorf("%s was not tried: fields are found no more", field)
		}
	}
	t.Logf("%d fields", len(tried))
}

// attack sets one field to each of the hostile texts.
func attack(t *testing.T, g golden, name string, object map[string]any, field leaf, others []string) {
	t.Helper()
	valid := field.get()
	defer field.set(valid)
	var where situation
	if err := yaml.UnmarshalStrict([]byte(g.section("situation.yaml")), &where); err != nil {
		t.Fatal(err)
	}
	rest, err := readSnapshot(others, where, g.section("applied.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, hostile := range grammar.Hostile() {
		for _, text := range []string{hostile, valid + hostile} {
			field.set(text)
			document, err := json.Marshal(object) // which is YAML, too
			if err != nil {
				t.Fatal(err)
			}
			s := copied(rest)
			if err := addDocument(s, document, cmp.Or(where.Node, defaultNode)); err != nil {
				continue // not of the field's type: no decoder takes it
			}
			body, err := frrtemplates.Render(compile.Compile(s).Config)
			if err != nil {
				t.Errorf("%s: %s = %.80q: the node has no configuration any more: %v", name, field.path, text, err)
			}
			base, snippets := snippet.Split(body)
			for _, found := range snippets {
				if !slices.ContainsFunc(s.Snippets, func(o *v1alpha1.FRRSnippet) bool { return o.Name == found.Name }) {
					t.Errorf("%s: %s = %.80q: rendered a snippet %q", name, field.path, text, found.Name)
				}
			}
			if foreign := grammar.Foreign(string(base)); len(foreign) > 0 && len(body) > 0 {
				t.Errorf("%s: %s = %.80q: rendered %.300q", name, field.path, text, foreign)
			}
		}
	}
}

// copied is a snapshot that can be added to.
func copied(s *snapshot.Snapshot) *snapshot.Snapshot {
	c := *s
	c.Pools, c.Peers, c.Communities = slices.Clip(s.Pools), slices.Clip(s.Peers), slices.Clip(s.Communities)
	c.BFDProfiles, c.Advertisements, c.Snippets = slices.Clip(s.BFDProfiles), slices.Clip(s.Advertisements), slices.Clip(s.Snippets)
	c.Secrets, c.Namespaces = maps.Clone(s.Secrets), maps.Clone(s.Namespaces)
	if s.Cluster != nil {
		c.Cluster = &snapshot.Cluster{Prefixes: slices.Clip(s.Cluster.Prefixes)}
	}
	return &c
}

// leaf is one text in an object.
type leaf struct {
	kind, path string
	get        func() string
	set        func(string)
}

// leaves are the texts below a value; those of a list share their path.
func leaves(value any, path string) []leaf {
	kind, _, _ := strings.Cut(path, ".")
	var found []leaf
	one := func(value any, path string, set func(any)) {
		if text, ok := value.(string); ok {
			found = append(found, leaf{kind: kind, path: path, get: func() string { return text }, set: func(text string) { set(text) }})
			return
		}
		found = append(found, leaves(value, path)...)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			one(v[key], path+"."+key, func(value any) { v[key] = value })
		}
	case []any:
		for i := range v {
			one(v[i], path+"[]", func(value any) { v[i] = value })
		}
	}
	return found
}
