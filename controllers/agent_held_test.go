package controllers

import (
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// An informer finds key and version of what is held, and may transform it twice.
func TestHeldHasItsKey(t *testing.T) {
	service, slice := servedService(7)
	for _, kept := range []any{mustHold(t, service), holdSlice(slice, "node-a")} {
		key, err := toolscache.MetaNamespaceKeyFunc(kept)
		if want := map[string]bool{"shop/web-7": true, "shop/web-7-x7k2p": true}; err != nil || !want[key] {
			t.Errorf("%T has the key %q, %v", kept, key, err)
		}
		if version := kept.(metav1.ObjectMetaAccessor).GetObjectMeta().GetResourceVersion(); version != "1007" {
			t.Errorf("%T has the version %q", kept, version)
		}
	}
	kept := mustHold(t, service)
	if again := mustHold(t, kept); again != kept {
		t.Errorf("transformed again it is %v, not what it was", again)
	}
	if again := holdSlice(holdSlice(slice, "node-a"), "node-a"); again.(*held[heldSlice]).trimmed.slice == nil {
		t.Error("a slice that is transformed again lost what was kept")
	}
}

func mustHold(t *testing.T, in any) any {
	t.Helper()
	kept, err := holdService(in)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// What informers tell reaches the Store, and only what matters wakes the reconciler.
func TestHeldSourcesFeedTheStore(t *testing.T) {
	store := snapshot.NewStore(nil, snapshot.Host{}, nil)
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[wake]())
	defer queue.ShutDown()
	services, slices := feedServices(nil, store).handler(queue), feedSlices(nil, store).handler(queue)
	woken := func(step string, want bool) {
		t.Helper()
		if got := queue.Len() > 0; got != want {
			t.Errorf("%s: woken is %v, want %v", step, got, want)
		}
		for queue.Len() > 0 {
			w, _ := queue.Get()
			queue.Done(w)
		}
	}
	service, slice := servedService(7)
	web, other := keyOf(service), types.NamespacedName{Namespace: "shop", Name: "web-8"}
	held := holdSlice(slice, "node-a")

	slices.OnAdd(held, true)
	woken("a slice whose Service isn't known", false)
	services.OnAdd(mustHold(t, service), true)
	woken("a Service", true)
	if got := store.Snapshot(); got.Services.Len() != 1 || got.Slices.Get(web)[slice.Name] == nil {
		t.Fatalf("the Store has %v with %v", got.Services, got.Slices)
	}

	touched := service.DeepCopy()
	touched.ResourceVersion, touched.Labels["foreign"] = "2000", "label"
	services.OnUpdate(mustHold(t, service), mustHold(t, touched))
	woken("a label that nobody reads", false)

	moved := slice.DeepCopy()
	moved.Labels[discoveryv1.LabelServiceName] = other.Name
	slices.OnUpdate(held, holdSlice(moved, "node-a"))
	woken("the slice goes to another Service", true)
	if got := store.Snapshot(); len(got.Slices.Get(web)) != 0 {
		t.Errorf("the old Service still has %v", got.Slices.Get(web))
	}
	slices.OnUpdate(holdSlice(moved, "node-a"), held)
	woken("the slice comes back", true)

	// A watch that broke tells of what is gone by its last known state.
	slices.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/" + slice.Name, Obj: held})
	woken("the slice is gone", true)
	services.OnDelete(mustHold(t, service))
	woken("the Service is gone", true)
	if got := store.Snapshot(); got.Services.Len()+got.Slices.Len() != 0 {
		t.Errorf("the Store still has %v with %v", got.Services, got.Slices)
	}
}
