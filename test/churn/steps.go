package churn

import (
	"context"
	"fmt"
)

// step does one thing and says what. An empty answer means that there is nothing
// to do it to now.
type step struct {
	weight int
	do     func(*churn, context.Context) (what string, err error)
}

// steps are all that can happen. Their order is part of what a seed means.
var steps = []step{
	{10, (*churn).createService}, {5, (*churn).deleteService}, {3, (*churn).changeType}, {4, (*churn).changePolicy},
	{3, (*churn).changePorts}, {4, (*churn).askForAddress}, {4, (*churn).changeSharing}, {4, (*churn).changeTier},
	{8, (*churn).addPod}, {4, (*churn).removePod}, {4, (*churn).movePod}, {5, (*churn).changeReadiness},
	{4, (*churn).createAdvertisement}, {2, (*churn).deleteAdvertisement}, {7, (*churn).changeAdvertisement},
	{3, (*churn).deletePeer}, {3, (*churn).restorePeer}, {4, (*churn).selectNodes}, {4, (*churn).changeTimers},
	{3, (*churn).createProfile}, {2, (*churn).changeProfile}, {1, (*churn).deleteProfile}, {4, (*churn).changeBFD},
	{3, (*churn).setPassword}, {2, (*churn).rotatePassword}, {2, (*churn).removeSecret},
	{4, (*churn).changeZone}, {3, (*churn).changeExclusion},
	{3, (*churn).removeNetworkByHand}, {3, (*churn).addNetworkByHand}, {2, (*churn).removeNeighborByHand}, {2, (*churn).changePolicyByHand},
	{4, (*churn).killAgent}, {4, (*churn).killReloader}, {2, (*churn).killDaemon}, {2, (*churn).hangDaemon}, {2, (*churn).killFRR}, {1, (*churn).killManager},
	{1, (*churn).restartAPI}, {3, (*churn).fillDisk},
}

// firstSteps of every run: without Services and pods there is nothing to lose.
var firstSteps = []func(*churn, context.Context) (string, error){
	(*churn).addPod, (*churn).addPod, (*churn).addPod, (*churn).createService, (*churn).createService, (*churn).createService, (*churn).createService,
}

// Bounds of a round.
const (
	fewestSteps = 3
	mostSteps   = 9
)

// draw a step by its weight.
func (c *churn) draw() step {
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := c.random.Intn(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	panic("unreachable")
}

// next does one step that is drawn.
func (c *churn) next(ctx context.Context, number int) error {
	for {
		if done, err := c.takeStep(ctx, number, c.draw().do); done || err != nil {
			return err
		}
	}
}

// takeStep is false where there is nothing to do. Sessions that should be others
// after the step may be reset.
func (c *churn) takeStep(ctx context.Context, number int, do func(*churn, context.Context) (string, error)) (bool, error) {
	what, err := do(c, ctx)
	if what == "" && err == nil {
		return false, nil
	}
	c.say("%4d  %s", number, what)
	if err != nil {
		return true, fmt.Errorf("step %d (%s): %w", number, what, err)
	}
	return true, c.noteTouched(ctx)
}

// mend ends the faults.
func (c *churn) mend(ctx context.Context) error {
	for _, mend := range c.mends {
		if err := mend(ctx); err != nil {
			return err
		}
	}
	c.mends = nil
	return nil
}
