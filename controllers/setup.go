package controllers

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/herald-lb/herald/controllers/status"
)

// setup adds all reconcilers of the manager.
func setup(mgr ctrl.Manager, annotations status.Annotations) error {
	client, live := mgr.GetClient(), mgr.GetAPIReader()
	recorder := mgr.GetEventRecorder(reportingController)
	alloc, fleet := newAllocation(), newFleet(mgr.GetCache())
	if err := fleet.watch(context.Background()); err != nil {
		return err
	}
	service := &serviceReconciler{
		client: client, live: live, alloc: alloc, writes: &trigger{}, pools: &trigger{}, tell: teller{recorder}, annotations: annotations,
	}
	for name, setup := range map[string]func(ctrl.Manager) error{
		"service":          service.setup,
		"service-status":   (&statusWriter{client: client, alloc: alloc, self: service.writes, tell: service.tell}).setup,
		"announced":        (&announcedReconciler{client: client, fleet: fleet, recorder: recorder}).setup,
		"ipaddresspool":    (&poolReconciler{client: client, alloc: alloc, self: service.pools}).setup,
		"bgppeer":          (&peerReconciler{client: client, fleet: fleet}).setup,
		"bgpadvertisement": (&advertisementReconciler{client: client, fleet: fleet}).setup,
		"community":        (&communityReconciler{client: client, fleet: fleet}).setup,
		"bfdprofile":       (&profileReconciler{client: client, fleet: fleet}).setup,
		"frrsnippet":       (&snippetReconciler{client: client, fleet: fleet}).setup,
		"bgpsession":       (&sessionReconciler{client: client, live: live}).setup,
		"bgpnode":          (&nodeStatusReconciler{client: client, live: live, clock: clock.RealClock{}}).setup,
	} {
		if err := setup(mgr); err != nil {
			return fmt.Errorf("controller %q: %w", name, err)
		}
	}
	return nil
}
