package controllers

import (
	"context"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeTimeout bounds every write. It is shorter than what is left of a lease
// when its holder gives up renewing it (LeaseDuration - RenewDeadline), so that
// no write of an old leader is under way when a new one starts.
const writeTimeout = 4 * time.Second

// patchStatus writes the status, in bounded time.
func patchStatus(ctx context.Context, c client.Client, object client.Object, patch client.Patch) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Status().Patch(ctx, object, patch)
}

// wholeStatus is a patch that says every field of a status: a difference leaves
// out a count that has become known to be 0.
func wholeStatus(status any) (client.Patch, error) {
	data, err := json.Marshal(map[string]any{"status": status})
	return client.RawPatch(types.MergePatchType, data), err
}

// remove deletes exactly the object that was read, in bounded time.
func remove(ctx context.Context, c client.Client, object client.Object) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	uid := object.GetUID()
	return client.IgnoreNotFound(c.Delete(ctx, object, client.Preconditions{UID: &uid}))
}

// removeWith deletes it, and what it owns in the given way.
func removeWith(ctx context.Context, c client.Client, object client.Object, how client.PropagationPolicy) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	uid := object.GetUID()
	return client.IgnoreNotFound(c.Delete(ctx, object, client.Preconditions{UID: &uid}, how))
}

// pointers to the items of a list.
func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}
