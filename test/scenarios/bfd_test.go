package scenarios

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
)

// The router of make FRR runs BFD here; it is asked what its end says.

var _ = Describe("BFD", func() {
	It("B1 B3 V8 S8 added to live sessions it is up at both ends, follows its profile, and takes a session down in time", func(ctx SpecContext) {
		tor := router.Instance(site.Router("tor-a"))
		bfdAtRouter(tor, true)
		DeferCleanup(func() { bfdAtRouter(tor, false) })
		profile := &v1alpha1.BFDProfile{
			ObjectMeta: metav1.ObjectMeta{Name: "fast"},
			Spec:       v1alpha1.BFDProfileSpec{DetectMultiplier: ptr.To(int32(router.BFDMultiplier))},
		}
		create(ctx, profile)

		By("adding it to live sessions, none of which is reset")
		peer := steadyPeer("tor-a", router.IPv4)
		update(ctx, peer, func(p *v1alpha1.BGPPeer) { p.Spec.BFDProfile = "fast" })
		for _, n := range allNodes {
			Eventually(ctx, bfdAtRouterOf).WithArguments(tor, n).Should(HaveField("Status", "up"), n)
			Eventually(ctx, bfdOfSession).WithArguments(ctx, n, "tor-a").Should(Equal(v1alpha1.BFDUp), n)
			Eventually(ctx, bfdAtRouterOf).WithArguments(tor, n).Should(HaveField("Multiplier", router.BFDMultiplier), n)
		}
		expectNoReset(ctx)

		By("editing the profile")
		update(ctx, profile, func(p *v1alpha1.BFDProfile) {
			p.Spec.DetectMultiplier, p.Spec.TransmitInterval, p.Spec.ReceiveInterval = ptr.To(int32(router.BFDMultiplier+5)), ptr.To(int32(200)), ptr.To(int32(250))
		})
		for _, n := range allNodes {
			Eventually(ctx, bfdAtRouterOf).WithArguments(tor, n).Should(And(
				HaveField("Status", "up"), HaveField("Multiplier", router.BFDMultiplier+5), HaveField("Transmit", 200), HaveField("Receive", 250)), n)
		}
		expectNoReset(ctx)

		By("cutting the path")
		mayReset("node2")
		Expect(site.SetCable("node2", false)).To(Succeed())
		DeferCleanup(func() { _ = site.SetCable("node2", true) })
		Eventually(ctx, func() (string, error) {
			s, err := sessionOf(ctx, "tor-a", "node2", router.IPv4)
			return s.State, err
		}).WithTimeout(quick).ShouldNot(Equal(router.Established))
		Expect(site.SetCable("node2", true)).To(Succeed())
		Eventually(ctx, bfdAtRouterOf).WithArguments(tor, "node2").Should(HaveField("Status", "up"))
		expectNoReset(ctx)

		By("deleting the last profile")
		mayReset("tor-a") // the router still runs BFD and may take the end for a failure
		remove(ctx, profile)
		inAllConfigs(ctx, "profile fast", false)
		inAllConfigs(ctx, "neighbor "+peer.Spec.PeerAddress+" bfd", false)
		Eventually(ctx, func() (string, error) {
			err := site.API().Get(ctx, crclient.ObjectKeyFromObject(peer), peer)
			return conditionText(peer.Status.Conditions, v1alpha1.ConditionAccepted), err
		}).Should(ContainSubstring(v1alpha1.ReasonBFDProfileNotFound))
		bfdAtRouter(tor, false)
		Eventually(ctx, establishedWith).WithArguments(ctx, site, site.Router("tor-a"), router.IPv4).Should(HaveLen(len(allNodes)))
	}, SpecTimeout(specTimeout))
})

// bfdAtRouter switches BFD on or off for the router's sessions over IPv4.
func bfdAtRouter(tor *frr.Instance, on bool) {
	GinkgoHelper()
	no := "no "
	if on {
		no = ""
	}
	args := []string{
		"-c", "configure terminal", "-c", "bfd", "-c", "profile lab", "-c", fmt.Sprint("detect-multiplier ", router.BFDMultiplier), "-c", "exit", "-c", "exit",
		"-c", fmt.Sprintf("router bgp %d", lab.DefaultRouterASN),
	}
	for _, addr := range site.NodeAddresses(router.IPv4) {
		args = append(args, "-c", fmt.Sprintf("%sneighbor %s bfd", no, addr))
		if on {
			args = append(args, "-c", fmt.Sprintf("neighbor %s bfd profile lab", addr))
		}
	}
	_, err := tor.Vtysh(args...)
	Expect(err).NotTo(HaveOccurred())
}

// bfdPath is the router's end: what it hears from the node.
type bfdPath struct {
	Peer       string `json:"peer"`
	Status     string `json:"status"`
	Multiplier int    `json:"remote-detect-multiplier"`
	Transmit   int    `json:"remote-transmit-interval"`
	Receive    int    `json:"remote-receive-interval"`
}

func bfdAtRouterOf(tor *frr.Instance, nodeName string) (bfdPath, error) {
	out, err := tor.Show("bfdd", "show bfd peers json")
	if err != nil {
		return bfdPath{}, err
	}
	var paths []bfdPath
	if err := json.Unmarshal([]byte(out), &paths); err != nil {
		return bfdPath{}, err
	}
	for _, p := range paths {
		if p.Peer == site.NodeAddresses(router.IPv4, nodeName)[0].String() {
			return p, nil
		}
	}
	return bfdPath{}, nil
}

// bfdOfSession is the state in the BGPSession.
func bfdOfSession(ctx context.Context, nodeName, peer string) (v1alpha1.BFDState, error) {
	var session v1alpha1.BGPSession
	err := site.API().Get(ctx, crclient.ObjectKey{Name: v1alpha1.SessionName(nodeName, peer)}, &session)
	if err != nil || session.Status.BFD == nil {
		return "", err
	}
	return session.Status.BFD.State, nil
}
