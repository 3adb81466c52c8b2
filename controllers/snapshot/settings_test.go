package snapshot

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// TestIsHeralds: which Services are Herald's, by what the Herald object says.
func TestIsHeralds(t *testing.T) {
	service := func(kind corev1.ServiceType, class *string) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{Type: kind, LoadBalancerClass: class}}
	}
	none, ours, other := service("LoadBalancer", nil), service("LoadBalancer", ptr.To("herald-lb.io/bgp")), service("LoadBalancer", ptr.To("example.com/bgp"))
	for name, test := range map[string]struct {
		spec *v1alpha1.HeraldSpec
		want [3]bool // none, ours, other
	}{
		"no Herald object":        {nil, [3]bool{true, true, false}},
		"nothing said":            {&v1alpha1.HeraldSpec{}, [3]bool{true, true, false}},
		"another class":           {&v1alpha1.HeraldSpec{LoadBalancerClass: "example.com/bgp"}, [3]bool{true, false, true}},
		"classless claimed":       {&v1alpha1.HeraldSpec{ClaimClassless: ptr.To(true)}, [3]bool{true, true, false}},
		"classless not claimed":   {&v1alpha1.HeraldSpec{ClaimClassless: ptr.To(false)}, [3]bool{false, true, false}},
		"another class, no other": {&v1alpha1.HeraldSpec{LoadBalancerClass: "example.com/bgp", ClaimClassless: ptr.To(false)}, [3]bool{false, false, true}},
	} {
		var herald *v1alpha1.Herald
		if test.spec != nil {
			herald = &v1alpha1.Herald{Spec: *test.spec}
			herald.Name = v1alpha1.HeraldName
		}
		settings := SettingsOf(herald)
		if got := [3]bool{settings.IsHeralds(none), settings.IsHeralds(ours), settings.IsHeralds(other)}; got != test.want {
			t.Errorf("%s: without, with Herald's, with another class %v, want %v", name, got, test.want)
		}
		if same := settings.SameClaims(nil); same != (test.want == [3]bool{true, true, false}) {
			t.Errorf("%s: same as by default: %v", name, same)
		}
		if settings.IsHeralds(service("NodePort", nil)) || settings.IsHeralds(service("ClusterIP", ptr.To("example.com/bgp"))) {
			t.Errorf("%s: a Service of another type", name)
		}
	}
}

// TestSettingsChange: a change of the class is one that is compiled anew.
func TestSettingsChange(t *testing.T) {
	store := NewStore(nil, Host{}, nil)
	for _, step := range []struct {
		settings *Settings
		changed  bool
	}{
		{&Settings{}, true}, {&Settings{}, false}, {&Settings{Class: "example.com/bgp"}, true}, {&Settings{Class: "example.com/bgp", LeaveClassless: true}, true},
		{&Settings{Class: "example.com/bgp", LeaveClassless: true}, false}, {&Settings{LeaveClassless: true}, true},
	} {
		if got := store.SetSettings(step.settings); got != step.changed {
			t.Errorf("%+v: changed %v, want %v", step.settings, got, step.changed)
		}
	}
	if !store.SetService(webKey, web(false, "203.0.113.7")) {
		t.Fatal("a Service changes nothing")
	}
	classed := web(false, "203.0.113.7")
	classed.Class = ptr.To("example.com/bgp")
	if !store.SetService(webKey, classed) || store.SetService(webKey, classed) {
		t.Error("a Service's class, and the same again")
	}
}

// An agent that sees no Herald object goes by the defaults, and relays nothing.
func TestNoHerald(t *testing.T) {
	herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
	without, defaults := NoHerald(), SettingsOf(herald)
	if !without.Leaves() || without.RelaysPathMTU() || defaults.Leaves() || !defaults.RelaysPathMTU() {
		t.Errorf("%+v, %+v", without, defaults)
	}
	if without.Leaving = false; !without.equal(defaults) {
		t.Errorf("%+v, want %+v", without, defaults)
	}
	now := metav1.Now()
	herald.DeletionTimestamp = &now
	if SettingsOf(herald).Leaves() {
		t.Error("a deletion that isn't confirmed may be refused")
	}
	herald.Annotations = map[string]string{v1alpha1.AnnotationConfirmDelete: "true"}
	if !SettingsOf(herald).Leaves() {
		t.Error("a confirmed deletion")
	}
}
