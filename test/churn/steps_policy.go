package churn

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

const (
	mostAdvertisements = 5
	mostProfiles       = 3
	zone               = "churn.example/zone"
)

var zones = []string{"east", "west"}

func zoneSelector(value string) []metav1.LabelSelector {
	return []metav1.LabelSelector{{MatchLabels: map[string]string{zone: value}}}
}

func (c *churn) createAdvertisement(ctx context.Context) (string, error) {
	if len(c.adverts) >= mostAdvertisements {
		return "", nil
	}
	a := lab.Advertisement(c.newName("a"))
	what := c.fillAdvertisement(&a.Spec)
	c.adverts[a.Name] = true
	return fmt.Sprintf("create BGPAdvertisement %s %s", a.Name, what), c.lab.Create(ctx, a)
}

func (c *churn) changeAdvertisement(ctx context.Context) (string, error) {
	name := c.one(c.adverts)
	if name == "" {
		return "", nil
	}
	a := lab.Advertisement(name)
	var spec v1alpha1.BGPAdvertisementSpec
	what := c.fillAdvertisement(&spec)
	return fmt.Sprintf("change BGPAdvertisement %s %s", name, what), edit(ctx, c, a, func(a *v1alpha1.BGPAdvertisement) { a.Spec = spec })
}

func (c *churn) deleteAdvertisement(ctx context.Context) (string, error) {
	name := c.one(c.adverts)
	if name == "" {
		return "", nil
	}
	delete(c.adverts, name)
	return "delete BGPAdvertisement " + name, c.lab.Delete(ctx, lab.Advertisement(name))
}

// fillAdvertisement draws a spec and describes it.
func (c *churn) fillAdvertisement(spec *v1alpha1.BGPAdvertisementSpec) string {
	if c.chance(20) {
		spec.IPAddressPools = []string{pick(c, "first", "second")}
	}
	if c.chance(40) {
		spec.ServiceSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{tier: pick(c, tiers...)}}}
	}
	if c.chance(30) {
		spec.NodeSelectors = zoneSelector(pick(c, zones...))
	}
	if c.chance(40) {
		spec.Peers = []string{pick(c, c.allPeers()...)}
		if other := pick(c, c.allPeers()...); other != spec.Peers[0] {
			spec.Peers = append(spec.Peers, other)
		}
	}
	spec.AggregationLength, spec.AggregationLengthV6 = ptr.To(pick(c, int32(32), 32, 28, 26)), ptr.To(pick(c, int32(128), 128, 124))
	for _, value := range []v1alpha1.CommunityValue{"64512:1", "64512:2", "no-export", "64512:1:2"} {
		if c.chance(30) {
			spec.Communities = append(spec.Communities, value)
		}
	}
	if c.chance(40) {
		spec.MED = ptr.To(pick(c, int64(0), 10, 20))
	}
	if c.chance(30) {
		spec.ASPathPrepend = ptr.To(pick(c, int32(0), 1, 3))
	}
	return fmt.Sprintf("pools %v services %v nodes %v peers %v lengths %d %d communities %v med %v prepend %v", spec.IPAddressPools, texts(spec.ServiceSelectors),
		texts(spec.NodeSelectors), spec.Peers, *spec.AggregationLength, *spec.AggregationLengthV6, spec.Communities, text(spec.MED), text(spec.ASPathPrepend))
}

func text[T any](value *T) string {
	if value == nil {
		return "unset"
	}
	return fmt.Sprint(*value)
}

func texts(selectors []metav1.LabelSelector) []string {
	var all []string
	for i := range selectors {
		all = append(all, metav1.FormatLabelSelector(&selectors[i]))
	}
	return all
}

func (c *churn) createPeer(ctx context.Context, name string) error {
	r, family := c.ends(name)
	peer := c.lab.Peer(r.Config().Name, family)
	peer.Name = name
	c.peers[name] = true
	return c.lab.Create(ctx, peer)
}

func (c *churn) deletePeer(ctx context.Context) (string, error) {
	name := c.one(c.peers)
	if name == "" {
		return "", nil
	}
	delete(c.peers, name)
	return "delete BGPPeer " + name, c.lab.Delete(ctx, peerNamed(name))
}

func (c *churn) restorePeer(ctx context.Context) (string, error) {
	name := pick(c, c.allPeers()...)
	if c.peers[name] {
		return "", nil
	}
	if err := c.setRouterKey(name, ""); err != nil {
		return name, err
	}
	return "create BGPPeer " + name, c.createPeer(ctx, name)
}

func (c *churn) selectNodes(ctx context.Context) (string, error) {
	name, value := c.one(c.peers), pick(c, append([]string{""}, zones...)...)
	if name == "" {
		return "", nil
	}
	return fmt.Sprintf("change BGPPeer %s: zone %q", name, value), edit(ctx, c, peerNamed(name), func(p *v1alpha1.BGPPeer) {
		if p.Spec.NodeSelectors = nil; value != "" {
			p.Spec.NodeSelectors = zoneSelector(value)
		}
	})
}

// changeTimers and the labels: no session is reset by that.
func (c *churn) changeTimers(ctx context.Context) (string, error) {
	name := c.one(c.peers)
	if name == "" {
		return "", nil
	}
	hold, keepalive := pick(c, 30, 60, 90), pick(c, 5, 10)
	return fmt.Sprintf("change BGPPeer %s: hold %d keepalive %d", name, hold, keepalive), edit(ctx, c, peerNamed(name), func(p *v1alpha1.BGPPeer) {
		p.Labels = map[string]string{"hold": fmt.Sprint(hold)}
		p.Spec.HoldTime = &metav1.Duration{Duration: time.Duration(hold) * time.Second}
		p.Spec.KeepaliveTime = &metav1.Duration{Duration: time.Duration(keepalive) * time.Second}
	})
}

