package offline

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/status"
)

// States are what the agents report.
type States struct {
	Nodes    map[string]*v1alpha1.BGPNode
	Sessions map[status.SessionKey]*v1alpha1.BGPSession
}

func newStates(nodes []*v1alpha1.BGPNode, sessions []*v1alpha1.BGPSession) *States {
	s := &States{Nodes: map[string]*v1alpha1.BGPNode{}, Sessions: map[status.SessionKey]*v1alpha1.BGPSession{}}
	for _, node := range nodes {
		s.Nodes[node.Name] = node
	}
	for _, session := range sessions {
		s.Sessions[status.SessionKey{Node: session.Spec.Node, Peer: session.Spec.Peer}] = session
	}
	return s
}

// ReadStates takes BGPNodes and BGPSessions of manifests in, of several with one
// name the last. Those that can't be read are told.
func (r Reader) ReadStates(manifests []Manifest) (*States, []Problem) {
	var nodes []*v1alpha1.BGPNode
	var sessions []*v1alpha1.BGPSession
	var problems []Problem
	lists := map[metav1.GroupKind]list{
		{Group: v1alpha1.GroupName, Kind: "BGPNode"}:    typed[v1alpha1.BGPNode, *v1alpha1.BGPNode]{&nodes},
		{Group: v1alpha1.GroupName, Kind: "BGPSession"}: typed[v1alpha1.BGPSession, *v1alpha1.BGPSession]{&sessions},
	}
	for _, manifest := range manifests {
		into := lists[groupKind(manifest)]
		if into == nil {
			continue
		}
		if _, err := into.read(manifest.Object.Object); err != nil {
			problems = append(problems, Problem{Source: manifest.Source, Object: RefOf(manifest), Message: "can't be read and is left out: " + err.Error()})
		}
	}
	return newStates(nodes, sessions), problems
}

// StatesFromCluster reads them from a cluster.
func StatesFromCluster(ctx context.Context, cluster client.Reader) (*States, error) {
	var nodes []*v1alpha1.BGPNode
	var sessions []*v1alpha1.BGPSession
	err := listing[v1alpha1.BGPNodeList](ctx, cluster, func(l *v1alpha1.BGPNodeList) { nodes = pointers(l.Items) })()
	if err == nil {
		err = listing[v1alpha1.BGPSessionList](ctx, cluster, func(l *v1alpha1.BGPSessionList) { sessions = pointers(l.Items) })()
	}
	if err != nil {
		return nil, err
	}
	return newStates(nodes, sessions), nil
}
