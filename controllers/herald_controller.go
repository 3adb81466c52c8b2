package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/controllers/status"
)

// fieldManager owns the fields of what is applied.
const fieldManager = client.FieldOwner("herald-manager")

// heraldReconciler makes the DaemonSets of the Herald object, and says how they do.
type heraldReconciler struct {
	client client.Client
	live   client.Reader
	self   install.Self
	// refuse ends this manager: Herald runs from another namespace.
	refuse func(error)
	pace   pace
	// applied is what each DaemonSet was made of, and which generation that gave:
	// as long as both stand there is nothing to apply.
	applied map[string]appliedSet
	// leaving is since when the relays take their rules away.
	leaving time.Time
}

type appliedSet struct {
	hash       string
	generation int64
}

func (r *heraldReconciler) setup(mgr ctrl.Manager) error {
	r.applied = map[string]appliedSet{}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Name: v1alpha1.HeraldName}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("herald").
		For(&v1alpha1.Herald{}).
		Watches(&appsv1.DaemonSet{}, one).
		Watches(&appsv1.Deployment{}, one).
		Watches(&corev1.Pod{}, one).
		Watches(&v1alpha1.BGPNode{}, one).
		Complete(r)
}

// Reconcile makes the cluster have what the Herald object says.
func (r *heraldReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	// 1. The object. The API server takes no other name.
	herald := &v1alpha1.Herald{}
	if err := r.client.Get(ctx, request.NamespacedName, herald); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	// 2. Whose it is.
	if err := checkSole(ctx, r.client, herald, r.self.Namespace); err != nil {
		r.refuse(err)
		return ctrl.Result{}, nil
	}
	if wait := r.pace.take(request.NamespacedName); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	// 3. What is there.
	seen, err := r.look(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	// 4. Make it, or take it away.
	var result ctrl.Result
	if herald.DeletionTimestamp.IsZero() {
		err = r.install(ctx, herald, seen)
	} else {
		result, err = r.uninstall(ctx, herald, seen)
	}
	// 5. Say how it went.
	return result, errors.Join(err, r.writeStatus(ctx, herald, seen))
}

// look reads all that the status is made of.
func (r *heraldReconciler) look(ctx context.Context) (*status.Installation, error) {
	seen := &status.Installation{Self: r.self}
	sets, deployments := &appsv1.DaemonSetList{}, &appsv1.DeploymentList{}
	pods, nodes := &corev1.PodList{}, &v1alpha1.BGPNodeList{}
	for what, list := range map[string]client.ObjectList{"DaemonSets": sets, "Deployments": deployments, "pods": pods, "BGPNodes": nodes} {
		if err := r.client.List(ctx, list); err != nil {
			return nil, fmt.Errorf("list of %s: %w", what, err)
		}
	}
	seen.Agent, seen.FRR = setOf(sets, r.self.Namespace, install.Agent), setOf(sets, r.self.Namespace, install.FRR)
	seen.Pods, seen.Nodes = pods.Items, nodes.Items
	seen.Others = others(r.self.Namespace, sets, deployments)
	return seen, nil
}

func setOf(list *appsv1.DaemonSetList, namespace, name string) *appsv1.DaemonSet {
	for i := range list.Items {
		if list.Items[i].Namespace == namespace && list.Items[i].Name == name {
			return &list.Items[i]
		}
	}
	return nil
}

// install applies both DaemonSets, FRR's first: the agents are of no use before.
func (r *heraldReconciler) install(ctx context.Context, herald *v1alpha1.Herald, seen *status.Installation) error {
	r.leaving = time.Time{}
	wanted, err := install.Of(herald, r.self)
	if errors.Is(err, install.ErrNoImage) {
		seen.Problem, seen.Reason = err, v1alpha1.ReasonNoImage
		return nil // until the object is changed
	}
	if err != nil {
		return err
	}
	seen.Wanted = wanted
	if err := errors.Join(r.hold(ctx, herald), r.claim(ctx, herald)); err != nil {
		return err
	}
	return errors.Join(r.apply(ctx, wanted.FRR, seen.FRR, seen), r.apply(ctx, wanted.Agent, seen.Agent, seen))
}

// hold puts the finalizer on the object, before anything is made of it.
func (r *heraldReconciler) hold(ctx context.Context, herald *v1alpha1.Herald) error {
	before := herald.DeepCopy()
	if !controllerutil.AddFinalizer(herald, v1alpha1.HeraldFinalizer) {
		return nil
	}
	return r.patchFinalizers(ctx, herald, before)
}

// claim says in the status that the installation is this manager's, before anything
// is made: of two managers one is refused.
func (r *heraldReconciler) claim(ctx context.Context, herald *v1alpha1.Herald) error {
	if herald.Status.Namespace == r.self.Namespace {
		return nil
	}
	before := herald.DeepCopy()
	herald.Status.Namespace = r.self.Namespace
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := patchStatus(ctx, r.client, herald, patch); err != nil {
		return fmt.Errorf("the Herald object: claim: %w", err)
	}
	return nil
}

func (r *heraldReconciler) patchFinalizers(ctx context.Context, herald, before *v1alpha1.Herald) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, herald, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the Herald object: finalizer: %w", err)
	}
	return nil
}

