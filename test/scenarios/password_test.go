package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

// Of the site whose routers want a password, listen on another port and never
// connect themselves: what is up came from the node, with its key, to that port.
const (
	otherPort       = 1790
	rightPassword   = "correct-horse"
	wrongPassword   = "battery-staple"
	rotatedPassword = "purple-elephant"
	secretName      = "tor-password"
)

var _ = Describe("Sessions with a password", Ordered, func() {
	var keyed *lab.Lab

	BeforeAll(func(ctx SpecContext) {
		options := lab.Options{Nodes: 2, NodeFRR: map[int]frr.Version{1: frr.V8_4}}
		for _, r := range lab.DefaultRouters() {
			r.Port, r.Passive, r.Password = otherPort, true, rightPassword
			options.Routers = append(options.Routers, r)
		}
		keyed = siteOf(ctx, options)
		Expect(keyed.Create(ctx, dualStack.service("web"))).To(Succeed())
		_, err := keyed.AddPod(ctx, "node1", "web", map[string]string{"app": "web"})
		Expect(err).NotTo(HaveOccurred())
		expectNoNodeAsked(ctx, keyed, "web", v1alpha1.ReasonNoAddress)
		Expect(keyed.Create(ctx, lab.Pool("public", block4, block6), lab.Advertisement("all"))).To(Succeed())
	}, NodeTimeout(suiteTimeout))

	both := func(text string) map[string]string { return map[string]string{"node1": text, "node2": text} }

	// The specs go on from each other, and may be run alone: each says what Secret
	// it begins with.
	BeforeEach(func(ctx SpecContext) {
		for _, r := range keyed.Routers() {
			for _, family := range families {
				Expect(crclient.IgnoreAlreadyExists(keyed.API().Create(ctx, keyedPeer(keyed, r.Config().Name, family)))).To(Succeed())
			}
		}
	})

	It("V3 a peer whose Secret is missing, of the wrong type or without the key is withheld and says so", func(ctx SpecContext) {
		expectRefused(ctx, keyed, v1alpha1.ReasonSecretNotFound)
		expectExplainedOf(ctx, keyed, "web", both("NotAnnounced "+v1alpha1.ReasonSecretNotFound))
		for _, secret := range []*corev1.Secret{
			passwordSecret(corev1.SecretTypeOpaque, "password", rightPassword),
			passwordSecret(corev1.SecretTypeBasicAuth, "username", rightPassword),
		} {
			Expect(keyed.Create(ctx, secret)).To(Succeed())
			expectRefused(ctx, keyed, v1alpha1.ReasonSecretInvalid)
			Expect(keyed.Delete(ctx, secret)).To(Succeed())
			expectRefused(ctx, keyed, v1alpha1.ReasonSecretNotFound)
		}
		Consistently(ctx, func(g Gomega) {
			for _, r := range keyed.Routers() {
				g.Expect(md5Failures(ctx, r)).To(BeZero(), "%s: nobody tried without or with another key", r.Config().Name)
			}
			g.Expect(establishedIn(ctx, keyed)).To(BeEmpty())
		}).Should(Succeed())
	}, SpecTimeout(specTimeout))

	It("S1 with a wrong password no session comes up", func(ctx SpecContext) {
		changePassword(ctx, keyed, wrongPassword)
		for _, r := range keyed.Routers() {
			Eventually(ctx, md5Failures).WithArguments(ctx, r).Should(BeNumerically(">", 0), "%s: the nodes try, with the wrong key", r.Config().Name)
		}
		expectExplainedOf(ctx, keyed, "web", both("NotAnnounced "+explain.ReasonSessionDown))
		Consistently(ctx, establishedIn).WithArguments(ctx, keyed).Should(BeEmpty())
	}, SpecTimeout(specTimeout))

	It("S1 eBGP over IPv4 and IPv6, with a password to another port, is Established from every node; V3 it heals", func(ctx SpecContext) {
		changePassword(ctx, keyed, rightPassword)
		for _, r := range keyed.Routers() {
			for _, family := range families {
				_, err := keyed.WaitSettled(ctx, r, family)
				Expect(err).NotTo(HaveOccurred())
				for _, addr := range keyed.NodeAddresses(family) {
					Expect(connectionsTo(ctx, r, otherPort)).To(ContainElement(addr), "%s: from the node to port %d", r.Config().Name, otherPort)
				}
			}
		}
		held, err := keyed.WaitAddress(ctx, dualStack.service("web"))
		Expect(err).NotTo(HaveOccurred())
		for _, r := range keyed.Routers() {
			for _, addr := range held {
				Expect(keyed.WaitRoutes(ctx, r, lab.HostRoute(addr), "node1", "node2")).To(Succeed())
			}
		}
	}, SpecTimeout(specTimeout))

	It("S10 peers added one by one all come up, and none disturbs those before it", func(ctx SpecContext) {
		var all []crclient.Object
		for _, r := range keyed.Routers() {
			for _, family := range families {
				all = append(all, keyedPeer(keyed, r.Config().Name, family))
			}
		}
		changePassword(ctx, keyed, rightPassword)
		Expect(keyed.Delete(ctx, all...)).To(Succeed())
		Eventually(ctx, establishedIn).WithArguments(ctx, keyed).Should(BeEmpty())
		expectExplainedOf(ctx, keyed, "web", both("NotAnnounced NoPeer"))
		wires := map[string]*wire.Capture{}
		for _, r := range keyed.Routers() {
			c, err := keyed.Capture(r.Config().Name)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(c.Close)
			wires[r.Config().Name] = c
		}
		one := []struct {
			router string
			family router.Family
		}{{"tor-b", router.IPv4}, {"tor-c", router.IPv6}, {"tor-a", router.IPv4}, {"tor-a", router.IPv6}}
		for _, add := range one {
			Expect(keyed.Create(ctx, keyedPeer(keyed, add.router, add.family))).To(Succeed())
			_, err := keyed.WaitSettled(ctx, keyed.Router(add.router), add.family)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(establishedIn(ctx, keyed)).To(HaveLen(len(one) * len(keyed.Nodes())))
		for name, c := range wires {
			Expect(messages(c, func(m wire.Message) bool { return m.Type == wire.Notification })).To(BeEmpty(), "closed at %s", name)
		}
	}, SpecTimeout(specTimeout))

	It("V3 a rotated Secret changes the key: the sessions close, and come up once the router has it too", func(ctx SpecContext) {
		rotated := []string{"tor-a", "tor-b"} // GoBGP takes up a password at its start only
		for _, name := range rotated {
			c := keyed.Router(name).Config()
			for i := range c.Neighbors {
				c.Neighbors[i].Password = rotatedPassword
			}
			Expect(keyed.Router(name).Configure(c)).To(Succeed())
		}
		changePassword(ctx, keyed, rotatedPassword)
		for _, n := range keyed.Nodes() {
			Eventually(ctx, func() ([]string, error) {
				config, err := n.Vtysh(ctx, "-c", "show running-config")
				return lines(config, " password "), err
			}).Should(And(HaveLen(len(keyed.Routers())*len(families)), HaveEach(ContainSubstring(rotatedPassword))), n.Name())
		}
		for _, name := range rotated {
			for _, family := range families {
				_, err := keyed.WaitSettled(ctx, keyed.Router(name), family)
				Expect(err).NotTo(HaveOccurred())
			}
		}
		Consistently(ctx, establishedIn).WithArguments(ctx, keyed).
			ShouldNot(ContainElement(HavePrefix("tor-c")), "it has the old password still")
	}, SpecTimeout(specTimeout))
})

// keyedPeer makes the peer of a router over a family, with the Secret.
func keyedPeer(l *lab.Lab, routerName string, family router.Family) *v1alpha1.BGPPeer {
	peer := l.Peer(routerName, family)
	peer.Name = peerName(routerName, family)
	peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: secretName}
	return peer
}

