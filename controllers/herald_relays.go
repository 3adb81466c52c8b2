package controllers

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// relaysPatience is how long the relays have to take their rules away. One that is
// dead leaves them until its node reboots, and keeps nobody from uninstalling.
const relaysPatience = 15 * time.Second

// relaysLeave says whether the agents are still needed: a relay leaves its rules where
// it ends, as it may be there again soon. The confirmed deletion tells agents that it
// won't; one that needs no confirmation is confirmed here.
func (r *heraldReconciler) relaysLeave(ctx context.Context, herald *v1alpha1.Herald, seen *status.Installation) (bool, error) {
	if seen.Agent == nil || !seen.Agent.DeletionTimestamp.IsZero() {
		return false, nil
	}
	if herald.Annotations[v1alpha1.AnnotationConfirmDelete] != "true" {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		base := herald.DeepCopy()
		if herald.Annotations == nil {
			herald.Annotations = map[string]string{}
		}
		herald.Annotations[v1alpha1.AnnotationConfirmDelete] = "true"
		if err := r.client.Patch(ctx, herald, client.MergeFrom(base)); err != nil {
			return false, fmt.Errorf("the Herald object: its deletion: %w", err)
		}
	}
	if r.leaving.IsZero() {
		r.leaving = time.Now()
	}
	relaying := seen.Relaying()
	if len(relaying) > 0 && time.Since(r.leaving) < relaysPatience {
		return true, nil
	}
	if len(relaying) > 0 {
		ctrl.LoggerFrom(ctx).Info("relays leave their rules until their nodes reboot", "nodes", relaying)
	}
	return false, nil
}
