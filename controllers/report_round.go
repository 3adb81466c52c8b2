package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/drain"
	"github.com/herald-lb/herald/controllers/status"
)

// nodeKey is the BGPNode's name in the Pacer; no BGPSession is called so.
const nodeKey = "/node"

// round is one round of publishing: what to say, and when to come back.
type round struct {
	pacer  *status.Pacer
	view   status.View
	owner  metav1.OwnerReference
	silent bool
	// next is when something is due that could not be written now.
	next time.Time
}

func (r *ReportReconciler) newRound() *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.Report.Observe()
	round := &round{pacer: r.Pacer, silent: r.outcome == nil || seen.Starting, view: r.view(seen)}
	if seen.Fresh || seen.Starting {
		round.comeBack(seen.StaleAt)
	}
	if relay, staleAt := r.Relay.Observe(RelayWish{}); relay != nil && (relay.Fresh || relay.Starting) {
		round.comeBack(staleAt)
	}
	if r.outcome == nil {
		return round
	}
	if r.outcome.Drain.Stage != drain.None {
		round.comeBack(round.view.Now.Add(countInterval))
		if due := round.view.DrainVerdict().Due; due.After(round.view.Now) {
			round.comeBack(due)
		}
	}
	round.view.DesiredSince = r.behindSince(&round.view)
	if grace := r.progress.since.Add(status.PendingGrace); grace.After(round.view.Now) {
		round.comeBack(grace)
	}
	if !r.holding.IsZero() {
		grace := r.holding.Add(status.GateGrace)
		round.view.HoldingBack = !grace.After(round.view.Now)
		if !round.view.HoldingBack {
			round.comeBack(grace)
		}
	}
	return round
}

// holdsBack says whether closed gates hold a Service back.
func holdsBack(result *compile.Result) bool {
	return result != nil && slices.ContainsFunc(result.Withheld, func(w compile.Withheld) bool { return w.Why == compile.WhyGateClosed })
}

// view is what is known now, but for DesiredSince. With the lock.
func (r *ReportReconciler) view(seen Observation) status.View {
	view := status.View{
		Node: r.Node, Now: r.Clock.Now(),
		Report: seen.Report, ReportError: seen.Error, Fresh: seen.Fresh,
	}
	wish := RelayWish{}
	if r.outcome != nil {
		wish = r.outcome.Relay
	}
	view.Relay, _ = r.Relay.Observe(wish)
	if r.outcome != nil {
		view.Result, view.DesiredHash = r.outcome.Result, r.outcome.Hash
		view.Drain, view.DrainLimits, view.OthersKnown = r.outcome.Drain, r.outcome.Limits, r.outcome.OthersKnown
		if r.outcome.DrainError != nil {
			view.DrainError = r.outcome.DrainError.Error()
		}
		if view.Drain.Stage != drain.None {
			view.Connections = owned(view.Relay)
		}
		if r.outcome.Error != nil {
			view.WriteError = r.outcome.Error.Error()
		}
	}
	return view
}

// View is what is known now, for metrics; false before the first compile.
func (r *ReportReconciler) View() (status.View, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view(r.Report.Observe()), r.outcome != nil
}

// behindSince is since when FRR has made no step towards what is wanted. Under
// constant change it is always a little behind and yet all is well.
func (r *ReportReconciler) behindSince(view *status.View) time.Time {
	applied := ""
	if view.Report != nil {
		applied = view.Report.AppliedHash
	}
	switch {
	case applied == view.DesiredHash:
		r.progress = progress{applied: applied}
		return view.Now
	case applied != r.progress.applied || r.progress.since.IsZero():
		r.progress = progress{applied: applied, since: view.Now}
	}
	return r.progress.since
}

func (r *round) comeBack(at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// due says whether a change may be written now; if not, the round comes back.
func (r *round) due(name string, change status.Change) bool {
	at := r.pacer.Due(name, change, r.view.Now)
	if change == status.ChangeNone {
		return false
	}
	if at.After(r.view.Now) {
		r.comeBack(at)
		return false
	}
	return true
}

func (r *round) wrote(name string, change status.Change, err error) error {
	if err == nil {
		r.pacer.Wrote(name, change, r.view.Now)
	}
	return err
}

func (r *round) result() reconcile.Result {
	if r.next.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(r.next.Sub(r.view.Now), time.Millisecond)}
}

// publishSessions writes the BGPSessions that differ and are due, and deletes
// those whose peer is gone. One that fails does not keep the others.
func (r *ReportReconciler) publishSessions(ctx context.Context, round *round) error {
	var list v1alpha1.BGPSessionList
	if err := r.Client.List(ctx, &list); err != nil {
		return fmt.Errorf("BGPSessions: %w", err)
	}
	existing := map[string]*v1alpha1.BGPSession{}
	for i := range list.Items {
		existing[list.Items[i].Name] = &list.Items[i]
	}
	var failed []error
	for _, session := range status.Sessions(round.view) {
		if err := r.publishSession(ctx, round, session, existing[session.Name]); err != nil {
			failed = append(failed, fmt.Errorf("BGPSession %q: %w", session.Name, err))
		}
		delete(existing, session.Name)
	}
	for name, object := range existing {
		if err := remove(ctx, r.Client, object); err != nil {
			failed = append(failed, fmt.Errorf("BGPSession %q: %w", name, err))
		}
		r.Pacer.Forget(name)
	}
	return errors.Join(failed...)
}

func (r *ReportReconciler) publishSession(ctx context.Context, round *round, session status.Session, object *v1alpha1.BGPSession) error {
	if object == nil {
		object = &v1alpha1.BGPSession{ObjectMeta: metaOf(session.Name, round.owner), Spec: session.Spec}
		if err := r.Client.Create(ctx, object); err != nil {
			return err
		}
	}
	next := status.SteadySession(object.Status, session.Status)
	change := status.CompareSession(object.Status, next)
	if !round.due(session.Name, change) {
		return nil
	}
	base := object.DeepCopy()
	object.Status = next
	return round.wrote(session.Name, change, patchStatus(ctx, r.Client, object, client.MergeFrom(base)))
}

func metaOf(name string, owner metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{owner}}
}

// ownedBy makes the Node the owner: with it go its objects.
func ownedBy(node *corev1.Node) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Node", Name: node.Name, UID: node.UID}
}
