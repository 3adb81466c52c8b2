package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
)

// allRequest asks a reconciler to look at all its objects: none has an empty name.
var allRequest = types.NamespacedName{}

// fleet keeps what all nodes should do and what they report, event by event, and
// tells the reconcilers of conditions when that changes. It does so on a standby
// too: a new leader starts with it.
type fleet struct {
	cache   cache.Cache
	watches fleetWatches
	// heed is told the Herald object, nil when there is none any more.
	heed func(*v1alpha1.Herald)
	// peers and those after it are the reconcilers to tell.
	peers, advertisements, communities, profiles, snippets, flows, services trigger

	mutex sync.RWMutex
	state status.Fleet
	// stale: the policies are of a time before the last change.
	stale bool
	// annotations of Nodes that the policies were made with.
	annotations snapshot.Keys
}

func newFleet(c cache.Cache, heed func(*v1alpha1.Herald)) *fleet {
	return &fleet{cache: c, heed: heed, stale: true, state: status.Fleet{
		Reports: map[string]status.NodeReport{}, Established: map[status.SessionKey]bool{},
	}}
}

// read gives the present state to look at, not to keep. It is false while the
// watches haven't shown everything yet.
func (f *fleet) read(ctx context.Context, look func(*status.Fleet)) (bool, error) {
	if !f.watches.synced() {
		return false, nil
	}
	if err := f.refresh(ctx); err != nil {
		return false, err
	}
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	look(&f.state)
	return true, nil
}

// refresh asks compile again for each node, if anything changed that it reads.
func (f *fleet) refresh(ctx context.Context) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.stale {
		return nil
	}
	nodes, inputs, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.annotations = snapshot.AnnotationsRead(inputs.Peers)
	f.state.NoHerald = inputs.Settings == nil
	f.state.Global = compile.NewPolicy(&inputs)
	f.state.Policies = make([]*compile.Policy, 0, len(nodes))
	for i := range nodes {
		inputs.Node = snapshot.TrimNode(&nodes[i])
		f.state.Policies = append(f.state.Policies, compile.NewPolicy(&inputs))
	}
	f.stale = false
	return nil
}

// list reads what policies are made of. Secrets are left out: the manager may
// not read them.
func (f *fleet) list(ctx context.Context) ([]corev1.Node, snapshot.Snapshot, error) {
	nodes := &corev1.NodeList{}
	pools := &v1alpha1.IPAddressPoolList{}
	peers := &v1alpha1.BGPPeerList{}
	advertisements := &v1alpha1.BGPAdvertisementList{}
	communities := &v1alpha1.CommunityList{}
	profiles := &v1alpha1.BFDProfileList{}
	snippets := &v1alpha1.FRRSnippetList{}
	flows := &v1alpha1.FlowPolicyList{}
	heralds := &v1alpha1.HeraldList{}
	for kind, list := range map[string]func() error{
		"Nodes":             func() error { return f.cache.List(ctx, nodes) },
		"IPAddressPools":    func() error { return f.cache.List(ctx, pools) },
		"BGPPeers":          func() error { return f.cache.List(ctx, peers) },
		"BGPAdvertisements": func() error { return f.cache.List(ctx, advertisements) },
		"Communities":       func() error { return f.cache.List(ctx, communities) },
		"BFDProfiles":       func() error { return f.cache.List(ctx, profiles) },
		"FRRSnippets":       func() error { return f.cache.List(ctx, snippets) },
		"FlowPolicies":      func() error { return f.cache.List(ctx, flows) },
		"Heralds":           func() error { return f.cache.List(ctx, heralds) },
	} {
		if err := list(); err != nil {
			return nil, snapshot.Snapshot{}, fmt.Errorf("list of %s: %w", kind, err)
		}
	}
	slices.SortFunc(nodes.Items, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	var settings *snapshot.Settings
	for i := range heralds.Items {
		settings = snapshot.SettingsOf(&heralds.Items[i])
	}
	return nodes.Items, snapshot.Snapshot{
		Settings: settings,
		Pools:    pointers(pools.Items), Peers: pointers(peers.Items), Advertisements: pointers(advertisements.Items),
		Communities: pointers(communities.Items),
		BFDProfiles: pointers(profiles.Items),
		Snippets:    pointers(snippets.Items), FlowPolicies: pointers(flows.Items),
	}, nil
}

// policiesChanged: something that compile reads is another one now.
func (f *fleet) policiesChanged() {
	f.mutex.Lock()
	f.stale = true
	f.mutex.Unlock()
	f.tellAll()
}

// heraldChanged: settings that compile reads, and others.
func (f *fleet) heraldChanged(herald *v1alpha1.Herald, gone bool) {
	if gone {
		herald = nil
	}
	f.heed(herald)
	f.policiesChanged()
}

// namespaceChanged: a Namespace has come, gone or got other labels, which
// advertisements may select Services by.
func (f *fleet) namespaceChanged() {
	f.mutex.RLock()
	read := f.stale || slices.ContainsFunc(f.state.Policies, (*compile.Policy).ReadsNamespaces)
	f.mutex.RUnlock()
	if read {
		f.services.enqueue(allRequest)
	}
}

func (f *fleet) tellAll() {
	for _, reconciler := range []*trigger{&f.peers, &f.advertisements, &f.communities, &f.profiles, &f.snippets, &f.flows, &f.services} {
		reconciler.enqueue(allRequest)
	}
}

// nodeReported takes a BGPNode in, or out.
func (f *fleet) nodeReported(node *v1alpha1.BGPNode, gone bool) {
	f.mutex.Lock()
	if gone {
		delete(f.state.Reports, node.Name)
	} else {
		f.state.Reports[node.Name] = status.ReportOf(node)
	}
	f.mutex.Unlock()
	f.tellAll()
}

// sessionReported takes a BGPSession in, or out.
func (f *fleet) sessionReported(session *v1alpha1.BGPSession, gone bool) {
	key := status.SessionKey{Node: session.Spec.Node, Peer: session.Spec.Peer}
	f.mutex.Lock()
	if gone {
		delete(f.state.Established, key)
	} else {
		f.state.Established[key] = session.Status.State == v1alpha1.SessionEstablished
	}
	f.mutex.Unlock()
	f.peers.enqueueNames(key.Peer)
	f.services.enqueue(allRequest)
}
