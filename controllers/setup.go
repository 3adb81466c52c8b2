package controllers

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// setup adds all reconcilers of the manager.
func setup(mgr ctrl.Manager, options Options) error {
	client, live := mgr.GetClient(), mgr.GetAPIReader()
	recorder := mgr.GetEventRecorder(reportingController)
	alloc, claim := newAllocation(), &claim{}
	service := &serviceReconciler{
		client: client, live: live, alloc: alloc, claim: claim, writes: &trigger{}, pools: &trigger{}, tell: teller{recorder}, fallback: options.Annotations,
	}
	service.heed(nil)
	fleet := newFleet(mgr.GetCache(), func(herald *v1alpha1.Herald) {
		service.heed(herald)
		heedLogLevel(herald, options.SetLogLevel)
	})
	if err := fleet.watch(context.Background()); err != nil {
		return err
	}
	if err := registerMetrics(options.Registry, mgr.GetScheme(), &clusterMetrics{client: mgr.GetCache(), alloc: alloc}); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err := tellConditions(mgr, recorder); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	refusal := refusal{reason: make(chan error, 1)}
	if err := mgr.Add(refusal); err != nil {
		return err
	}
	controllers := map[string]func(ctrl.Manager) error{
		"service":        service.setup,
		"service-status": (&statusWriter{client: client, alloc: alloc, claim: claim, self: service.writes, tell: service.tell}).setup,
		"announced":      (&announcedReconciler{client: client, fleet: fleet, claim: claim, recorder: recorder}).setup,
		"ipaddresspool":  (&poolReconciler{client: client, alloc: alloc, self: service.pools}).setup,
		"herald":         (&heraldReconciler{client: client, live: live, self: options.Self, refuse: refusal.refuse}).setup,
		"bgpsession":     (&sessionReconciler{client: client, live: live}).setup,
		"bgpnode":        (&nodeStatusReconciler{client: client, live: live, clock: clock.RealClock{}}).setup,
	}
	maps.Copy(controllers, verdicts(client, fleet))
	for name, setup := range controllers {
		if err := setup(mgr); err != nil {
			return fmt.Errorf("controller %q: %w", name, err)
		}
	}
	return nil
}

// refusal ends a manager that must not work.
type refusal struct{ reason chan error }

func (r refusal) refuse(reason error) {
	select {
	case r.reason <- reason:
	default:
	}
}

// Start waits for a reason to end.
func (r refusal) Start(ctx context.Context) error {
	select {
	case reason := <-r.reason:
		return reason
	case <-ctx.Done():
		return nil
	}
}
