package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// fleetWatches say whether each watch has shown all that there is.
type fleetWatches []toolscache.InformerSynced

func (w fleetWatches) synced() bool {
	return len(w) > 0 && !slices.ContainsFunc(w, func(synced toolscache.InformerSynced) bool { return !synced() })
}

// watch starts to follow the API. Of updates only those are taken that matter:
// no heartbeat, no status that the manager itself writes.
func (f *fleet) watch(ctx context.Context) error {
	for _, register := range []func(context.Context, cache.Cache) (toolscache.InformerSynced, error){
		watcher(&corev1.Node{}, f.sameNode, func(*corev1.Node, bool) { f.policiesChanged() }),
		watcher(&corev1.Namespace{}, sameLabels, func(*corev1.Namespace, bool) { f.namespaceChanged() }),
		watcher(&v1alpha1.IPAddressPool{}, samePool, func(*v1alpha1.IPAddressPool, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.BGPPeer{}, sameSpec, func(*v1alpha1.BGPPeer, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.BGPAdvertisement{}, sameSpec, func(*v1alpha1.BGPAdvertisement, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.Community{}, sameSpec, func(*v1alpha1.Community, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.BFDProfile{}, sameSpec, func(*v1alpha1.BFDProfile, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.FRRSnippet{}, sameSpec, func(*v1alpha1.FRRSnippet, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.FlowPolicy{}, sameSpec, func(*v1alpha1.FlowPolicy, bool) { f.policiesChanged() }),
		watcher(&v1alpha1.Herald{}, sameSpec, f.heraldChanged),
		watcher(&v1alpha1.BGPNode{}, sameReport, f.nodeReported),
		watcher(&v1alpha1.BGPSession{}, sameState, f.sessionReported),
	} {
		synced, err := register(ctx, f.cache)
		if err != nil {
			return err
		}
		f.watches = append(f.watches, synced)
	}
	return nil
}

// watcher hands on each object that has come or has changed, and each that has
// gone as it was last seen.
func watcher[T client.Object](kind T, same func(old, now T) bool, handle func(object T, gone bool)) func(context.Context, cache.Cache) (toolscache.InformerSynced, error) {
	return func(ctx context.Context, c cache.Cache) (toolscache.InformerSynced, error) {
		informer, err := c.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watch of %T: %w", kind, err)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(object any) { deliver(object, false, handle) },
			UpdateFunc: func(old, now any) {
				if before, ok := old.(T); !ok || !same(before, now.(T)) {
					deliver(now, false, handle)
				}
			},
			DeleteFunc: func(object any) {
				if last, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
					object = last.Obj
				}
				deliver(object, true, handle)
			},
		})
		if err != nil {
			return nil, fmt.Errorf("watch of %T: %w", kind, err)
		}
		return registration.HasSynced, nil
	}
}

func deliver[T client.Object](object any, gone bool, handle func(T, bool)) {
	if typed, ok := object.(T); ok {
		handle(typed, gone)
	}
}

// sameNode looks at those annotations only that peers have values from: network
// plugins and others write theirs all the time.
func (f *fleet) sameNode(old, now *corev1.Node) bool {
	f.mutex.RLock()
	sameAnnotations := f.annotations.Same(old.Annotations, now.Annotations)
	f.mutex.RUnlock()
	return sameAnnotations && old.UID == now.UID && equality.Semantic.DeepEqual(old.Labels, now.Labels) &&
		equality.Semantic.DeepEqual(old.Status, now.Status) // trimmed: addresses and one condition
}

func sameLabels(old, now *corev1.Namespace) bool { return maps.Equal(old.Labels, now.Labels) }

// samePool looks at the labels too, which advertisements select by: they don't
// count in the generation.
func samePool(old, now *v1alpha1.IPAddressPool) bool {
	return sameSpec(old, now) && maps.Equal(old.Labels, now.Labels)
}

func sameReport(old, now *v1alpha1.BGPNode) bool {
	return old.UID == now.UID && status.ReportOf(old).Equal(status.ReportOf(now))
}

func sameState(old, now *v1alpha1.BGPSession) bool {
	return old.UID == now.UID && old.Status.State == now.Status.State
}
