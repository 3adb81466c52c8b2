package lab

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/node"
)

// createNode writes the Node object that a kubelet would.
func (l *Lab) createNode(ctx context.Context, cfg node.Config) error {
	obj := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   cfg.Name,
			Labels: map[string]string{corev1.LabelHostname: cfg.Name, corev1.LabelOSStable: "linux"},
		},
		Spec: corev1.NodeSpec{
			PodCIDR: cfg.PodCIDR4.String(), PodCIDRs: []string{cfg.PodCIDR4.String(), cfg.PodCIDR6.String()},
		},
	}
	if err := l.API().Create(ctx, obj); err != nil {
		return fmt.Errorf("node %q: %w", cfg.Name, err)
	}
	before := obj.DeepCopy()
	obj.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: cfg.IPv4.String()},
		{Type: corev1.NodeInternalIP, Address: cfg.IPv6.String()},
		{Type: corev1.NodeHostName, Address: cfg.Name},
	}
	obj.Status.Conditions = []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()},
	}
	return l.API().Status().Patch(ctx, obj, crclient.MergeFrom(before))
}

// updateNodeStatus writes what a kubelet knows only after the boot.
func (l *Lab) updateNodeStatus(ctx context.Context, n *node.Node) error {
	var obj corev1.Node
	if err := l.API().Get(ctx, crclient.ObjectKey{Name: n.Name()}, &obj); err != nil {
		return err
	}
	before := obj.DeepCopy()
	obj.Status.NodeInfo.BootID = n.BootID()
	return l.API().Status().Patch(ctx, &obj, crclient.MergeFrom(before))
}

// Reboot cuts a node's power and boots it again with another boot id. Containers
// named are not started: see node.StartContainer.
func (l *Lab) Reboot(ctx context.Context, name string, without ...string) error {
	n := l.Node(name)
	n.Crash()
	if err := n.Boot(without...); err != nil {
		return err
	}
	return l.updateNodeStatus(ctx, n)
}

// LabelNode sets labels of a Node; an empty value removes the label.
func (l *Lab) LabelNode(ctx context.Context, name string, labels map[string]string) error {
	return l.patchNode(ctx, name, func(obj *corev1.Node) { obj.Labels = merged(obj.Labels, labels) })
}

// AnnotateNode sets annotations of a Node; an empty value removes the annotation.
func (l *Lab) AnnotateNode(ctx context.Context, name string, annotations map[string]string) error {
	return l.patchNode(ctx, name, func(obj *corev1.Node) { obj.Annotations = merged(obj.Annotations, annotations) })
}

func (l *Lab) patchNode(ctx context.Context, name string, change func(*corev1.Node)) error {
	var obj corev1.Node
	if err := l.API().Get(ctx, crclient.ObjectKey{Name: name}, &obj); err != nil {
		return err
	}
	before := obj.DeepCopy()
	change(&obj)
	return l.API().Patch(ctx, &obj, crclient.MergeFrom(before))
}

func merged(into, values map[string]string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	for key, value := range values {
		if value == "" {
			delete(into, key)
		} else {
			into[key] = value
		}
	}
	return into
}
