package controllers

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// reportedNode is what matters of a BGPNode.
type reportedNode struct {
	// lacks is LackNothing where agent, reloader and FRR are alive, and FRR runs what it
	// should.
	lacks  snapshot.Lack
	drains bool
	since  time.Time
}

func newOthersSeen(self string) *othersSeen {
	return &othersSeen{
		self: self, dirty: make(chan struct{}, 1),
		nodes: map[string]*snapshot.Node{}, ready: map[string]bool{}, reports: map[string]reportedNode{},
		sessions: map[types.NamespacedName]v1alpha1.BGPSessionSpec{},
		slices:   map[types.NamespacedName]map[string]*snapshot.Slice{}, services: map[types.NamespacedName]types.NamespacedName{},
	}
}

// tell what is seen, now and after each change, until the context ends.
func (o *othersSeen) tell(ctx context.Context, changed func(*snapshot.Others)) {
	changed(o.others())
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.dirty:
			changed(o.others())
		}
	}
}

// others is what is seen, immutable.
func (o *othersSeen) others() *snapshot.Others {
	o.mu.Lock()
	defer o.mu.Unlock()
	connected := map[string]map[string]struct{}{}
	for _, session := range o.sessions {
		if connected[session.Node] == nil {
			connected[session.Node] = map[string]struct{}{}
		}
		connected[session.Node][session.Peer] = struct{}{}
	}
	others := &snapshot.Others{Since: o.reports[o.self].since, Slices: maps.Clone(o.slices)}
	for _, name := range slices.Sorted(maps.Keys(o.nodes)) {
		if name == o.self {
			continue
		}
		others.Nodes = append(others.Nodes, snapshot.Other{
			Node: o.nodes[name], Lacks: o.lacks(name), Drains: o.reports[name].drains, Since: o.reports[name].since, Sessions: connected[name],
		})
	}
	return others
}

// lacks says why a node takes nothing over.
func (o *othersSeen) lacks(name string) snapshot.Lack {
	report, reports := o.reports[name]
	switch {
	case !reports:
		return snapshot.LackReport
	case !o.ready[name]:
		return snapshot.LackNode
	default:
		return report.lacks
	}
}

// set takes an object; what doesn't matter of it makes nothing dirty.
func (o *othersSeen) set(object any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed := false
	switch object := object.(type) {
	case *corev1.Node:
		changed = o.setNode(object)
	case *v1alpha1.BGPNode:
		now := reportOf(object)
		changed, o.reports[object.Name] = o.reports[object.Name] != now, now
	case *v1alpha1.BGPSession:
		up := object.Status.State == v1alpha1.SessionEstablished
		_, was := o.sessions[keyOf(object)]
		if changed = up != was; up {
			o.sessions[keyOf(object)] = object.Spec
		} else {
			delete(o.sessions, keyOf(object))
		}
	case *discoveryv1.EndpointSlice:
		service, slice := snapshot.TrimSlice(object, snapshot.AllNodes)
		changed = o.setSlice(keyOf(object), service, slice)
	}
	if changed {
		o.touch()
	}
}

func (o *othersSeen) remove(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch object := object.(type) {
	case *corev1.Node:
		delete(o.nodes, object.Name)
		delete(o.ready, object.Name)
	case *v1alpha1.BGPNode:
		delete(o.reports, object.Name)
	case *v1alpha1.BGPSession:
		delete(o.sessions, keyOf(object))
	case client.Object:
		o.setSlice(keyOf(object), types.NamespacedName{}, nil)
	}
	o.touch()
}

func (o *othersSeen) touch() {
	select {
	case o.dirty <- struct{}{}:
	default:
	}
}

func (o *othersSeen) setNode(object *corev1.Node) bool {
	node, ready := snapshot.TrimNode(object), snapshot.IsReady(object)
	old, known := o.nodes[node.Name]
	if known && o.ready[node.Name] == ready && old.Equal(node) {
		return false
	}
	o.nodes[node.Name], o.ready[node.Name] = node, ready
	return true
}

// setSlice puts a slice where it belongs, and takes it from where it did; nil: it
// belongs nowhere. The maps of a Service are in Others: they are replaced.
func (o *othersSeen) setSlice(key, service types.NamespacedName, slice *snapshot.Slice) bool {
	old, known := o.services[key]
	if known && slice != nil && old == service && o.slices[old][key.Name].Equal(slice) {
		return false
	}
	if known {
		o.slices[old] = maps.Clone(o.slices[old])
		delete(o.slices[old], key.Name)
		delete(o.services, key)
	}
	if slice == nil {
		return known
	}
	all := maps.Clone(o.slices[service])
	if all == nil {
		all = map[string]*snapshot.Slice{}
	}
	all[key.Name] = slice
	o.slices[service], o.services[key] = all, service
	return true
}

func reportOf(node *v1alpha1.BGPNode) reportedNode {
	report := reportedNode{lacks: lackOf(&node.Status)}
	if draining := meta.FindStatusCondition(node.Status.Conditions, v1alpha1.ConditionDraining); draining != nil && draining.Status == metav1.ConditionTrue {
		report.drains, report.since = true, draining.LastTransitionTime.Time
	}
	return report
}

// lackOf: one whose FRR refuses what it should do, or whose dataplane or relay isn't ready
// yet for what it should announce, takes nothing over.
func lackOf(status *v1alpha1.BGPNodeStatus) snapshot.Lack {
	switch {
	case !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady):
		return snapshot.LackReady
	case !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionProgrammed):
		return snapshot.LackProgrammed
	case status.HeldBack != nil,
		slices.ContainsFunc(status.Issues, func(i v1alpha1.NodeIssue) bool { return i.Reason == v1alpha1.ReasonRelayPending }):
		return snapshot.LackDataplane
	}
	return snapshot.LackNothing
}
