package lint

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/offline"
)

// TestRelays: what relays miss on their nodes is told, with its remedy, once.
func TestRelays(t *testing.T) {
	node := func(name string, status metav1.ConditionStatus, message string) *v1alpha1.BGPNode {
		return &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.BGPNodeStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionRelayReady, Status: status, Reason: "ReversePathFilter", Message: message},
		}}}
	}
	const filtered = "net.ipv4.conf.all.rp_filter is 1: set it to 2"
	cluster := &offline.Objects{BGPNodes: []*v1alpha1.BGPNode{
		node("n3", metav1.ConditionFalse, filtered), node("n1", metav1.ConditionFalse, filtered),
		node("n2", metav1.ConditionTrue, "all is well"), {ObjectMeta: metav1.ObjectMeta{Name: "n4"}},
	}}
	found := lint(t, Input{Cluster: cluster})
	want := []Finding{{Level: Note, Kind: "BGPNode", Name: "n1", Reason: "ReversePathFilter", Message: filtered, Nodes: []string{"n1", "n3"}}}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("%+v", found)
	}
}
