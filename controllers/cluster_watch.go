package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

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
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// ClusterWatch learns what the whole cluster has: the nodes, which relay to each
// other, and with them the CIDRs of pods and Services, which are never received from
// a router. A watch of all Nodes on every node costs the API server in proportion to
// the square of their number. It begins where something is received, and for the relay
// where there aren't more nodes than it can have as peers.
type ClusterWatch struct {
	// Changed is told the prefixes whenever they may have changed, first when all
	// are known and something is received; Nodes the nodes, sorted by name.
	Changed func([]netip.Prefix)
	Nodes   func([]*snapshot.ClusterNode)

	manager manager.Manager
	// received is closed when the first peer receives, relaying when something is to
	// be relayed.
	received, relaying         chan struct{}
	receivedOnce, relayingOnce sync.Once

	mu sync.Mutex
	// selector of the nodes that Herald runs on.
	selector map[string]string
	receives bool
	// known are the prefixes of each object, nodes all Nodes; synced says that all are
	// there.
	known  map[clusterKey][]netip.Prefix
	nodes  map[string]*snapshot.ClusterNode
	synced bool
}

type clusterKey struct{ kind, name string }

// recount is how often the nodes are counted where they are too many for the relay.
const recount = 10 * time.Minute

// NewClusterWatch is to be added to the manager.
func NewClusterWatch(mgr manager.Manager, changed func([]netip.Prefix), nodes func([]*snapshot.ClusterNode)) *ClusterWatch {
	return &ClusterWatch{
		Changed: changed, Nodes: nodes, manager: mgr, received: make(chan struct{}), relaying: make(chan struct{}),
		known: map[clusterKey][]netip.Prefix{}, nodes: map[string]*snapshot.ClusterNode{},
	}
}

// Want begins the watch, if what the node is compiled from needs it.
func (w *ClusterWatch) Want(s *snapshot.Snapshot) {
	receives := slices.ContainsFunc(s.Peers, func(peer *v1alpha1.BGPPeer) bool {
		r := peer.Spec.Receive
		return r != nil && r.Mode != "" && r.Mode != v1alpha1.ReceiveNone
	})
	w.mu.Lock()
	w.selector = nil
	if s.Settings != nil {
		w.selector = s.Settings.NodeSelector
	}
	first := receives && !w.receives && w.synced
	w.receives = w.receives || receives
	w.mu.Unlock()
	if receives {
		w.receivedOnce.Do(func() { close(w.received) })
	}
	if len(s.FlowPolicies) > 0 || s.Settings.RelaysPathMTU() {
		w.relayingOnce.Do(func() { close(w.relaying) })
	}
	if first {
		w.tell()
	}
}

// Start implements manager.Runnable.
func (w *ClusterWatch) Start(ctx context.Context) error {
	if !w.begin(ctx) {
		return nil
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

// begin waits until there is a reason to watch all Nodes; false: the context has ended.
func (w *ClusterWatch) begin(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-w.received:
		return true
	case <-w.relaying:
	}
	for {
		few, err := w.fewNodes(ctx)
		if few {
			return true
		}
		wait := recount
		if err != nil {
			log.FromContext(ctx).Info("nodes could not be counted, which is tried again", "error", err.Error())
			wait = retryMax
		}
		select {
		case <-ctx.Done():
			return false
		case <-w.received:
			return true
		case <-time.After(wait):
		}
	}
}

// fewNodes says whether the relay can have all nodes as peers. If not, those that it
// has seen, which are too many, are told.
func (w *ClusterWatch) fewNodes(ctx context.Context) (bool, error) {
	const tooMany = compile.MaxRelayPeers + 2 // beside the node itself
	w.mu.Lock()
	selector := w.selector
	w.mu.Unlock()
	list := &corev1.NodeList{}
	if err := w.manager.GetAPIReader().List(ctx, list, client.Limit(tooMany), client.MatchingLabels(selector)); err != nil {
		return false, err
	}
	if len(list.Items) < tooMany {
		return true, nil
	}
	nodes := make([]*snapshot.ClusterNode, 0, len(list.Items))
	for i := range list.Items {
		nodes = append(nodes, snapshot.ClusterNodeOf(&list.Items[i]))
	}
	slices.SortFunc(nodes, compareNodes)
	w.Nodes(nodes)
	return false, nil
}

func compareNodes(a, b *snapshot.ClusterNode) int { return cmp.Compare(a.Name, b.Name) }

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

// clusterNode keeps what snapshot.NodePrefixes and snapshot.ClusterNodeOf read.
func clusterNode(node *corev1.Node) {
	meta := identity(&node.ObjectMeta)
	meta.Labels = node.Labels
	*node = corev1.Node{
		ObjectMeta: meta,
		Spec:       corev1.NodeSpec{PodCIDR: node.Spec.PodCIDR, PodCIDRs: node.Spec.PodCIDRs},
		Status:     corev1.NodeStatus{Addresses: node.Status.Addresses},
	}
}

func (w *ClusterWatch) set(object any) {
	switch o := object.(type) {
	case *corev1.Node:
		w.edit(clusterKey{"Node", o.Name}, snapshot.NodePrefixes(o), snapshot.ClusterNodeOf(o))
	case *networkingv1.ServiceCIDR:
		w.edit(clusterKey{"ServiceCIDR", o.Name}, snapshot.ServicePrefixes(o), nil)
	}
}

func (w *ClusterWatch) remove(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	switch o := object.(type) {
	case *corev1.Node:
		w.edit(clusterKey{"Node", o.Name}, nil, nil)
	case *networkingv1.ServiceCIDR:
		w.edit(clusterKey{"ServiceCIDR", o.Name}, nil, nil)
	}
}

// edit takes in what an object has, nil for what it has no longer. Heartbeats change
// nothing.
func (w *ClusterWatch) edit(key clusterKey, prefixes []netip.Prefix, node *snapshot.ClusterNode) {
	w.mu.Lock()
	same := slices.Equal(w.known[key], prefixes)
	if w.known[key] = prefixes; prefixes == nil {
		delete(w.known, key)
	}
	if key.kind == "Node" {
		old := w.nodes[key.name]
		same = same && old != nil && node != nil && old.Same(node)
		if w.nodes[key.name] = node; node == nil {
			delete(w.nodes, key.name)
		}
	}
	synced := w.synced
	w.mu.Unlock()
	if synced && !same {
		w.tell()
	}
}

func (w *ClusterWatch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Nodes(slices.SortedFunc(maps.Values(w.nodes), compareNodes))
	if !w.receives {
		return
	}
	var all []netip.Prefix
	for _, prefixes := range w.known {
		all = append(all, prefixes...)
	}
	w.Changed(all)
}