// passwordSecret makes the Secret of all peers.
func passwordSecret(kind corev1.SecretType, key, password string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.SecretsNamespace, Name: secretName},
		Type:       kind, StringData: map[string]string{key: password},
	}
	return secret
}

// changePassword changes the Secret, or makes it.
func changePassword(ctx context.Context, l *lab.Lab, password string) {
	GinkgoHelper()
	secret := passwordSecret(corev1.SecretTypeBasicAuth, "password", password)
	err := l.API().Update(ctx, secret)
	if apierrors.IsNotFound(err) {
		err = l.API().Create(ctx, secret)
	}
	Expect(err).NotTo(HaveOccurred())
}

// expectRefused waits until every peer says that it isn't accepted, and why.
func expectRefused(ctx context.Context, l *lab.Lab, reason string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var peers v1alpha1.BGPPeerList
		g.Expect(l.API().List(ctx, &peers)).To(Succeed())
		for _, p := range peers.Items {
			accepted := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionAccepted)
			g.Expect(accepted).To(HaveField("Status", metav1.ConditionFalse), p.Name)
			g.Expect(accepted).To(HaveField("Reason", reason), p.Name)
			g.Expect(accepted.Message).To(ContainSubstring(secretName))
		}
	}).Should(Succeed())
}

// establishedIn are the sessions that any router has, by its word.
func establishedIn(ctx context.Context, l *lab.Lab) ([]string, error) {
	var found []string
	for _, r := range l.Routers() {
		all, err := r.Sessions(ctx)
		if err != nil {
			return nil, err
		}
		for addr, s := range all {
			if s.State == router.Established {
				found = append(found, fmt.Sprintf("%s with %s", r.Config().Name, addr))
			}
		}
	}
	return found, nil
}

// md5Failures is how many segments a router's kernel refused because of their
// key: missing, unexpected or wrong (RFC 2385).
func md5Failures(ctx context.Context, r router.Router) (int, error) {
	out, err := r.Box().Run(ctx, "cat", "/proc/net/netstat")
	if err != nil {
		return 0, err
	}
	total := 0
	for _, name := range []string{"TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure"} {
		n, err := tcpCounter(out, name)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// tcpCounter reads a value of /proc/net/netstat: a line of names, then one of
// numbers.
func tcpCounter(netstat, name string) (int, error) {
	var found []string
	for line := range strings.Lines(netstat) {
		if strings.HasPrefix(line, "TcpExt:") { // not MPTcpExt
			found = append(found, line)
		}
	}
	if len(found) != 2 {
		return 0, fmt.Errorf("no counters in %q", netstat)
	}
	values := strings.Fields(found[1])
	for i, column := range strings.Fields(found[0]) {
		if column == name && i < len(values) {
			return strconv.Atoi(values[i])
		}
	}
	return 0, fmt.Errorf("no counter %s", name)
}

// connectionsTo are the remote addresses of the established TCP connections to a
// port of a router.
func connectionsTo(ctx context.Context, r router.Router, port uint16) ([]netip.Addr, error) {
	out, err := r.Box().Run(ctx, "ss", "-Htn", "state", "established", "sport", "=", fmt.Sprint(":", port))
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		remote, err := netip.ParseAddrPort(fields[len(fields)-1])
		if err != nil {
			return nil, err
		}
		found = append(found, remote.Addr().Unmap())
	}
	return found, nil
}
