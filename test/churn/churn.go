package churn

import (
	"context"
	"fmt"
	"maps"
	"math/rand"
	"slices"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/model"
)

// churn is one run.
type churn struct {
	lab    *lab.Lab
	random *rand.Rand
	// say takes the list of steps.
	say func(format string, args ...any)

	// What earlier steps made, by name: steps are drawn from this.
	services, pods, adverts, peers, profiles, secrets map[string]bool
	born                                              int
	// mends are what ends the faults of a round.
	mends []func(context.Context) error

	// before is the world after the last step, touched the sessions that steps of
	// this round may have reset, steady how all sessions were after the last round.
	before  *world
	touched map[pair]bool
	steady  map[pair]router.Session
	// allocated is what was allocated after the last round, excuses why that may
	// have changed since.
	allocated *model.State
	excuses   model.Excuses
}

func newChurn(l *lab.Lab, seed int64, say func(string, ...any)) *churn {
	c := &churn{
		lab: l, random: rand.New(rand.NewSource(seed)), say: say, touched: map[pair]bool{}, excuses: model.NewExcuses(),
	}
	for _, names := range []*map[string]bool{&c.services, &c.pods, &c.adverts, &c.peers, &c.profiles, &c.secrets} {
		*names = map[string]bool{}
	}
	return c
}

var families = []router.Family{router.IPv4, router.IPv6}

// allPeers are the names of all BGPPeers that there can be: one per router and
// family.
func (c *churn) allPeers() []string {
	var names []string
	for _, r := range c.lab.Routers() {
		for _, family := range families {
			names = append(names, peerName(r.Config().Name, family))
		}
	}
	return names
}

func peerName(routerName string, family router.Family) string {
	return routerName + "-" + string(family)
}

// ends are the router and the family of a BGPPeer.
func (c *churn) ends(peer string) (router.Router, router.Family) {
	for _, r := range c.lab.Routers() {
		for _, family := range families {
			if peerName(r.Config().Name, family) == peer {
				return r, family
			}
		}
	}
	panic("no router for " + peer)
}

// pools, of which the second one must be asked for.
func somePools() []crclient.Object {
	second := lab.Pool("second", "198.51.100.0/26", "2001:db8:100::/122")
	no := false
	second.Spec.AutoAssign = &no
	return []crclient.Object{lab.Pool("first", "203.0.113.0/25", "2001:db8:113::/121"), second}
}

// begin makes what there is before the first step.
func (c *churn) begin(ctx context.Context) error {
	if err := c.lab.Create(ctx, somePools()...); err != nil {
		return err
	}
	for i, n := range c.lab.Nodes() {
		if err := c.lab.LabelNode(ctx, n.Name(), map[string]string{zone: zones[i%2]}); err != nil {
			return err
		}
	}
	for _, name := range c.allPeers() {
		if err := c.createPeer(ctx, name); err != nil {
			return err
		}
	}
	c.adverts["everything"] = true
	return c.lab.Create(ctx, lab.Advertisement("everything"))
}

// end removes what the steps made, and makes again what there was at the beginning.
func (c *churn) end(ctx context.Context) error {
	for _, r := range c.lab.Routers() {
		for _, family := range families {
			if err := c.setRouterKey(peerName(r.Config().Name, family), ""); err != nil {
				return err
			}
		}
	}
	for _, n := range c.lab.Nodes() {
		if err := c.lab.LabelNode(ctx, n.Name(), map[string]string{corev1.LabelNodeExcludeBalancers: ""}); err != nil {
			return err
		}
	}
	if err := c.lab.Reset(ctx); err != nil {
		return err
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	clear(c.services)
	c.allocated = nil
	return c.touchAll()
}

// touchAll excuses every session.
func (c *churn) touchAll() error {
	for _, n := range c.lab.Nodes() {
		c.touchNode(n.Name())
	}
	return nil
}

func (c *churn) touchNode(node string) {
	for _, peer := range c.allPeers() {
		c.touched[pair{node, peer}] = true
	}
}

// pick one of some values.
func pick[T any](c *churn, all ...T) T { return all[c.random.Intn(len(all))] }

// one of a set of names; "" if there is none.
func (c *churn) one(of map[string]bool) string {
	if len(of) == 0 {
		return ""
	}
	return pick(c, slices.Sorted(maps.Keys(of))...)
}

func (c *churn) node() string { return pick(c, c.lab.Nodes()...).Name() }

func (c *churn) chance(percent int) bool { return c.random.Intn(100) < percent }

// newName that nothing has had.
func (c *churn) newName(prefix string) string {
	c.born++
	return fmt.Sprintf("%s-%d", prefix, c.born)
}

// edit an object of the API by its name, changing only what the function changes.
func edit[T crclient.Object](ctx context.Context, c *churn, object T, change func(T)) error {
	if err := c.lab.API().Get(ctx, crclient.ObjectKeyFromObject(object), object); err != nil {
		return fmt.Errorf("%T %q: %w", object, object.GetName(), err)
	}
	before := object.DeepCopyObject().(T)
	change(object)
	return c.lab.API().Patch(ctx, object, crclient.MergeFrom(before))
}

func service(name string) *corev1.Service {
	s := &corev1.Service{}
	s.Namespace, s.Name = "default", name
	return s
}

func peerNamed(name string) *v1alpha1.BGPPeer {
	p := &v1alpha1.BGPPeer{}
	p.Name = name
	return p
}
