package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// wake is the one request there is: a node has one configuration. While it is
// being worked on, any number of events leave one more of it in the queue.
type wake struct{}

type wakeQueue = workqueue.TypedRateLimitingInterface[wake]

// feed makes a source whose events go to the Store; only those that change
// something that matters wake the reconciler.
func feed[T client.Object](informers cache.Cache, object T, set, remove func(T) bool) source.TypedSource[wake] {
	wakeIf := func(changed bool, queue wakeQueue) {
		if changed {
			queue.Add(wake{})
		}
	}
	return source.TypedKind(informers, object, handler.TypedFuncs[T, wake]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[T], q wakeQueue) { wakeIf(set(e.Object), q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[T], q wakeQueue) { wakeIf(set(e.ObjectNew), q) },
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[T], q wakeQueue) { wakeIf(remove(e.Object), q) },
	})
}

// storeSources are the watches of everything that a configuration is made from.
func storeSources(informers cache.Cache, store *snapshot.Store, heed func(*v1alpha1.Herald)) []source.TypedSource[wake] {
	settings := func(herald *v1alpha1.Herald) bool {
		heed(herald)
		now := snapshot.SettingsOf(herald)
		if now == nil {
			now = snapshot.NoHerald()
		}
		return store.SetSettings(now)
	}
	return []source.TypedSource[wake]{
		feed(informers, &v1alpha1.Herald{}, settings, func(*v1alpha1.Herald) bool { return settings(nil) }),
		feed(informers, &corev1.Node{},
			func(n *corev1.Node) bool { return store.SetNode(snapshot.TrimNode(n)) },
			func(*corev1.Node) bool { return store.DeleteNode() }),
		feed(informers, &corev1.Namespace{},
			func(n *corev1.Namespace) bool { return store.SetNamespace(snapshot.TrimNamespace(n)) },
			func(n *corev1.Namespace) bool { return store.DeleteNamespace(n.Name) }),
		feed(informers, &v1alpha1.IPAddressPool{}, store.SetPool,
			func(p *v1alpha1.IPAddressPool) bool { return store.DeletePool(p.Name) }),
		feed(informers, &v1alpha1.BGPPeer{}, store.SetPeer,
			func(p *v1alpha1.BGPPeer) bool { return store.DeletePeer(p.Name) }),
		feed(informers, &v1alpha1.BGPAdvertisement{}, store.SetAdvertisement,
			func(a *v1alpha1.BGPAdvertisement) bool { return store.DeleteAdvertisement(a.Name) }),
		feed(informers, &v1alpha1.Community{}, store.SetCommunity,
			func(c *v1alpha1.Community) bool { return store.DeleteCommunity(c.Name) }),
		feed(informers, &v1alpha1.BFDProfile{}, store.SetProfile,
			func(p *v1alpha1.BFDProfile) bool { return store.DeleteProfile(p.Name) }),
		feed(informers, &v1alpha1.FRRSnippet{}, store.SetSnippet,
			func(s *v1alpha1.FRRSnippet) bool { return store.DeleteSnippet(s.Name) }),
		feed(informers, &v1alpha1.FlowPolicy{}, store.SetFlowPolicy,
			func(p *v1alpha1.FlowPolicy) bool { return store.DeleteFlowPolicy(p.Name) }),
		feed(informers, &corev1.Secret{},
			func(s *corev1.Secret) bool { return store.SetSecret(s.Name, snapshot.TrimSecret(s)) },
			func(s *corev1.Secret) bool { return store.DeleteSecret(s.Name) }),
		feedServices(informers, store),
		feedSlices(informers, store),
	}
}

func keyOf(object client.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}
