package main

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestOpenShiftAllowsWhatThePodsAskFor: the SCC has the capabilities and volumes of
// the DaemonSets, and no other.
func TestOpenShiftAllowsWhatThePodsAskFor(t *testing.T) {
	found, err := readFile("../../config/openshift/security_context_constraints.yaml")
	if err != nil || len(found) != 1 {
		t.Fatalf("%d objects: %v", len(found), err)
	}
	scc := found[0]
	asked, volumes, accounts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, name := range []string{"herald-agent", "herald-frr"} {
		daemonSets, err := readFile("../../controllers/install/testdata/" + name + ".yaml")
		if err != nil || len(daemonSets) != 1 {
			t.Fatalf("%s: %d objects: %v", name, len(daemonSets), err)
		}
		pod := []string{"spec", "template", "spec"}
		for _, kind := range []string{"containers", "initContainers"} {
			for _, container := range list(daemonSets[0], append(slices.Clone(pod), kind)...) {
				added, _, _ := unstructured.NestedStringSlice(container, "securityContext", "capabilities", "add")
				for _, capability := range added {
					asked[capability] = true
				}
			}
		}
		for _, volume := range list(daemonSets[0], append(slices.Clone(pod), "volumes")...) {
			for kind := range volume {
				volumes[kind] = kind != "name"
			}
		}
		accounts["system:serviceaccount:herald-system:"+text(daemonSets[0], append(slices.Clone(pod), "serviceAccountName")...)] = true
	}
	allowed, _, _ := unstructured.NestedStringSlice(scc.Object, "allowedCapabilities")
	if want := slices.Sorted(maps.Keys(asked)); !slices.Equal(slices.Sorted(slices.Values(allowed)), want) {
		t.Errorf("allowedCapabilities %v, the pods ask for %v", allowed, want)
	}
	mountable, _, _ := unstructured.NestedStringSlice(scc.Object, "volumes")
	for kind, needed := range volumes {
		if needed && !slices.Contains(mountable, kind) {
			t.Errorf("volumes %v lack %s", mountable, kind)
		}
	}
	users, _, _ := unstructured.NestedStringSlice(scc.Object, "users")
	if want := slices.Sorted(maps.Keys(accounts)); !slices.Equal(slices.Sorted(slices.Values(users)), want) {
		t.Errorf("users %v, the pods' ServiceAccounts are %v", users, want)
	}
}
