package controllers

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// trigger lets one reconciler ask for another object, or another reconciler's.
// Before the reconciler has started it does nothing: its first events ask for
// everything.
type trigger struct {
	queue atomic.Pointer[queue]
}

func (t *trigger) source() source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		t.queue.Store(&q)
		return nil
	})
}

func (t *trigger) enqueue(keys ...types.NamespacedName) {
	q := t.queue.Load()
	if q == nil {
		return
	}
	for _, key := range keys {
		(*q).Add(reconcile.Request{NamespacedName: key})
	}
}

func (t *trigger) enqueueNames(names ...string) {
	for _, name := range names {
		t.enqueue(types.NamespacedName{Name: name})
	}
}
