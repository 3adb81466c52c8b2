package install

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the goldens")

var self = Self{Namespace: "herald-system", Version: "v1.0.0", Image: "example.com/herald:v1.0.0", PullPolicy: corev1.PullIfNotPresent, FRRImage: "example.com/frr:10.3"}

func base() *v1alpha1.Herald {
	return &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName, UID: "5e1f"}}
}

func made(t *testing.T, herald *v1alpha1.Herald, self Self) *Installation {
	t.Helper()
	i, err := Of(herald, self)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func text(t *testing.T, of any) string {
	t.Helper()
	data, err := yaml.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The golden of herald-frr is what a running FRR was made of: where it changes
// without a change of the Herald object, upgrading Herald makes every FRR outdated.
func TestGoldens(t *testing.T) {
	i := made(t, base(), self)
	for name, of := range map[string]any{FRR: i.FRR, Agent: i.Agent} {
		path := filepath.Join("testdata", name+".yaml")
		got := text(t, of)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not as in %s: -update, and read what that does to running nodes\n%s", name, path, got)
		}
	}
}

func TestAnotherVersionLeavesFRR(t *testing.T) {
	newer := self
	newer.Version, newer.Image = "v2.0.0", "example.com/herald:v2.0.0"
	before, after := made(t, base(), self), made(t, base(), newer)
	if text(t, before.FRR) != text(t, after.FRR) {
		t.Error("FRR's DaemonSet depends on Herald's version")
	}
	if text(t, before.Agent) == text(t, after.Agent) {
		t.Error("the agents' doesn't")
	}
}

// Every field of the spec reaches the DaemonSets that it is about: where neither is
// listed it is read live, by manager and agents.
func TestFields(t *testing.T) {
	asked := &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
	type row struct {
		set        func(*v1alpha1.HeraldSpec)
		frr, agent string
	}
	rows := map[string][]row{
		"Image":            {{func(s *v1alpha1.HeraldSpec) { s.Image = "x:1" }, "", "image: x:1"}},
		"FRRImage":         {{func(s *v1alpha1.HeraldSpec) { s.FRRImage = "y:1" }, "image: y:1", "image: y:1"}},
		"ImagePullPolicy":  {{func(s *v1alpha1.HeraldSpec) { s.ImagePullPolicy = corev1.PullNever }, "imagePullPolicy: Never", "imagePullPolicy: Never"}},
		"ImagePullSecrets": {{func(s *v1alpha1.HeraldSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}} }, "- name: pull", "- name: pull"}},
		"NodeSelector":     {{func(s *v1alpha1.HeraldSpec) { s.NodeSelector = map[string]string{"edge": "yes"} }, `edge: "yes"`, `edge: "yes"`}},
		"Tolerations": {{func(s *v1alpha1.HeraldSpec) {
			seconds := int64(7)
			s.Tolerations = []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpEqual, Value: "v", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds}}
		}, "tolerationSeconds: 7", "tolerationSeconds: 7"}},
		"Resources": {
			{func(s *v1alpha1.HeraldSpec) { s.Resources.FRR = asked }, "memory: 1Gi", ""},
			{func(s *v1alpha1.HeraldSpec) { s.Resources.Agent = asked }, "", "memory: 1Gi"},
			{func(s *v1alpha1.HeraldSpec) { s.Resources.Reloader = asked }, "", "memory: 1Gi"},
		},
	}
	kind := reflect.TypeFor[v1alpha1.HeraldSpec]()
	for i := range kind.NumField() {
		if name := kind.Field(i).Name; rows[name] == nil && !slices.Contains(live, name) {
			t.Errorf("spec field %s has no row", name)
		}
	}
	plain := made(t, base(), self)
	for field, of := range rows {
		for _, row := range of {
			herald := base()
			row.set(&herald.Spec)
			changed := made(t, herald, self)
			for name, c := range map[string]struct{ before, after, want string }{
				FRR:   {text(t, plain.FRR), text(t, changed.FRR), row.frr},
				Agent: {text(t, plain.Agent), text(t, changed.Agent), row.agent},
			} {
				switch {
				case row.frr == "" && name == FRR || row.agent == "" && name == Agent:
					if c.before != c.after {
						t.Errorf("%s changes %s", field, name)
					}
				case strings.Contains(c.before, c.want) || !strings.Contains(c.after, c.want):
					t.Errorf("%s: no %q in %s", field, c.want, name)
				}
			}
		}
	}
}

// live are the fields that no DaemonSet is made of.
var live = []string{"LogLevel", "LoadBalancerClass", "ClaimClassless", "IgnoreExcludeLabel", "ProtectedCIDRs", "AnnounceGate", "Drain", "Compatibility", "FlowPreservation", "PathMTURelay"}

func TestWhatIsOpenIsTheManagers(t *testing.T) {
	own := self
	own.PullPolicy, own.PullSecrets = corev1.PullAlways, []corev1.LocalObjectReference{{Name: "own"}}
	i := made(t, base(), own)
	for _, of := range []string{text(t, i.FRR), text(t, i.Agent)} {
		if !strings.Contains(of, "imagePullPolicy: Always") || !strings.Contains(of, "- name: own") {
			t.Error(of)
		}
	}
	own.Image = ""
	if _, err := Of(base(), own); err == nil || !strings.Contains(err.Error(), "set spec.image") {
		t.Errorf("without an image: %v", err)
	}
}
