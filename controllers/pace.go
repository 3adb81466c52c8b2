package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// paceInterval is how often one object's status is written at most: a first
	// change at once, a burst (all sessions of a router go down) behind it.
	paceInterval = 500 * time.Millisecond
	// notYet is when to ask again for what the watches haven't shown yet.
	notYet = 100 * time.Millisecond
)

// pace bounds the writes of each object. Its zero value is ready; it is not safe
// for concurrent use.
type pace struct {
	written map[types.NamespacedName]time.Time
}

// take takes the right to write now, or says how long to wait.
func (p *pace) take(key types.NamespacedName) time.Duration {
	if p.written == nil {
		p.written = map[types.NamespacedName]time.Time{}
	}
	now := time.Now()
	if wait := paceInterval - now.Sub(p.written[key]); wait > 0 {
		return wait
	}
	p.written[key] = now
	return 0
}

func (p *pace) forget(key types.NamespacedName) { delete(p.written, key) }

// later asks again soon where something isn't known yet.
func later(unknown bool) ctrl.Result {
	if unknown {
		return ctrl.Result{RequeueAfter: notYet}
	}
	return ctrl.Result{}
}

// enqueueAll asks for each object of a list in the cache.
func enqueueAll(ctx context.Context, reader client.Reader, list client.ObjectList, reconciler *trigger) error {
	if err := reader.List(ctx, list); err != nil {
		return fmt.Errorf("%T: %w", list, err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		if object, ok := item.(client.Object); ok {
			reconciler.enqueue(client.ObjectKeyFromObject(object))
		}
		return nil
	})
}
