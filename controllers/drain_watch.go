package controllers

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// DrainWatch learns which other nodes could take over from this one. It watches
// all Nodes, their reports and all endpoints, which is much for an agent: only
// while its node drains.
type DrainWatch struct {
	// Node is this one's name. Changed is told what is known: nil while nothing is.
	Node    string
	Changed func(*snapshot.Others)

	manager manager.Manager
	wanted  chan bool
}

// NewDrainWatch is to be added to the manager.
func NewDrainWatch(mgr manager.Manager, node string, changed func(*snapshot.Others)) *DrainWatch {
	return &DrainWatch{Node: node, Changed: changed, manager: mgr, wanted: make(chan bool, 1)}
}

// Want begins the watch, or ends it.
func (w *DrainWatch) Want(drains bool) {
	select {
	case <-w.wanted: // what it was told before
	default:
	}
	w.wanted <- drains
}

// Start implements manager.Runnable.
func (w *DrainWatch) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case drains := <-w.wanted:
			if drains {
				w.whileWanted(ctx)
			}
		}
	}
}

// whileWanted watches until that isn't wanted any more, or the context ends.
func (w *DrainWatch) whileWanted(ctx context.Context) {
	watch, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.follow(watch)
	}()
	for drains := true; drains; {
		select {
		case <-ctx.Done():
			drains = false
		case drains = <-w.wanted:
		}
	}
	end()
	<-ended
}

// follow until the context ends. Then nothing is known any more.
func (w *DrainWatch) follow(ctx context.Context) {
	seen := newOthersSeen(w.Node)
	var informers cache.Cache
	var handled []toolscache.InformerSynced
	err := wait.PollUntilContextCancel(ctx, retryMax, true, func(ctx context.Context) (bool, error) {
		var err error
		if informers, handled, err = w.informers(ctx, seen); err != nil {
			log.FromContext(ctx).Error(err, "other nodes can't be watched: until they can, this node's drain goes no further")
		}
		return err == nil, nil
	})
	if err != nil {
		return // the context has ended
	}
	go func() {
		if err := informers.Start(ctx); err != nil {
			log.FromContext(ctx).Error(err, "the watch of other nodes has ended")
		}
	}()
	// Not the caches' sync, which comes before the handlers have been given everything:
	// half of it would keep routes that others have.
	if toolscache.WaitForCacheSync(ctx.Done(), handled...) {
		seen.tell(ctx, w.Changed)
	}
	w.Changed(nil)
}

// informers that give seen what they find; handled say when that is everything there is.
func (w *DrainWatch) informers(ctx context.Context, seen *othersSeen) (informers cache.Cache, handled []toolscache.InformerSynced, err error) {
	informers, err = cache.New(w.manager.GetConfig(), cache.Options{
		HTTPClient: w.manager.GetHTTPClient(), Scheme: w.manager.GetScheme(), Mapper: w.manager.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}:               {Transform: agentNode},
			&discoveryv1.EndpointSlice{}: {Label: slicesOfServices(), Transform: otherSlice},
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("watch of other nodes: %w", err)
	}
	for _, object := range []client.Object{&corev1.Node{}, &v1alpha1.BGPNode{}, &v1alpha1.BGPSession{}, &discoveryv1.EndpointSlice{}} {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		var registration toolscache.ResourceEventHandlerRegistration
		if err == nil {
			registration, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc: seen.set, UpdateFunc: func(_, now any) { seen.set(now) }, DeleteFunc: seen.remove,
			})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("watch of %T: %w", object, err)
		}
		handled = append(handled, registration.HasSynced)
	}
	return informers, handled, nil
}

// otherSlice keeps what matters of a slice for all nodes: an endpoint of each, one
// that is ready where there is one.
func otherSlice(in any) (any, error) {
	slice, ok := in.(*discoveryv1.EndpointSlice)
	if !ok {
		return in, nil
	}
	trimmed := &discoveryv1.EndpointSlice{ObjectMeta: identity(&slice.ObjectMeta), AddressType: slice.AddressType}
	trimmed.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	kept := map[string]int{} // of each node, where in trimmed
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if !snapshot.IsUsable(endpoint) {
			continue
		}
		small := discoveryv1.Endpoint{Addresses: endpoint.Addresses[:1], Conditions: endpoint.Conditions, NodeName: endpoint.NodeName}
		at, there := kept[ptr.Deref(endpoint.NodeName, "")]
		switch {
		case !there:
			kept[ptr.Deref(endpoint.NodeName, "")] = len(trimmed.Endpoints)
			trimmed.Endpoints = append(trimmed.Endpoints, small)
		case snapshot.IsReadyEndpoint(endpoint) && !snapshot.IsReadyEndpoint(&trimmed.Endpoints[at]):
			trimmed.Endpoints[at] = small
		}
	}
	return trimmed, nil
}

// othersSeen gathers what the watches show.
type othersSeen struct {
	self  string
	dirty chan struct{}

	mu       sync.Mutex
	nodes    map[string]*snapshot.Node
	ready    map[string]bool
	reports  map[string]reportedNode
	sessions map[types.NamespacedName]v1alpha1.BGPSessionSpec // of each that is Established
	slices   map[types.NamespacedName]map[string]*snapshot.Slice
	services map[types.NamespacedName]types.NamespacedName // of each slice
}