// profileOf is a BFDProfile with intervals that hold on a busy machine.
func (c *churn) profileOf(name string) *v1alpha1.BFDProfile {
	interval := pick(c, int32(2000), 2500, 3000)
	return &v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.BFDProfileSpec{
		ReceiveInterval: ptr.To(interval), TransmitInterval: ptr.To(interval), DetectMultiplier: ptr.To(pick(c, int32(10), 12)),
	}}
}

func (c *churn) createProfile(ctx context.Context) (string, error) {
	name := fmt.Sprint("b-", c.random.Intn(mostProfiles))
	if c.profiles[name] {
		return "", nil
	}
	c.profiles[name] = true
	return "create BFDProfile " + name, c.lab.Create(ctx, c.profileOf(name))
}

func (c *churn) changeProfile(ctx context.Context) (string, error) {
	name := c.one(c.profiles)
	if name == "" {
		return "", nil
	}
	spec := c.profileOf(name).Spec
	return fmt.Sprintf("change BFDProfile %s: %d ms", name, *spec.ReceiveInterval),
		edit(ctx, c, c.profileOf(name), func(p *v1alpha1.BFDProfile) { p.Spec = spec })
}

func (c *churn) deleteProfile(ctx context.Context) (string, error) {
	name := c.one(c.profiles)
	if name == "" {
		return "", nil
	}
	delete(c.profiles, name)
	return "delete BFDProfile " + name, c.lab.Delete(ctx, &v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// changeBFD of a peer whose router knows BFD. The profile may not be there (yet).
func (c *churn) changeBFD(ctx context.Context) (string, error) {
	name, profile := c.one(c.peers), fmt.Sprint("b-", c.random.Intn(mostProfiles+1))
	if name == "" {
		return "", nil
	}
	if r, _ := c.ends(name); !listensForBFD(r) {
		return "", nil
	}
	if profile == fmt.Sprint("b-", mostProfiles) {
		profile = ""
	}
	return fmt.Sprintf("change BGPPeer %s: BFD %q", name, profile), edit(ctx, c, peerNamed(name), func(p *v1alpha1.BGPPeer) { p.Spec.BFDProfile = profile })
}

func (c *churn) changeZone(ctx context.Context) (string, error) {
	node, value := c.node(), pick(c, zones...)
	return fmt.Sprintf("label %s: zone %s", node, value), c.lab.LabelNode(ctx, node, map[string]string{zone: value})
}

func (c *churn) changeExclusion(ctx context.Context) (string, error) {
	node, value := c.node(), pick(c, "", "", "true")
	return fmt.Sprintf("label %s: excluded %q", node, value), c.lab.LabelNode(ctx, node, map[string]string{corev1.LabelNodeExcludeBalancers: value})
}

// setPassword gives a peer a Secret of its own, or takes it away; the router follows.
func (c *churn) setPassword(ctx context.Context) (string, error) {
	name, with := c.one(c.peers), c.chance(60)
	if name == "" {
		return "", nil
	}
	if r, _ := c.ends(name); !takesKeys(r) {
		return "", nil
	}
	if !with {
		if err := c.setRouterKey(name, ""); err != nil {
			return name, err
		}
		return fmt.Sprintf("change BGPPeer %s: no password", name), edit(ctx, c, peerNamed(name), func(p *v1alpha1.BGPPeer) { p.Spec.PasswordSecret = nil })
	}
	secret, err := c.writeSecret(ctx, name)
	if err == nil {
		err = edit(ctx, c, peerNamed(name), func(p *v1alpha1.BGPPeer) { p.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: secret} })
	}
	return fmt.Sprintf("change BGPPeer %s: password of Secret %s", name, secret), err
}

// rotatePassword, or restore a Secret that was removed.
func (c *churn) rotatePassword(ctx context.Context) (string, error) {
	name := c.one(c.peers)
	if name == "" {
		return "", nil
	}
	if r, _ := c.ends(name); !takesKeys(r) {
		return "", nil
	}
	peer := peerNamed(name)
	if err := c.lab.API().Get(ctx, keyOf(peer), peer); err != nil {
		return name, err
	}
	if peer.Spec.PasswordSecret == nil {
		return "", nil
	}
	secret, err := c.writeSecret(ctx, name)
	return "rotate Secret " + secret, err
}

func (c *churn) removeSecret(ctx context.Context) (string, error) {
	name := c.one(c.secrets)
	if name == "" {
		return "", nil
	}
	delete(c.secrets, name)
	return "delete Secret " + name, c.lab.Delete(ctx, secretNamed(name))
}

// writeSecret with a new password, and give it to the router, in either order.
func (c *churn) writeSecret(ctx context.Context, peer string) (string, error) {
	name := "of-" + peer
	password := c.newName(passwordMark)
	write := func() error {
		secret := secretNamed(name)
		secret.Type, secret.StringData = corev1.SecretTypeBasicAuth, map[string]string{corev1.BasicAuthPasswordKey: password}
		if c.secrets[name] {
			return edit(ctx, c, secretNamed(name), func(s *corev1.Secret) { s.StringData = secret.StringData })
		}
		c.secrets[name] = true
		return c.lab.Create(ctx, secret)
	}
	first := []func() error{write, func() error { return c.setRouterKey(peer, password) }}
	if c.chance(50) {
		slices.Reverse(first)
	}
	for _, do := range first {
		if err := do(); err != nil {
			return name, err
		}
	}
	return name, nil
}
