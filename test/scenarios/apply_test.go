package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// bothReleases are nodes that run one of FRR's supported releases each.
var bothReleases = []string{"node1", "node2"}

var _ = Describe("Applying", func() {
	It("R4 heartbeats, labels and restarts of every agent write neither a file nor a status", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before, count, files := steady(ctx, addr), appliesOfAll(), stampsOfFiles()
		var written map[string]string
		Eventually(ctx, func(g Gomega) { // counters are written up to an interval later
			last := written
			var err error
			written, err = versionsOfStatuses(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(written).To(Equal(last))
		}).WithTimeout(6 * counters).WithPolling(2 * counters).Should(Succeed())

		for _, name := range allNodes {
			heartbeat(ctx, name)
			Expect(site.LabelNode(ctx, name, map[string]string{"lab/nothing": "x"})).To(Succeed())
			Expect(site.LabelNode(ctx, name, map[string]string{"lab/nothing": ""})).To(Succeed())
			site.Node(name).Stop(node.Agent, time.Second)
			startAll(name)
		}
		Consistently(ctx, func(g Gomega) {
			g.Expect(versionsOfStatuses(ctx)).To(Equal(written))
			g.Expect(stampsOfFiles()).To(Equal(files))
			g.Expect(before.holds(ctx)).To(Succeed())
		}).Should(Succeed())
		Expect(appliesOfAll()).To(Equal(count))
	}, SpecTimeout(specTimeout))

	It("R5 a refused configuration costs no route, shows within 2 s, is tried less and less often, and heals", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		mistake := ownAddressPeer(bothReleases...)
		for _, name := range bothReleases {
			defer ownAddress(ctx, name)()
		}
		refusals := map[string]int{}
		for _, name := range bothReleases {
			refusals[name] = len(refusalsOf(name))
		}
		create(ctx, mistake)
		for _, name := range bothReleases {
			Eventually(ctx, refusalOn).WithArguments(ctx, name).WithTimeout(visible).Should(
				ContainSubstring("Can not configure the local system as neighbor"), name)
		}
		Consistently(ctx, before.holds).WithArguments(ctx).WithTimeout(2 * absence).Should(Succeed())
		for _, name := range bothReleases {
			// After 1 s, 2 s and 4 s: at most four in this time, each later than the last.
			tries := refusalsOf(name)[refusals[name]:]
			Expect(len(tries)).To(And(BeNumerically(">=", 2), BeNumerically("<=", 4)), name)
			for i := 2; i < len(tries); i++ {
				Expect(tries[i].Sub(tries[i-1])).To(BeNumerically(">", tries[i-1].Sub(tries[i-2])), "%s: tries %v", name, tries)
			}
		}

		By("what was in the way going away")
		for _, name := range bothReleases {
			removeOwnAddress(name)
		}
		for _, name := range bothReleases { // it is tried again after half a minute at first
			Eventually(ctx, runningConfig).WithArguments(ctx, name).WithTimeout(patience).Should(ContainSubstring("neighbor "+own+" remote-as"), name)
		}
		healthy(ctx, allNodes...)
		Expect(before.holds(ctx)).To(Succeed())
	}, SpecTimeout(specTimeout))

	It("R5 V10 what FRR refuses is left out and named, the rest is announced; a refused change leaves the version before in force", func(ctx SpecContext) {
		first := announced(ctx, "first")
		before := steady(ctx, first)
		for _, name := range bothReleases {
			defer ownAddress(ctx, name)()
		}
		mistake, other := ownAddressPeer(bothReleases...), ownAddressPeer(bothReleases...)
		other.Name, other.Spec.PeerAddress = "other", "10.10.0.252"
		create(ctx, mistake, other)
		refused := And(HavePrefix("False "+v1alpha1.ReasonRefusedByFRR), ContainSubstring("Can not configure the local system as neighbor"))
		Eventually(ctx, acceptedOf).WithArguments(ctx, mistake).WithTimeout(patience).Should(refused)
		for _, name := range bothReleases {
			Eventually(ctx, runningConfig).WithArguments(ctx, name).WithTimeout(patience).Should(ContainSubstring("neighbor 10.10.0.252 remote-as"), name)
		}
		Expect(before.holds(ctx)).To(Succeed())
		announcedToo(ctx, "second")

		By("correcting it")
		update(ctx, mistake, func(p *v1alpha1.BGPPeer) { p.Spec.PeerAddress = "10.10.0.253" })
		Eventually(ctx, acceptedOf).WithArguments(ctx, mistake).WithTimeout(patience).Should(HavePrefix("True Accepted"))
		for _, name := range bothReleases {
			Eventually(ctx, runningConfig).WithArguments(ctx, name).WithTimeout(patience).Should(ContainSubstring("neighbor 10.10.0.253 remote-as"), name)
		}
		healthy(ctx, allNodes...)

		By("making the mistake again, and restarting the agents")
		update(ctx, mistake, func(p *v1alpha1.BGPPeer) { p.Spec.PeerAddress = own })
		Eventually(ctx, acceptedOf).WithArguments(ctx, mistake).WithTimeout(patience).Should(refused)
		kill(ctx, containersOf(node.Agent, bothReleases...)...)
		announcedToo(ctx, "third")
		for _, name := range bothReleases {
			Expect(runningConfig(ctx, name)).To(ContainSubstring("neighbor 10.10.0.253 remote-as"), "%s: the version before", name)
		}
		expectEverywhere(ctx, first, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(2*specTimeout))

	It("R5 new Services are announced again as soon as the user takes the mistake back", func(ctx SpecContext) {
		first := announced(ctx, "first")
		for _, name := range bothReleases {
			defer ownAddress(ctx, name)()
		}
		mistake := ownAddressPeer(bothReleases...)
		create(ctx, mistake)
		for _, name := range bothReleases {
			Eventually(ctx, refusalOn).WithArguments(ctx, name).ShouldNot(BeEmpty())
		}
		remove(ctx, mistake)
		for _, name := range bothReleases {
			Eventually(ctx, condition).WithArguments(ctx, name, v1alpha1.ConditionProgrammed).WithTimeout(visible).Should(HavePrefix("True Applied"))
		}
		announcedToo(ctx, "second")
		expectEverywhere(ctx, first, allNodes...)
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("R6 what somebody changes in FRR by hand is found, repaired and reported", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		for _, name := range bothReleases {
			restartReloader(name, "--check-interval=1s")
			defer restartReloader(name)
		}
		healthy(ctx, allNodes...)
		for _, c := range []struct{ change, report, gone string }{
			{"no network " + addr.String() + "/32", "+", ""},
			{"network 198.51.100.0/24", "-", "198.51.100.0/24"},
		} {
			for _, name := range bothReleases {
				configure(ctx, name, fmt.Sprint("router bgp ", lab.DefaultNodeASN), "address-family ipv4 unicast", c.change)
			}
			for _, name := range bothReleases {
				Eventually(ctx, func(g Gomega) {
					r, err := reportOf(name)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(r.Drift).NotTo(BeNil())
					g.Expect(r.Drift.Repaired).To(BeTrue())
					g.Expect(r.Drift.Lines).To(ContainElement(And(HavePrefix(c.report), ContainSubstring("network "))))
				}).Should(Succeed(), "%s: %s", name, c.change)
			}
			expectEverywhere(ctx, addr, allNodes...)
			for _, name := range bothReleases {
				if c.gone != "" {
					Expect(runningConfig(ctx, name)).NotTo(ContainSubstring(c.gone), name)
				}
			}
		}
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("R7 files that are cut, changed, foreign or gone are refused with the reason, and FRR goes on", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		before, count := steady(ctx, addr), appliesOfAll()
		good := map[string][]byte{}
		for _, name := range bothReleases {
			defer stopped(name, node.Agent)()
			good[name] = configOf(name).Encode()
		}
		for _, d := range damages {
			By(d.name)
			for _, name := range bothReleases {
				Expect(d.make(configFile(name), good[name])).To(Succeed())
				Eventually(ctx, fileError).WithArguments(name).WithTimeout(visible).Should(ContainSubstring(d.reason), name)
			}
			Expect(before.holds(ctx)).To(Succeed())
		}

		By("the agents coming back")
		for _, name := range bothReleases {
			startAll(name)
			Eventually(ctx, os.ReadFile).WithArguments(configFile(name)).Should(Equal(good[name]), name)
			Eventually(ctx, fileError).WithArguments(name).Should(BeEmpty(), name)
		}
		healthy(ctx, allNodes...)

		By("a foreign file beside a living agent")
		for _, name := range bothReleases {
			Expect(os.WriteFile(configFile(name), []byte("router bgp 65000\n"), 0o600)).To(Succeed())
			Eventually(ctx, os.ReadFile).WithArguments(configFile(name)).WithTimeout(visible).Should(Equal(good[name]), name)
		}
		Consistently(ctx, before.holds).WithArguments(ctx).Should(Succeed())
		Expect(appliesOfAll()).To(Equal(count))
	}, SpecTimeout(specTimeout))
})

// damages are what can happen to frr.conf, and the reason in the report.
var damages = []struct {
	name   string
	make   func(path string, good []byte) error
	reason string
}{
	{"empty", func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) }, "no Herald header"},
	{"cut in the header", func(path string, good []byte) error { return os.WriteFile(path, good[:40], 0o600) }, "no Herald header"},
	{"half written", func(path string, good []byte) error { return os.WriteFile(path, good[:len(good)/2], 0o600) }, "truncated or was changed"},
	{"one letter changed", func(path string, good []byte) error {
		return os.WriteFile(path, bytes.Replace(good, []byte("network "), []byte("networK "), 1), 0o600)
	}, "truncated or was changed"},
	{"somebody else's", func(path string, _ []byte) error {
		return os.WriteFile(path, []byte("frr defaults traditional\nrouter bgp 65000\n"), 0o600)
	}, "no Herald header"},
	{"malformed header", func(path string, good []byte) error {
		return os.WriteFile(path, append([]byte("! herald x\n"), good...), 0o600)
	}, "malformed Herald header"},
	{"a directory", func(path string, _ []byte) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Mkdir(path, 0o755)
	}, "is a directory"},
	{"gone", func(path string, _ []byte) error { return os.RemoveAll(path) }, ""},
}

