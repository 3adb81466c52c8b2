package scenarios

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/grammar"
	"github.com/herald-lb/herald/test/lab"
)

// writtenByUsers are the Kinds whose specs users write, each with a spec that
// concerns nobody here.
func writtenByUsers() map[string]map[string]any {
	selector := []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}}
	return map[string]map[string]any{
		"IPAddressPool": {
			"addresses": []any{"198.51.100.0/24"}, "autoAssign": false,
			"serviceAllocation": map[string]any{"namespaces": []any{"nowhere"}},
		},
		"BGPPeer":    {"myASN": int64(64512), "peerASN": int64(64999), "peerAddress": "198.18.0.1"},
		"BFDProfile": {}, "Community": {"communities": []any{map[string]any{"name": "gold", "value": "1:1"}}},
		"BGPAdvertisement": {"ipAddressPools": []any{"nowhere"}, "nodeSelectors": selector},
		"FlowPolicy":       {},
		installation:       {},
	}
}

// installation is the Kind of which there is one object. Of its texts one reaches
// frr.conf; the API server is asked only whether it takes it.
const installation, reaches = "Herald", "protectedCIDRs"

// field is one text of a Kind: "[]" is an item of a list, "{}" a key of a map.
type field []string

// textFields are the fields of a schema that take texts other than of an enum.
func textFields(schema map[string]any, path field) []field {
	deeper := func(name string) field { return append(slices.Clone(path), name) }
	var all []field
	switch properties, _ := schema["properties"].(map[string]any); {
	case len(properties) > 0:
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			all = append(all, textFields(properties[name].(map[string]any), deeper(name))...)
		}
	case schema["items"] != nil:
		return textFields(schema["items"].(map[string]any), deeper("[]"))
	case schema["additionalProperties"] != nil:
		return textFields(schema["additionalProperties"].(map[string]any), deeper("{}"))
	case schema["type"] == "string" && schema["enum"] == nil:
		return []field{path}
	}
	return all
}

// set puts a text where the field is, and what is missing on the way there.
func (f field) set(value any, text string) any {
	if len(f) == 0 {
		return text
	}
	switch f[0] {
	case "[]":
		items, _ := value.([]any)
		if len(items) == 0 {
			items = []any{nil}
		}
		items[0] = f[1:].set(items[0], text)
		return items
	case "{}":
		return map[string]any{"a": text}
	}
	object, _ := value.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object[f[0]] = f[1:].set(object[f[0]], text)
	return object
}

// notByUsers are Kinds that agents write, and one whose text is meant to be lines.
var notByUsers = []string{"BGPNode", "BGPSession", "FRRSnippet"}

// specFields are the texts in the specs of all Kinds that users write, as the API
// server knows them. A Kind that nobody has thought of fails.
func specFields(ctx context.Context, written map[string]map[string]any) map[string][]field {
	GinkgoHelper()
	crds := &unstructured.UnstructuredList{}
	crds.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinitionList"})
	Expect(site.API().List(ctx, crds)).To(Succeed())
	fields := map[string][]field{}
	for _, crd := range crds.Items {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		if group != v1alpha1.GroupVersion.Group || slices.Contains(notByUsers, kind) {
			continue
		}
		Expect(written).To(HaveKey(kind))
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		Expect(err).NotTo(HaveOccurred())
		spec, _, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "spec")
		Expect(err).NotTo(HaveOccurred())
		fields[kind] = textFields(spec, nil)
		if kind == installation {
			fields[kind] = slices.DeleteFunc(fields[kind], func(f field) bool { return f[0] != reaches })
		}
	}
	Expect(fields).To(HaveLen(len(written)))
	return fields
}

var _ = Describe("Users' texts", func() {
	It("V11 in any field inject no line into any node's frr.conf", func(ctx SpecContext) {
		long := strings.Repeat("n", 253)
		svc := lab.Service("web")
		podOn(ctx, "node2", "web")
		advertised := lab.Advertisement(long)
		advertised.Spec.IPAddressPools, advertised.Spec.Communities = []string{long}, []v1alpha1.CommunityValue{"gold"}
		aliases := &v1alpha1.Community{Spec: v1alpha1.CommunitySpec{Communities: []v1alpha1.CommunityAlias{{Name: "gold", Value: "64512:7"}}}}
		aliases.Name = long
		create(ctx, lab.Pool(long, block4), aliases, advertised, svc)
		expectEverywhere(ctx, addressOf(ctx, svc), allNodes...)

		tried, taken := 0, 0
		written := writtenByUsers()
		for kind, fields := range specFields(ctx, written) {
			base := written[kind]
			if kind != "BFDProfile" { // has numbers only
				Expect(fields).NotTo(BeEmpty(), kind)
			}
			for _, f := range fields {
				for _, text := range grammar.Hostile() {
					if !utf8.ValidString(text) {
						continue // no JSON
					}
					spec := f.set(runtime.DeepCopyJSON(base), text)
					object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
					object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
					object.SetName(fmt.Sprint("hostile-", tried))
					tried++
					var how []client.CreateOption
					if kind == installation {
						object.SetName(v1alpha1.HeraldName)
						how = append(how, client.DryRunAll)
					}
					err := site.API().Create(ctx, object, how...)
					if err == nil {
						taken++
						continue
					}
					Expect(apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)).To(BeTrue(), "%s %v = %q: %v", kind, f, text, err)
				}
			}
		}
		GinkgoWriter.Printf("%d of %d texts were taken by the API server\n", taken, tried)
		Expect(tried).To(BeNumerically(">", 1000))
		Expect(taken).To(BeNumerically(">", 0), "all were refused: nothing reached the nodes")

		By("seeing that the nodes read them all and go on")
		second := lab.Service("late")
		podOn(ctx, "node1", "late")
		create(ctx, second)
		expectEverywhere(ctx, addressOf(ctx, second), allNodes...)
		expectEverywhere(ctx, addressOf(ctx, svc), allNodes...)
		Eventually(ctx, communitiesAt).WithArguments(ctx, "tor-a", addressOf(ctx, svc)).Should(Equal(sameFromAll([]string{"64512:7"})))
		for _, n := range site.Nodes() {
			file, err := exchange.ReadConfig(n.ExchangeDir())
			Expect(err).NotTo(HaveOccurred())
			Expect(grammar.Foreign(string(file.Body))).To(BeEmpty(), n.Name())
			running, err := n.Vtysh(ctx, "-c", "show running-config")
			Expect(err).NotTo(HaveOccurred())
			Expect(running).NotTo(Or(ContainSubstring("666"), ContainSubstring("192.0.2.66")), n.Name())
		}
		want := []netip.Addr{addressOf(ctx, svc), addressOf(ctx, second)}
		for _, r := range site.Routers() {
			routes, err := r.Routes(ctx, familyOf(want[0]))
			Expect(err).NotTo(HaveOccurred())
			Expect(routes).To(HaveLen(len(want)), "%s has other routes: %v", r.Config().Name, routes)
		}
	}, SpecTimeout(2*specTimeout)) // a thousand writes
})
