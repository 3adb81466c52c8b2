package offline

import (
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// TestCompilesAsTheAgentDoes: from the objects of compile's goldens comes the same
// frr.conf, and the same issues.
func TestCompilesAsTheAgentDoes(t *testing.T) {
	files, err := filepath.Glob("../compile/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	compared := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sections := map[string]string{}
		for _, f := range archive.Files {
			sections[f.Name] = string(f.Data)
		}
		var where struct {
			Node       string                  `json:"node"`
			Forwarding frrtemplates.Forwarding `json:"forwarding"`
		}
		err = sigsyaml.UnmarshalStrict([]byte(sections["situation.yaml"]), &where)
		if err != nil || sections["applied.conf"] != "" {
			continue // gates, interfaces, applied numbers: what only a node knows
		}
		if where.Node == "" {
			where.Node = "node-a"
		}
		world := worldOf(t, sections["objects.yaml"])
		snap, err := world.Snapshot(where.Node)
		if err != nil || len(world.assumedNamespaces()) > 0 {
			continue // a golden about a node, or a namespace, that isn't known
		}
		compared++
		snap.Host = snapshot.Host{Forwarding: where.Forwarding}
		result := compile.Compile(snap)
		body, err := Render(result, true)
		if err != nil {
			t.Fatal(err)
		}
		if string(body) != sections["frr.conf"] {
			t.Errorf("%s: frr.conf differs:\n--- got\n%s--- want\n%s", filepath.Base(file), body, sections["frr.conf"])
		}
		var issues strings.Builder
		for _, issue := range result.Issues {
			issues.WriteString(issue.Object.Kind + "/" + issue.Object.Name + " " + issue.Reason + ": " + issue.Message + "\n")
		}
		if issues.String() != sections["issues"] {
			t.Errorf("%s: issues differ:\n--- got\n%s--- want\n%s", filepath.Base(file), issues.String(), sections["issues"])
		}
	}
	if compared < len(files)/2 {
		t.Errorf("only %d of %d goldens were compared", compared, len(files))
	}
}

// worldOf takes a golden's objects as they are: with their addresses and endpoints.
func worldOf(t *testing.T, text string) *World {
	t.Helper()
	manifests := manifestsOf(t, text)
	for _, manifest := range manifests {
		if manifest.Object.GetKind() == "Secret" {
			manifest.Object.SetNamespace(v1alpha1.DefaultSecretsNamespace)
		}
		if manifest.Object.GetKind() == "Service" {
			if err := unstructured.SetNestedField(manifest.Object.Object, "LoadBalancer", "spec", "type"); err != nil {
				t.Fatal(err)
			}
		}
	}
	objects, problems := Reader{}.Read(manifests)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return NewWorld(objects, Assumptions{SecretsKnown: true})
}

func manifestsOf(t *testing.T, text string) []Manifest {
	t.Helper()
	var manifests []Manifest
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return manifests
		}
		if err != nil {
			t.Fatal(err)
		}
		if object.Object != nil {
			manifests = append(manifests, Manifest{Source: "test", Object: object})
		}
	}
}

// TestEveryKindIsRead: a Kind with a spec that users write is taken in.
func TestEveryKindIsRead(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	written := []string{"BGPNode", "BGPSession"} // by agents
	lists := (&Objects{}).lists()
	for kind, goType := range scheme.KnownTypes(v1alpha1.GroupVersion) {
		if goType.PkgPath() != reflect.TypeFor[v1alpha1.BGPPeer]().PkgPath() || strings.HasSuffix(kind, "List") || slices.Contains(written, kind) {
			continue
		}
		if lists[metav1.GroupKind{Group: v1alpha1.GroupName, Kind: kind}] == nil {
			t.Errorf("%s is not in Objects: kubectl herald would not see it", kind)
		}
	}
}

// TestOverACluster: what is applied again is as old as it was, and a Service
// keeps its address.
func TestOverACluster(t *testing.T) {
	cluster, problems := Reader{}.Read(manifestsOf(t, `
apiVersion: herald-lb.io/v1alpha1
kind: BGPPeer
metadata: {name: a, uid: "1", creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {myASN: 1, peerASN: 2, peerAddress: 192.0.2.1}
---
apiVersion: herald-lb.io/v1alpha1
kind: BGPPeer
metadata: {name: b}
spec: {myASN: 1, peerASN: 2, peerAddress: 192.0.2.2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ipFamilies: [IPv6]}
status: {loadBalancer: {ingress: [{ip: "2001:db8::7"}]}}
`))
	above, more := Reader{Namespace: "shop"}.Read(manifestsOf(t, `
apiVersion: herald-lb.io/v1alpha1
kind: BGPPeer
metadata: {name: a}
spec: {myASN: 1, peerASN: 3, peerAddress: 192.0.2.1}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: gold}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
`))
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	all := above.Over(cluster)
	if len(all.Peers) != 2 || all.Peers[0].Spec.PeerASN != 3 || all.Peers[0].UID != "1" || all.Peers[0].CreationTimestamp.IsZero() {
		t.Errorf("peers: %+v", all.Peers)
	}
	web := all.Services[0]
	if len(all.Services) != 1 || web.Labels["tier"] != "gold" || web.Status.LoadBalancer.Ingress[0].IP != "2001:db8::7" {
		t.Errorf("services: %+v", all.Services)
	}
	if len(all.Namespaces) != 1 || all.Namespaces[0].Labels[corev1.LabelMetadataName] != "shop" {
		t.Errorf("namespaces: %+v", all.Namespaces)
	}
	if len(cluster.Services[0].Labels) > 0 || len(cluster.Peers) != 2 {
		t.Error("the cluster's objects were changed")
	}
}

// TestFamiliesOfAService: they are those of a dual-stack cluster.
func TestFamiliesOfAService(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                                "[IPv4]",
		"{ipFamilyPolicy: SingleStack}":     "[IPv4]",
		"{ipFamilies: [IPv6]}":              "[IPv6]",
		"{ipFamilyPolicy: PreferDualStack}": "[IPv4 IPv6]",
		"{ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]}": "[IPv6 IPv4]",
	} {
		var spec corev1.ServiceSpec
		if err := sigsyaml.Unmarshal([]byte(text), &spec); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, family := range familiesOf(&spec) {
			got = append(got, string(family))
		}
		if joined := "[" + strings.Join(got, " ") + "]"; joined != want {
			t.Errorf("%s: %s, want %s", text, joined, want)
		}
	}
}
