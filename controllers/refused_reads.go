package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// tellRefusedReads is a watch error handler that says what to do where the API server
// refuses to let Herald read: without its watches it does nothing, and what was
// announced stays. The reflector tries again by itself.
func tellRefusedReads(ctx context.Context, r *toolscache.Reflector, err error) {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		log.FromContext(ctx).Error(err, "the API server lets Herald not read what it needs: apply config/rbac (Helm and OLM bring the same), or use the ServiceAccount that it names; until then nothing changes",
			"kind", r.TypeDescription())
		return
	}
	toolscache.DefaultWatchErrorHandler(ctx, r, err)
}
