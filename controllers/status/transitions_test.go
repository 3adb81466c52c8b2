package status

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTransitions(t *testing.T) {
	long := strings.Repeat("x", 2000)
	conditions := func(text string) []metav1.Condition {
		var all []metav1.Condition
		for one := range strings.FieldsSeq(text) {
			parts := strings.Split(one, "/")
			all = append(all, metav1.Condition{Type: parts[0], Status: metav1.ConditionStatus(parts[1]), Reason: parts[2], Message: parts[len(parts)-1]})
		}
		return all
	}
	for name, test := range map[string]struct{ before, after, want string }{
		"new and well":             {"", "Accepted/True/Accepted Ready/True/Reporting", ""},
		"new and refused":          {"", "Accepted/False/InvalidPeer/why", "W InvalidPeer Accepted: why"},
		"new, not well yet":        {"", "Established/False/NoneEstablished Programmed/False/Applying", ""},
		"lost":                     {"Established/True/AllEstablished", "Established/False/SomeEstablished/n1", "W SomeEstablished Established: n1"},
		"worse":                    {"Established/False/SomeEstablished", "Established/False/NoneEstablished/x", "W NoneEstablished Established: x"},
		"healed":                   {"Programmed/False/ApplyFailed", "Programmed/True/Applied/y", "N Applied Programmed: y"},
		"only the words":           {"Established/False/SomeEstablished/n1", "Established/False/SomeEstablished/n2", ""},
		"nobody vouches":           {"Ready/True/Reporting", "Ready/Unknown/AgentNotReporting/z", "W AgentNotReporting Ready: z"},
		"refused on some nodes":    {"Accepted/True/Accepted", "Accepted/True/PartiallyAccepted/n", "W PartiallyAccepted Accepted: n"},
		"takes its time":           {"Programmed/True/Applied", "Programmed/False/Pending", ""},
		"it did":                   {"Programmed/False/Pending", "Programmed/True/Applied", ""},
		"it took its time, failed": {"Programmed/False/Pending", "Programmed/False/ApplyFailed/f", "W ApplyFailed Programmed: f"},
		"a state":                  {"Announcing/False/NothingAnnounced", "Announcing/True/PrefixesAnnounced", ""},
		"drains":                   {"Draining/False/NotDraining", "Draining/True/GracefulShutdown/why", "N GracefulShutdown Draining: why"},
		"drains no more":           {"Draining/True/Drained", "Draining/False/NotDraining/n", "N NotDraining Draining: n"},
		"not safe yet":             {"SafeToShutdown/False/Converging", "SafeToShutdown/False/ConnectionsLeft", ""},
		"the last holder":          {"SafeToShutdown/False/Converging", "SafeToShutdown/False/LastHolder/l", "W LastHolder SafeToShutdown: l"},
		"safe":                     {"SafeToShutdown/False/Converging", "SafeToShutdown/True/NoConnections/s", "N NoConnections SafeToShutdown: s"},
		"longer than a note":       {"Ready/True/Reporting", "Ready/False/FRRNotRunning/" + long, "W FRRNotRunning Ready: " + long[:1024-len("Ready: …")] + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, transition := range TransitionsOf(conditions(test.before), conditions(test.after)) {
				kind := "N "
				if transition.Warning {
					kind = "W "
				}
				got = append(got, kind+transition.Reason+" "+transition.Message)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
