package controllers

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// TestMadeAgainWhileNobodyWatched: a pool is deleted and made again while the watch is
// broken. client-go tells of it by an update with the same generation, which mustn't be
// passed over; an update of the status alone must.
func TestMadeAgainWhileNobodyWatched(t *testing.T) {
	pool := func(uid types.UID, version string) *v1alpha1.IPAddressPool {
		return &v1alpha1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "public", UID: uid, Generation: 1, ResourceVersion: version}}
	}
	lists := make(chan *v1alpha1.IPAddressPool, 2)
	lists <- pool("first", "1")
	lists <- pool("second", "4")
	watches := make(chan watch.Interface, 2)
	watches <- ended(pool("first", "2"))
	watches <- watch.NewFake() // nothing more comes
	source := &toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			p := <-lists
			return &v1alpha1.IPAddressPoolList{ListMeta: metav1.ListMeta{ResourceVersion: p.ResourceVersion}, Items: []v1alpha1.IPAddressPool{*p}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if o.SendInitialEvents != nil {
				return nil, apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("IPAddressPool").GroupKind(), "", nil) // an older API server
			}
			return <-watches, nil
		},
	}
	type update struct {
		uid     types.UID
		version string
		taken   bool
	}
	updates := make(chan update, 2)
	informer := toolscache.NewSharedIndexInformer(source, &v1alpha1.IPAddressPool{}, 0, nil)
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(old, now any) {
		object := now.(client.Object)
		taken := specChanged().Update(event.UpdateEvent{ObjectOld: old.(client.Object), ObjectNew: object})
		updates <- update{object.GetUID(), object.GetResourceVersion(), taken}
	}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); informer.RunWithContext(ctx) }()
	defer func() { stop(); <-ran }()
	for _, want := range []update{{"first", "2", false}, {"second", "4", true}} {
		if got := <-updates; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// ended is a watch that tells of one change and then that its version is too old.
func ended(object runtime.Object) watch.Interface {
	w := watch.NewFakeWithChanSize(2, false)
	w.Modify(object)
	status := apierrors.NewResourceExpired("too old resource version").Status()
	w.Error(&status)
	return w
}
