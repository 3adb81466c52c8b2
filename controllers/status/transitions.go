package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// states are conditions that tell what is, not whether it is well, and reasons of
// what only takes its time.
var (
	states  = []string{v1alpha1.ConditionAnnouncing}
	waiting = []string{v1alpha1.ReasonPending, v1alpha1.ReasonSnippetPending}
)

// noteBytes is what the API server takes as an event's note.
const noteBytes = 1024

// TransitionsOf are what changes of an object's conditions are worth an event: a
// condition has another status or reason than before, or a new object is refused.
// Counts and messages alone are none.
func TransitionsOf(before, after []metav1.Condition) []Transition {
	var transitions []Transition
	for _, now := range after {
		old := meta.FindStatusCondition(before, now.Type)
		switch {
		case slices.Contains(states, now.Type), slices.Contains(waiting, now.Reason), isOnTheWay(now):
			continue
		case old == nil:
			if now.Type != v1alpha1.ConditionAccepted || now.Status == metav1.ConditionTrue {
				continue
			}
		case old.Status == now.Status && old.Reason == now.Reason:
			continue
		case slices.Contains(waiting, old.Reason) && now.Status == metav1.ConditionTrue:
			continue
		}
		transitions = append(transitions, Transition{
			Warning: isWorse(now),
			Reason:  now.Reason,
			Message: shorten(now.Type+": "+now.Message, noteBytes),
		})
	}
	return transitions
}

// isOnTheWay: a node that drains isn't safe to shut down for one reason after another,
// until it is; its stages are told by Draining.
func isOnTheWay(now metav1.Condition) bool {
	return now.Type == v1alpha1.ConditionSafeToShutdown && now.Status != metav1.ConditionTrue && now.Reason != v1alpha1.ReasonLastHolder
}

func isWorse(now metav1.Condition) bool {
	if now.Type == v1alpha1.ConditionDraining {
		return false // somebody wants it, or no longer does
	}
	return now.Status != metav1.ConditionTrue || now.Reason == v1alpha1.ReasonPartiallyAccepted
}
