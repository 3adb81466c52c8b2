package status

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxListed bounds how many causes, names or nodes a message lists: the rest is
// counted.
const maxListed = 3

// maxMessage bounds a message in bytes; the API takes 32768.
const maxMessage = 4096

// verdict is what a condition is going to say.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

func yes(reason, message string) verdict { return verdict{metav1.ConditionTrue, reason, message} }
func no(reason, message string) verdict  { return verdict{metav1.ConditionFalse, reason, message} }

// set writes one condition and says whether that changed anything.
func set(conditions *[]metav1.Condition, kind string, generation int64, v verdict) bool {
	return meta.SetStatusCondition(conditions, metav1.Condition{
		Type: kind, Status: v.status, Reason: v.reason, Message: shorten(v.message, maxMessage), ObservedGeneration: generation,
	})
}

// listed joins the first few of many and counts the rest.
func listed(all []string, separator string) string {
	if len(all) <= maxListed {
		return strings.Join(all, separator)
	}
	return strings.Join(all[:maxListed], separator) + fmt.Sprintf("%sand %d more", separator, len(all)-maxListed)
}