// apply makes a DaemonSet what is wanted, if it isn't.
func (r *heraldReconciler) apply(ctx context.Context, wanted *appsac.DaemonSetApplyConfiguration, now *appsv1.DaemonSet, seen *status.Installation) error {
	name, hash := *wanted.Name, hashOf(wanted)
	if now != nil && r.applied[name] == (appliedSet{hash, now.Generation}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.client.Apply(ctx, wanted, fieldManager, client.ForceOwnership); err != nil {
		seen.Problem = fmt.Errorf("DaemonSet %s/%s: %w; what ran before goes on", r.self.Namespace, name, err)
		seen.Reason = v1alpha1.ReasonInstallFailed
		return seen.Problem
	}
	made := &appsv1.DaemonSet{}
	if err := r.live.Get(ctx, client.ObjectKey{Namespace: r.self.Namespace, Name: name}, made); err != nil {
		return fmt.Errorf("DaemonSet %s: %w", name, err)
	}
	if now == nil || now.Generation != made.Generation {
		ctrl.LoggerFrom(ctx).Info("DaemonSet applied", "daemonset", name, "generation", made.Generation)
	}
	r.applied[name] = appliedSet{hash, made.Generation}
	return nil
}

func (r *heraldReconciler) writeStatus(ctx context.Context, herald *v1alpha1.Herald, seen *status.Installation) error {
	next := status.HeraldStatus(herald, seen)
	if equality.Semantic.DeepEqual(herald.Status, next) {
		return nil
	}
	base := herald.DeepCopy()
	herald.Status = next
	// A list of conditions is replaced as a whole.
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := patchStatus(ctx, r.client, herald, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the Herald object: status: %w", err)
	}
	return nil
}

// again is when to look at what is being removed.
const again = time.Second

// uninstall removes what was made, if that may be: the relays' rules, agents, then
// FRR, then what they have reported, then the finalizer.
func (r *heraldReconciler) uninstall(ctx context.Context, herald *v1alpha1.Herald, seen *status.Installation) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(herald, v1alpha1.HeraldFinalizer) {
		return ctrl.Result{}, nil
	}
	if seen.Announcing() && herald.Annotations[v1alpha1.AnnotationConfirmDelete] != "true" && (seen.FRR != nil || seen.Agent != nil) {
		seen.Problem, seen.Reason = errDeletionRefused, v1alpha1.ReasonDeletionRefused
		return ctrl.Result{}, nil // until it is confirmed, or nothing is announced
	}
	seen.Problem, seen.Reason = errDeleting, v1alpha1.ReasonDeleting
	if waits, err := r.relaysLeave(ctx, herald, seen); err != nil || waits {
		return ctrl.Result{RequeueAfter: again}, err
	}
	for _, set := range []*appsv1.DaemonSet{seen.Agent, seen.FRR} {
		if set != nil {
			delete(r.applied, set.Name)
			if set.DeletionTimestamp.IsZero() {
				if err := removeWith(ctx, r.client, set, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
					return ctrl.Result{}, fmt.Errorf("DaemonSet %s: delete: %w", set.Name, err)
				}
			}
			return ctrl.Result{RequeueAfter: again}, nil
		}
	}
	for i := range seen.Nodes {
		if err := remove(ctx, r.client, &seen.Nodes[i]); err != nil {
			return ctrl.Result{}, fmt.Errorf("BGPNode %q: delete: %w", seen.Nodes[i].Name, err)
		}
	}
	before := herald.DeepCopy()
	controllerutil.RemoveFinalizer(herald, v1alpha1.HeraldFinalizer)
	return ctrl.Result{}, r.patchFinalizers(ctx, herald, before)
}

var (
	errDeletionRefused = fmt.Errorf(
		"nodes announce prefixes, and deleting this object would withdraw all: set its annotation %s: \"true\" to have that; until then everything goes on",
		v1alpha1.AnnotationConfirmDelete)
	errDeleting = errors.New("the DaemonSets are being removed")
)
