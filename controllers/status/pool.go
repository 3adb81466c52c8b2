package status

import (
	"reflect"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/pools"
)

// ApplyPoolAccepted writes the condition Accepted from the issues of the pool's
// parts and from what is left of it.
func ApplyPoolAccepted(pool *v1alpha1.IPAddressPool, accepted *pools.Pool, issues []pools.Issue) bool {
	verdict := yes(v1alpha1.ReasonAccepted, "every block can be used")
	if pool.Spec.Disabled {
		verdict = yes(v1alpha1.ReasonDisabled, "disabled: Services keep the addresses that they have, and nothing new is given out")
	}
	var messages []string
	for _, issue := range issues {
		if issue.Pool != pool.Name {
			continue
		}
		if len(messages) == 0 {
			verdict.reason = issue.Reason
		}
		messages = append(messages, issue.Message)
	}
	if len(messages) > 0 {
		verdict = no(verdict.reason, listed(messages, "; "))
		if len(accepted.Blocks) > 0 {
			verdict.message += "; the other blocks are in use"
		}
	}
	return set(&pool.Status.Conditions, v1alpha1.ConditionAccepted, pool.Generation, verdict)
}

// ApplyPoolCounts writes how many addresses there are, are taken and are free.
func ApplyPoolCounts(pool *v1alpha1.IPAddressPool, usage allocator.Usage) bool {
	ipv4, ipv6 := countOf(usage.IPv4), countOf(usage.IPv6)
	if reflect.DeepEqual(pool.Status.IPv4, ipv4) && reflect.DeepEqual(pool.Status.IPv6, ipv6) {
		return false
	}
	pool.Status.IPv4, pool.Status.IPv6 = ipv4, ipv6
	return true
}

func countOf(count *allocator.Count) *v1alpha1.AddressCount {
	if count == nil {
		return nil
	}
	return &v1alpha1.AddressCount{
		Total: count.Total.String(), Assigned: count.Assigned.String(), Free: count.Free.String(),
	}
}