// fileError is why a node's reloader refuses the file, "" if it doesn't.
func fileError(nodeName string) (string, error) {
	r, err := reportOf(nodeName)
	return r.FileError, err
}

// own is an address that a node has and no Node object tells. FRR itself refuses
// a neighbor of that address, so Herald can't know before.
const own = "192.0.2.99"

// ownAddress gives it to a node, until the answer is called. bgpd, which is told by zebra,
// knows it then.
func ownAddress(ctx context.Context, nodeName string) (remove func()) {
	GinkgoHelper()
	n := site.Node(nodeName)
	Expect(link.Batch(n.Box(), "addr replace "+own+"/32 dev lo")).To(Succeed())
	Eventually(ctx, n.Vtysh).WithArguments(ctx, "-d", "bgpd", "-c", "show bgp martian next-hop").Should(ContainSubstring("addr: " + own + ","))
	return func() { removeOwnAddress(nodeName) }
}

// refusedForGood is a peer at that address, which a node's agent finds as it starts. One
// that came later it would find out and leave out within seconds, before its BGPNode need
// have said anything: the writing of transitions is paced.
func refusedForGood(ctx context.Context, nodeName string) *v1alpha1.BGPPeer {
	GinkgoHelper()
	DeferCleanup(ownAddress(ctx, nodeName))
	startAgain := stopped(nodeName, node.Agent)
	peer := ownAddressPeer(nodeName)
	create(ctx, peer)
	startAgain()
	return peer
}

