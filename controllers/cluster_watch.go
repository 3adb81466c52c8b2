package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// ClusterWatch learns what the whole cluster has for itself: the nodes' addresses
// and the CIDRs of pods and Services, which are never received from a router. All
// Nodes on every node is a watch that most clusters don't need, so that it begins
// with the first peer of which anything is received.
type ClusterWatch struct {
	// Changed is told the prefixes whenever they may have changed, first when all
	// are known.
	Changed func([]netip.Prefix)

	manager manager.Manager
	wanted  chan struct{}
	once    sync.Once

	mu sync.Mutex
	// known are the prefixes of each object; synced says that all are there.
	known  map[clusterKey][]netip.Prefix
	synced bool
}

type clusterKey struct{ kind, name string }

// NewClusterWatch is to be added to the manager.
func NewClusterWatch(mgr manager.Manager, changed func([]netip.Prefix)) *ClusterWatch {
	return &ClusterWatch{Changed: changed, manager: mgr, wanted: make(chan struct{}), known: map[clusterKey][]netip.Prefix{}}
}

// Want begins the watch, if any peer receives.
func (w *ClusterWatch) Want(peers []*v1alpha1.BGPPeer) {
	for _, peer := range peers {
		if r := peer.Spec.Receive; r != nil && r.Mode != "" && r.Mode != v1alpha1.ReceiveNone {
			w.once.Do(func() { close(w.wanted) })
		}
	}
}

// Start implements manager.Runnable.
func (w *ClusterWatch) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-w.wanted:
	}
	informers, err := w.informers(ctx)
	if err != nil {
		return err
	}
	go func() {
		if err := informers.Start(ctx); err != nil {
			log.FromContext(ctx).Error(err, "the watch of all Nodes has ended")
		}
	}()
	if !informers.WaitForCacheSync(ctx) {
		return nil
	}
	w.mu.Lock()
	w.synced = true
	w.mu.Unlock()
	w.tell()
	<-ctx.Done()
	return nil
}

func (w *ClusterWatch) informers(ctx context.Context) (cache.Cache, error) {
	informers, err := cache.New(w.manager.GetConfig(), cache.Options{
		HTTPClient: w.manager.GetHTTPClient(), Scheme: w.manager.GetScheme(), Mapper: w.manager.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: trim(clusterNode)}},
	})
	if err != nil {
		return nil, fmt.Errorf("watch of all Nodes: %w", err)
	}
	objects := []client.Object{&corev1.Node{}}
	// ServiceCIDR is there from Kubernetes 1.33 on.
	serviceCIDR := &networkingv1.ServiceCIDR{}
	gvk, err := apiutil.GVKForObject(serviceCIDR, w.manager.GetScheme())
	if err != nil {
		return nil, err
	}
	switch _, err := w.manager.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); {
	case err == nil:
		objects = append(objects, serviceCIDR)
	case !meta.IsNoMatchError(err):
		return nil, fmt.Errorf("watch of ServiceCIDRs: %w", err)
	}
	for _, object := range objects {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc: w.set, UpdateFunc: func(_, now any) { w.set(now) }, DeleteFunc: w.remove,
			})
		}
		if err != nil {
			return nil, fmt.Errorf("watch of %T: %w", object, err)
		}
	}
	return informers, nil
}

// clusterNode keeps what snapshot.NodePrefixes reads.
func clusterNode(node *corev1.Node) {
	*node = corev1.Node{
		ObjectMeta: identity(&node.ObjectMeta),
		Spec:       corev1.NodeSpec{PodCIDR: node.Spec.PodCIDR, PodCIDRs: node.Spec.PodCIDRs},
		Status:     corev1.NodeStatus{Addresses: node.Status.Addresses},
	}
}

func (w *ClusterWatch) set(object any) {
	switch o := object.(type) {
	case *corev1.Node:
		w.edit(clusterKey{"Node", o.Name}, snapshot.NodePrefixes(o))
	case *networkingv1.ServiceCIDR:
		w.edit(clusterKey{"ServiceCIDR", o.Name}, snapshot.ServicePrefixes(o))
	}
}

func (w *ClusterWatch) remove(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	switch o := object.(type) {
	case *corev1.Node:
		w.edit(clusterKey{"Node", o.Name}, nil)
	case *networkingv1.ServiceCIDR:
		w.edit(clusterKey{"ServiceCIDR", o.Name}, nil)
	}
}

func (w *ClusterWatch) edit(key clusterKey, prefixes []netip.Prefix) {
	w.mu.Lock()
	w.known[key] = prefixes
	if prefixes == nil {
		delete(w.known, key)
	}
	synced := w.synced
	w.mu.Unlock()
	if synced {
		w.tell()
	}
}

func (w *ClusterWatch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []netip.Prefix
	for _, prefixes := range w.known {
		all = append(all, prefixes...)
	}
	w.Changed(all)
}
