package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/controllers/status"
)

// silentGrace is how long an agent's pod may be not ready before its node is said
// to be without an agent: an agent that is restarted takes less.
const silentGrace = 5 * time.Second

// podNode is the field that agents' pods are indexed by.
const podNode = "spec.nodeName"

// agentPods are the labels of the pods of the agent's DaemonSet.
var agentPods = client.MatchingLabels{install.PartOfLabel: install.PartOf, install.ComponentLabel: install.ComponentAgent}

// nodeStatusReconciler looks after BGPNodes where no agent does: it removes
// those whose Node is gone, and says of the others when no agent vouches for
// them. The agent's pod tells that (architecture: no heartbeat is written).
type nodeStatusReconciler struct {
	client client.Client
	live   client.Reader
	clock  clock.PassiveClock

	mu sync.Mutex
	// absent is since when a node has had no agent's pod at all.
	absent map[string]time.Time
}

func (r *nodeStatusReconciler) setup(mgr ctrl.Manager) error {
	node := func(object client.Object) []string {
		if pod, ok := object.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			return []string{pod.Spec.NodeName}
		}
		return nil
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &corev1.Pod{}, podNode, node); err != nil {
		return err
	}
	byNode := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, pod client.Object) []ctrl.Request {
		var requests []ctrl.Request
		for _, name := range node(pod) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKey{Name: name}})
		}
		return requests
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("bgpnode").
		For(&v1alpha1.BGPNode{}, builder.WithPredicates(specChanged())).
		Watches(&corev1.Node{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(onlyDeletes)). // of the same name
		Watches(&corev1.Pod{}, byNode).
		Complete(r)
}

// Reconcile removes one BGPNode if its Node is gone, and marks it if its agent
// is silent.
func (r *nodeStatusReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	node := &v1alpha1.BGPNode{}
	if err := r.client.Get(ctx, request.NamespacedName, node); err != nil {
		r.forget(request.Name)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	gone, err := isGone(ctx, r.client, r.live, &corev1.Node{}, node.Name)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("BGPNode %q: %w", node.Name, err)
	}
	if !gone {
		return r.vouch(ctx, node)
	}
	r.forget(node.Name)
	ctrl.LoggerFrom(ctx).Info("removing BGPNode: its Node is gone")
	if err := remove(ctx, r.client, node); err != nil {
		return ctrl.Result{}, fmt.Errorf("BGPNode %q: delete: %w", node.Name, err)
	}
	return ctrl.Result{}, nil
}

// vouch marks a BGPNode whose agent has been silent for a while. Taking the mark
// away is the agent's: it puts right what others write.
func (r *nodeStatusReconciler) vouch(ctx context.Context, node *v1alpha1.BGPNode) (ctrl.Result, error) {
	pods := &corev1.PodList{}
	if err := r.client.List(ctx, pods, client.MatchingFields{podNode: node.Name}, agentPods); err != nil {
		return ctrl.Result{}, fmt.Errorf("pods of the agent on node %q: %w", node.Name, err)
	}
	silence := r.silence(node.Name, status.SilenceOf(pods.Items))
	if silence == nil {
		return ctrl.Result{}, nil
	}
	if left := silence.Since.Add(silentGrace).Sub(r.clock.Now()); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	next, changed := status.Silent(node.Status, *silence, node.Generation, r.clock.Now())
	if !changed {
		return ctrl.Result{}, nil
	}
	base := node.DeepCopy()
	node.Status = next
	// A list of conditions is replaced as a whole: not what the agent wrote meanwhile.
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := patchStatus(ctx, r.client, node, patch); err != nil {
		return ctrl.Result{}, fmt.Errorf("BGPNode %q: %w", node.Name, client.IgnoreNotFound(err))
	}
	return ctrl.Result{}, nil
}

// silence adds what a pod that isn't there can't tell: since when.
func (r *nodeStatusReconciler) silence(node string, silence *status.Silence) *status.Silence {
	r.mu.Lock()
	defer r.mu.Unlock()
	if silence == nil || !silence.Since.IsZero() {
		delete(r.absent, node)
		return silence
	}
	if r.absent == nil {
		r.absent = map[string]time.Time{}
	}
	if r.absent[node].IsZero() {
		r.absent[node] = r.clock.Now()
	}
	silence.Since = r.absent[node]
	return silence
}

func (r *nodeStatusReconciler) forget(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.absent, node)
}
