package snapshot

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func TestDrainTrigger(t *testing.T) {
	autoscaler := corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Value: "1767355200", Effect: corev1.TaintEffectNoSchedule}
	tainted := func(taints ...corev1.Taint) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = taints }
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	ready := func(status corev1.ConditionStatus, message string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Reason: "KubeletNotReady", Message: message}}
		}
	}
	down := ready(corev1.ConditionFalse, "[container runtime is down, node is shutting down]")
	gpu := func(taint v1alpha1.DrainTaint) v1alpha1.Drain {
		return v1alpha1.Drain{Taints: []v1alpha1.DrainTaint{taint}}
	}
	for name, test := range map[string]struct {
		spec *v1alpha1.Drain
		node func(*corev1.Node)
		want string
	}{
		"nothing":               {nil, func(*corev1.Node) {}, ""},
		"an autoscaler":         {nil, tainted(corev1.Taint{Key: "other"}, autoscaler), "taint ToBeDeletedByClusterAutoscaler=1767355200:NoSchedule"},
		"by the object's":       {&v1alpha1.Drain{}, tainted(autoscaler), "taint ToBeDeletedByClusterAutoscaler=1767355200:NoSchedule"},
		"no taints":             {&v1alpha1.Drain{Taints: []v1alpha1.DrainTaint{}}, tainted(autoscaler), ""},
		"other taints":          {ptr.To(gpu(v1alpha1.DrainTaint{Key: "x"})), tainted(autoscaler), ""},
		"of this value":         {ptr.To(gpu(v1alpha1.DrainTaint{Key: "x", Value: ptr.To("1")})), tainted(corev1.Taint{Key: "x", Value: "1", Effect: corev1.TaintEffectNoExecute}), "taint x=1:NoExecute"},
		"not of this value":     {ptr.To(gpu(v1alpha1.DrainTaint{Key: "x", Value: ptr.To("1")})), tainted(corev1.Taint{Key: "x", Value: "2"}), ""},
		"of the empty value":    {ptr.To(gpu(v1alpha1.DrainTaint{Key: "x", Value: ptr.To("")})), tainted(corev1.Taint{Key: "x", Value: "2"}), ""},
		"not of this effect":    {ptr.To(gpu(v1alpha1.DrainTaint{Key: "x", Effect: corev1.TaintEffectNoExecute})), tainted(corev1.Taint{Key: "x", Effect: corev1.TaintEffectNoSchedule}), ""},
		"cordoned":              {nil, cordoned, ""},
		"cordoned, by choice":   {&v1alpha1.Drain{OnCordon: true}, cordoned, "cordon (spec.unschedulable)"},
		"shuts down":            {nil, down, "the kubelet's graceful shutdown"},
		"shuts down, no choice": {&v1alpha1.Drain{OnShutdown: ptr.To(false)}, down, ""},
		"not ready":             {nil, ready(corev1.ConditionFalse, "container runtime is down"), ""},
		"is ready again":        {nil, ready(corev1.ConditionTrue, "kubelet is posting ready status"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var settings *Settings
			if test.spec != nil {
				settings = SettingsOf(&v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: v1alpha1.HeraldSpec{Drain: *test.spec}})
			}
			node, before := &corev1.Node{}, TrimNode(&corev1.Node{})
			test.node(node)
			got := ""
			if trigger := settings.DrainTrigger(TrimNode(node)); trigger != nil {
				got = trigger.What
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if test.want != "" && sameTriggers(before, TrimNode(node)) {
				t.Error("the store would not see it come")
			}
			node.Annotations = map[string]string{v1alpha1.AnnotationDrain: "new disks"}
			if trigger := settings.DrainTrigger(TrimNode(node)); trigger == nil || trigger.Why != "new disks" {
				t.Errorf("the annotation: %v", trigger)
			}
		})
	}
}

// TestEndOfFRRDrains, unless the routers keep the routes of a restarting FRR.
func TestEndOfFRRDrains(t *testing.T) {
	peer := func(graceful bool) *v1alpha1.BGPPeer {
		return &v1alpha1.BGPPeer{Spec: v1alpha1.BGPPeerSpec{EnableGracefulRestart: graceful}}
	}
	elsewhere := peer(false)
	elsewhere.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{"rack": "2"}}}
	off := SettingsOf(&v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}, Spec: v1alpha1.HeraldSpec{Drain: v1alpha1.Drain{OnFRRStop: ptr.To(false)}}})
	const ends = "the end of FRR's pod"
	for name, test := range map[string]struct {
		snapshot Snapshot
		want     string
	}{
		"runs":              {Snapshot{Peers: []*v1alpha1.BGPPeer{peer(false)}}, ""},
		"ends":              {Snapshot{FRREnds: true, Peers: []*v1alpha1.BGPPeer{peer(false)}}, ends},
		"no peers":          {Snapshot{FRREnds: true}, ends},
		"no choice":         {Snapshot{FRREnds: true, Settings: off}, ""},
		"all keep routes":   {Snapshot{FRREnds: true, Peers: []*v1alpha1.BGPPeer{peer(true), peer(true)}}, ""},
		"one doesn't":       {Snapshot{FRREnds: true, Peers: []*v1alpha1.BGPPeer{peer(true), peer(false)}}, ends},
		"one elsewhere":     {Snapshot{FRREnds: true, Peers: []*v1alpha1.BGPPeer{peer(true), elsewhere}}, ""},
		"drained by a user": {Snapshot{FRREnds: true, Node: &Node{Annotations: map[string]string{v1alpha1.AnnotationDrain: "true"}}}, "annotation " + v1alpha1.AnnotationDrain},
	} {
		t.Run(name, func(t *testing.T) {
			if test.snapshot.Node == nil {
				test.snapshot.Node = &Node{}
			}
			got := ""
			if trigger := test.snapshot.DrainTrigger(); trigger != nil {
				got = trigger.What
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestSettingsOfDrainsDiffer(t *testing.T) {
	of := func(change func(*v1alpha1.Drain)) *Settings {
		herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
		change(&herald.Spec.Drain)
		return SettingsOf(herald)
	}
	base := of(func(*v1alpha1.Drain) {})
	for name, change := range map[string]func(*v1alpha1.Drain){
		"no taints":   func(d *v1alpha1.Drain) { d.Taints = []v1alpha1.DrainTaint{} },
		"a taint":     func(d *v1alpha1.Drain) { d.Taints = []v1alpha1.DrainTaint{{Key: "x"}} },
		"on cordon":   func(d *v1alpha1.Drain) { d.OnCordon = true },
		"no shutdown": func(d *v1alpha1.Drain) { d.OnShutdown = ptr.To(false) },
		"no FRR stop": func(d *v1alpha1.Drain) { d.OnFRRStop = ptr.To(false) },
	} {
		if base.equal(of(change)) || !of(change).equal(of(change)) {
			t.Error(name)
		}
	}
}
