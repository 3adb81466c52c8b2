package main

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
)

// firstFakeNode is the address of the first Node that doesn't run.
var firstFakeNode = netip.MustParseAddr("10.128.0.1")

const systemNamespace = "herald-system"

// setNodes brings the number of nodes that aren't real to n, with what their agents
// would have written.
func (s *scaleSite) setNodes(ctx context.Context, n int) error {
	if n < len(s.names) {
		gone := s.names[n:]
		s.names = s.names[:n:n]
		return s.each(ctx, gone, s.removeNode)
	}
	var more []string
	for i := len(s.names); i < n; i++ {
		more = append(more, fmt.Sprintf("fake%04d", i))
	}
	s.names = append(s.names, more...)
	return s.each(ctx, more, s.createNode)
}

func (s *scaleSite) removeNode(ctx context.Context, name string) error {
	for _, object := range fakeObjects(name) {
		if err := s.lab.API().Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("%T %s: %w", object, name, err)
		}
	}
	return nil
}

// fakeObjects are a Node, its agent's pod, and what its agent writes.
func fakeObjects(name string) []crclient.Object {
	return []crclient.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: systemNamespace, Name: "herald-agent-" + name,
				Labels: map[string]string{install.PartOfLabel: install.PartOf, install.ComponentLabel: install.ComponentAgent},
			},
			Spec: corev1.PodSpec{
				NodeName: name, HostNetwork: true, ServiceAccountName: "herald-agent",
				AutomountServiceAccountToken: new(bool),
				Containers:                   []corev1.Container{{Name: "agent", Image: "herald"}},
			},
		},
		&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&v1alpha1.BGPSession{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SessionName(name, routerName)},
			Spec:       v1alpha1.BGPSessionSpec{Node: name, Peer: routerName},
		},
	}
}

func (s *scaleSite) createNode(ctx context.Context, name string) error {
	for _, object := range fakeObjects(name) {
		if err := s.lab.API().Create(ctx, object); err != nil {
			return fmt.Errorf("%T %s: %w", object, name, err)
		}
		before := object.DeepCopyObject().(crclient.Object)
		fakeStatus(object)
		if err := s.lab.API().Status().Patch(ctx, object, crclient.MergeFrom(before)); err != nil {
			return fmt.Errorf("status of %T %s: %w", object, name, err)
		}
	}
	return nil
}

// fakeStatus is that of a node on which all is well.
func fakeStatus(object crclient.Object) {
	now := metav1.Now()
	switch o := object.(type) {
	case *corev1.Node:
		var number int
		_, _ = fmt.Sscanf(o.Name, "fake%d", &number) // names are made above
		address := firstFakeNode
		for range number {
			address = address.Next()
		}
		o.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.String()}}
		o.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	case *corev1.Pod:
		o.Status.Phase = corev1.PodRunning
		o.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	case *v1alpha1.BGPNode:
		o.Status.FRRVersion, o.Status.DesiredHash, o.Status.AppliedHash = "10.3", "same", "same"
		o.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied, LastTransitionTime: now},
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReporting, LastTransitionTime: now},
		}
	case *v1alpha1.BGPSession:
		o.Status.State, o.Status.Since = v1alpha1.SessionEstablished, &now
	}
}

// setSession is what the agent of a node would write of its session.
func (s *scaleSite) setSession(ctx context.Context, name string, state v1alpha1.SessionState) error {
	session := &v1alpha1.BGPSession{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SessionName(name, routerName)}}
	if err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(session), session); err != nil {
		return err
	}
	before, now := session.DeepCopy(), metav1.Now()
	session.Status.State, session.Status.Since = state, &now
	return s.lab.API().Status().Patch(ctx, session, crclient.MergeFrom(before))
}
