package controllers

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// held is what an agent's cache keeps of an object of which there are thousands: nothing
// but what the Store has of it, so that it isn't in memory twice (after the API server had
// to be asked for all of them again it is, until it changes). It is no
// runtime.Object: nobody can read it through the client, only heldSource has its events.
type held[T any] struct {
	key     types.NamespacedName
	version string
	trimmed T
}

// heldSlice is what matters of an EndpointSlice, and whose it is; a slice that is nil
// has nothing that matters.
type heldSlice struct {
	service types.NamespacedName
	slice   *snapshot.Slice
}

// GetObjectMeta implements metav1.ObjectMetaAccessor: an informer asks for the key, and for
// the version, by which it tells a resync from a change.
func (h *held[T]) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: h.key.Namespace, Name: h.key.Name, ResourceVersion: h.version}
}

// holdService is a Service as the agent's cache keeps it.
func holdService(in any) (any, error) {
	service, ok := in.(*corev1.Service)
	if !ok {
		return in, nil // it is held already: informers may transform twice
	}
	kept := &held[*snapshot.Service]{key: keyOf(service), version: service.ResourceVersion, trimmed: snapshot.TrimService(service)}
	if kept.trimmed != nil {
		kept.key = kept.trimmed.Key
	}
	return kept, nil
}

// holdSlice is an EndpointSlice as the cache of a node's agent keeps it.
func holdSlice(in any, node string) any {
	slice, ok := in.(*discoveryv1.EndpointSlice)
	if !ok {
		return in
	}
	kept := &held[heldSlice]{key: keyOf(slice), version: slice.ResourceVersion}
	kept.trimmed.service, kept.trimmed.slice = snapshot.TrimSlice(slice, node)
	kept.trimmed.service.Namespace = kept.key.Namespace
	return kept
}

// feedServices is the source of Services.
func feedServices(informers cache.Cache, store *snapshot.Store) *heldSource[*snapshot.Service] {
	return &heldSource[*snapshot.Service]{
		informers: informers, kind: &corev1.Service{},
		set:    func(_, s *held[*snapshot.Service]) bool { return store.SetService(s.key, s.trimmed) },
		remove: func(s *held[*snapshot.Service]) bool { return store.DeleteService(s.key) },
	}
}

// feedSlices is the source of EndpointSlices. One can change its Service: then the old
// one loses it.
func feedSlices(informers cache.Cache, store *snapshot.Store) *heldSource[heldSlice] {
	remove := func(s *held[heldSlice]) bool { return store.DeleteSlice(s.trimmed.service, s.key.Name) }
	return &heldSource[heldSlice]{
		informers: informers, kind: &discoveryv1.EndpointSlice{}, remove: remove,
		set: func(old, s *held[heldSlice]) bool {
			changed := old != nil && old.trimmed.service != s.trimmed.service && remove(old)
			return store.SetSlice(s.trimmed.service, s.key.Name, s.trimmed.slice) || changed
		},
	}
}

// heldSource gives the events of what is held to the Store; only those that change
// something that matters wake the reconciler.
type heldSource[T any] struct {
	informers cache.Cache
	kind      client.Object
	// set is told what was held before, nil of what is new.
	set    func(old, held *held[T]) bool
	remove func(*held[T]) bool

	synced toolscache.InformerSynced
}

// String names it in the controller's log.
func (s *heldSource[T]) String() string { return fmt.Sprintf("held source: %T", s.kind) }

// Start implements source.TypedSource.
func (s *heldSource[T]) Start(ctx context.Context, queue wakeQueue) error {
	// Core Kinds are always served, and mapped since the cache was made (ByObject). Their
	// RBAC may come late: WaitForSync waits.
	informer, err := s.informers.GetInformer(ctx, s.kind, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("%T: %w", s.kind, err)
	}
	registration, err := informer.AddEventHandler(s.handler(queue))
	if err != nil {
		return fmt.Errorf("%T: %w", s.kind, err)
	}
	s.synced = registration.HasSynced
	return nil
}

// handler of the informer's events.
func (s *heldSource[T]) handler(queue wakeQueue) toolscache.ResourceEventHandler {
	wakeIf := func(changed bool) {
		if changed {
			queue.Add(wake{})
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if added, ok := object.(*held[T]); ok {
				wakeIf(s.set(nil, added))
			}
		},
		UpdateFunc: func(before, after any) {
			old, _ := before.(*held[T])
			if updated, ok := after.(*held[T]); ok {
				if old != nil && reflect.DeepEqual(old.trimmed, updated.trimmed) {
					updated.trimmed = old.trimmed // which the Store has; nobody else reads it
				}
				wakeIf(s.set(old, updated))
			}
		},
		DeleteFunc: func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if deleted, ok := object.(*held[T]); ok {
				wakeIf(s.remove(deleted))
			}
		},
	}
}

// WaitForSync implements source.TypedSyncingSource: the first reconcile must have been
// given the whole initial list.
func (s *heldSource[T]) WaitForSync(ctx context.Context) error {
	if !toolscache.WaitForCacheSync(ctx.Done(), s.synced) {
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%T: not listed: %w", s.kind, err)
		}
	}
	return nil
}