// refusalOn is what a node's FRR refuses, in its words: of the whole configuration at
// first, then of the objects that are left out for it.
func refusalOn(ctx context.Context, nodeName string) (string, error) {
	status, err := nodeStatus(ctx, nodeName)
	if err != nil {
		return "", err
	}
	for _, issue := range status.Issues {
		if issue.Reason == v1alpha1.ReasonRefusedByFRR {
			return issue.Message, nil
		}
	}
	if text := conditionText(status.Conditions, v1alpha1.ConditionProgrammed); strings.HasPrefix(text, "False "+v1alpha1.ReasonApplyFailed) {
		return text, nil
	}
	return "", nil
}

// removeOwnAddress takes it away, if it is there.
func removeOwnAddress(nodeName string) {
	_ = link.Batch(site.Node(nodeName).Box(), "addr del "+own+"/32 dev lo")
}

// ownAddressPeer is a BGPPeer at that address for these nodes.
func ownAddressPeer(nodes ...string) *v1alpha1.BGPPeer {
	peer := site.Peer("tor-a", router.IPv4)
	peer.Name, peer.Spec.PeerAddress = "mistake", own
	peer.Spec.NodeSelectors = []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelHostname, Operator: metav1.LabelSelectorOpIn, Values: nodes},
	}}}
	return peer
}

// refusalsOf are the times at which FRR refused a configuration, from the
// reloader's log.
func refusalsOf(nodeName string) []time.Time {
	GinkgoHelper()
	text, err := os.ReadFile(site.Node(nodeName).LogFile(node.Reloader))
	Expect(err).NotTo(HaveOccurred())
	var times []time.Time
	for line := range bytes.Lines(text) {
		var entry struct {
			Time  time.Time `json:"time"`
			Msg   string    `json:"msg"`
			Retry string    `json:"retry"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Retry != "" {
			times = append(times, entry.Time)
		}
	}
	return times
}

// restartReloader starts a node's reloader anew, with these arguments.
func restartReloader(nodeName string, args ...string) {
	GinkgoHelper()
	n := site.Node(nodeName)
	n.Stop(node.Reloader, time.Second)
	Expect(n.StartContainer(node.Reloader, args...)).To(Succeed())
}

// stampsOfFiles tell each node's frr.conf from any that replaces it.
func stampsOfFiles() map[string]string {
	GinkgoHelper()
	stamps := map[string]string{}
	for _, name := range allNodes {
		info, err := os.Stat(configFile(name))
		Expect(err).NotTo(HaveOccurred())
		stamps[name] = fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino, info.ModTime())
	}
	return stamps
}

// versionsOfStatuses are the resource versions of all BGPNodes and BGPSessions.
func versionsOfStatuses(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	var nodes v1alpha1.BGPNodeList
	if err := site.API().List(ctx, &nodes); err != nil {
		return nil, err
	}
	for i := range nodes.Items {
		versions["BGPNode "+nodes.Items[i].Name] = nodes.Items[i].ResourceVersion
	}
	all, err := bgpSessions(ctx)
	for i := range all {
		versions["BGPSession "+all[i].Name] = all[i].ResourceVersion
	}
	return versions, err
}
