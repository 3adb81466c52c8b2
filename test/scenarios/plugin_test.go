package scenarios

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

// What "kubectl herald" tells people must be what the routers have.

var _ = Describe("kubectl herald", func() {
	It("X1 explain says of each node what the routers have of it, and the first reason why not", func(ctx SpecContext) {
		adv := lab.Advertisement("all")
		adv.Spec.Communities = []v1alpha1.CommunityValue{"64512:77"}
		addr := announcedLocal(ctx, onlyIPv4, adv, "node1", "node3")
		expectEverywhere(ctx, addr, "node1", "node3")
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "NotAnnounced NoLocalEndpoint", "node3": "Announced"})
		explanation := explained(ctx)
		Expect(explanation.Addresses).To(Equal([]string{addr.String()}))
		Expect(explanation.Nodes[0].Routes).To(ContainElement(And(
			HaveField("Peer", "tor-a"), HaveField("Session", "Established"), HaveField("Attributes.Communities", []string{"64512:77"}))))

		By("a node is excluded")
		label(ctx, "node3", "node.kubernetes.io/exclude-from-external-load-balancers", "true")
		expectEverywhere(ctx, addr, "node1")
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "NotAnnounced NoLocalEndpoint", "node3": "NotAnnounced NodeExcluded"})

		By("nobody vouches for a node: its routes stay, and nobody knows")
		n := site.Node("node1")
		n.Stop(node.Agent, time.Second)
		defer func() { // where the spec has failed half-way
			if n.Container(node.Agent) == nil || !n.Container(node.Agent).Running() {
				Expect(n.StartContainer(node.Agent)).To(Succeed())
			}
		}()
		expectExplained(ctx, map[string]string{"node1": "Unknown AgentNotReporting"}, "node2", "node3")
		expectEverywhere(ctx, addr, "node1")
		Expect(n.StartContainer(node.Agent)).To(Succeed())
		expectExplained(ctx, map[string]string{"node1": "Announced"}, "node2", "node3")

		By("no advertisement selects it")
		remove(ctx, adv)
		expectEverywhere(ctx, addr)
		expectExplained(ctx, map[string]string{"node1": "NotAnnounced NoAdvertisement", "node2": "NotAnnounced NoAdvertisement"}, "node3")
	}, SpecTimeout(specTimeout))

	It("X1 explain says of an address that is in no pool, or in none any more, that it is the pool that each node lacks", func(ctx SpecContext) {
		addr := netip.MustParseAddr("198.51.100.7")
		svc := onlyIPv4.service("web")
		create(ctx, svc)
		podOn(ctx, "node1", "web")
		before := svc.DeepCopy()
		svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: addr.String()}}
		Expect(site.API().Status().Patch(ctx, svc, crclient.MergeFrom(before))).To(Succeed())
		create(ctx, lab.Pool("public", block4), lab.Advertisement("all"))
		Eventually(ctx, serviceCondition).WithArguments(ctx, svc, v1alpha1.ConditionAllocated).Should(HavePrefix("False " + v1alpha1.ReasonForeignAddress))
		expectExplained(ctx, onAll("NotAnnounced NoPool"))
		remains(ctx, addr, absence)

		By("a pool comes to have it")
		theirs := lab.Pool("theirs", "198.51.100.0/28")
		create(ctx, theirs)
		expectEverywhere(ctx, addr, allNodes...)
		expectExplained(ctx, onAll("Announced"))

		By("the pool goes, and no manager is there to give the Service another address")
		for _, m := range site.Managers() {
			manager := m.Process()
			manager.Signal(syscall.SIGSTOP)
			defer manager.Signal(syscall.SIGCONT) // where the spec fails meanwhile
		}
		remove(ctx, theirs)
		expectEverywhere(ctx, addr)
		expectExplained(ctx, onAll("NotAnnounced NoPool"))
		Expect(explained(ctx).Addresses).To(Equal([]string{addr.String()}))

		By("a manager is there again")
		for _, m := range site.Managers() {
			m.Process().Signal(syscall.SIGCONT)
		}
		public := netip.MustParseAddr("203.0.113.0")
		Eventually(ctx, explanationOf).WithArguments(ctx, site, "web").WithTimeout(patience).Should(HaveField("Addresses", []string{public.String()}))
		expectEverywhere(ctx, public, allNodes...)
		expectExplained(ctx, onAll("Announced"))
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))

	It("X2 a support bundle explains as the cluster did", func(ctx SpecContext) {
		addr := announced(ctx, "web")
		expectEverywhere(ctx, addr, allNodes...)
		expectExplained(ctx, map[string]string{"node1": "Announced", "node2": "Announced", "node3": "Announced"})
		dir := GinkgoT().TempDir()
		for path, text := range supportBundle(ctx) {
			if !strings.HasPrefix(path, "objects/") {
				continue
			}
			file := filepath.Join(dir, filepath.Base(path))
			Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		}
		live, err := plugin(ctx, "explain", "default/web", "-o", "json")
		Expect(err).NotTo(HaveOccurred())
		Expect(plugin(ctx, "explain", "default/web", "-o", "json", "-f", dir)).To(MatchJSON(live))
		Expect(plugin(ctx, "status", "-f", dir)).To(ContainSubstring("Nodes     3, 3 ready, 3 programmed"))
	}, SpecTimeout(specTimeout))

	It("X3 --watch prints what has changed when it changes, until it is interrupted", func(ctx SpecContext) {
		mayReset("node3")
		command := exec.CommandContext(ctx, filepath.Join(site.Dir(), lab.PluginWrapper), "sessions", "--down", "--watch")
		out := gbytes.NewBuffer()
		command.Stdout, command.Stderr = out, GinkgoWriter
		Expect(command.Start()).To(Succeed())
		defer func() { _ = command.Process.Kill() }() // where the spec has failed half-way
		Eventually(ctx, out).Should(gbytes.Say(`no sessions\n$`))
		before := len(out.Contents())

		By("the router closes a session")
		tor, addr := site.Router("tor-a"), site.NodeAddresses(router.IPv4, "node3")[0]
		Expect(tor.Disable(ctx, addr)).To(Succeed())
		defer func() { Expect(tor.Enable(ctx, addr)).To(Succeed()) }()
		Eventually(ctx, out).Should(gbytes.Say(`NODE +PEER .*\nnode3 +tor-a .*\n`))

		By("and opens it again")
		Expect(tor.Enable(ctx, addr)).To(Succeed())
		expectEstablished(ctx, "tor-a", "node3")
		Eventually(ctx, out).Should(gbytes.Say(`no sessions\n$`))

		Expect(command.Process.Signal(os.Interrupt)).To(Succeed())
		Expect(command.Wait()).To(Succeed())
		Expect(strings.Count(string(out.Contents()[before:]), "no sessions")).To(Equal(1), "an answer that is as before isn't printed")
	}, SpecTimeout(specTimeout))
})

// plugin runs "kubectl herald" as cluster admin.
func plugin(ctx context.Context, arguments ...string) (string, error) {
	return pluginOf(ctx, site, arguments...)
}

func pluginOf(ctx context.Context, l *lab.Lab, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(l.Dir(), lab.PluginWrapper), arguments...)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	GinkgoWriter.Write(errOut.Bytes())
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && out.Len() > 0 {
		err = nil // it has found something
	}
	return out.String(), err
}

// explained is what explain says of the Service web.
func explained(ctx context.Context) explain.Explanation {
	GinkgoHelper()
	e, err := explanationOf(ctx, site, "web")
	Expect(err).NotTo(HaveOccurred())
	return e
}

// explanationOf is what explain says of a Service.
func explanationOf(ctx context.Context, l *lab.Lab, name string) (explain.Explanation, error) {
	var e explain.Explanation
	out, err := pluginOf(ctx, l, "explain", "service/"+name, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &e)
	}
	return e, err
}

// expectExplained waits until explain says of each node its state and reason; of
// other nodes nothing is asked.
func expectExplained(ctx context.Context, want map[string]string, others ...string) {
	GinkgoHelper()
	expectExplainedOf(ctx, site, "web", want, others...)
}

// expectExplainedOf is expectExplained of another Service, or on another site.
func expectExplainedOf(ctx context.Context, l *lab.Lab, name string, want map[string]string, others ...string) {
	GinkgoHelper()
	Eventually(ctx, func() (map[string]string, error) {
		e, err := explanationOf(ctx, l, name)
		got := map[string]string{}
		for _, n := range e.Nodes {
			got[n.Name] = said(n.Verdict)
		}
		for _, name := range others {
			delete(got, name)
		}
		return got, err
	}).Should(Equal(want))
}

// onAll nodes the same is said.
func onAll(text string) map[string]string {
	said := map[string]string{}
	for _, name := range allNodes {
		said[name] = text
	}
	return said
}

// expectNoNodeAsked waits until explain says of a Service that it is no node's matter,
// for this reason.
func expectNoNodeAsked(ctx context.Context, l *lab.Lab, name, reason string) {
	GinkgoHelper()
	Eventually(ctx, explanationOf).WithArguments(ctx, l, name).Should(And(
		HaveField("State", explain.NotAnnounced), HaveField("Reason", reason), HaveField("Message", Not(BeEmpty())), HaveField("Nodes", BeEmpty())))
}

// routesExplained are what explain says of a Service's routes from a node, by peer.
func routesExplained(ctx context.Context, name, nodeName string) (map[string]string, error) {
	e, err := explanationOf(ctx, site, name)
	routes := map[string]string{}
	for _, n := range e.Nodes {
		for _, r := range n.Routes {
			if n.Name == nodeName {
				routes[r.Peer] = said(r.Verdict)
			}
		}
	}
	return routes, err
}

// said is a verdict in a word or two.
func said(v explain.Verdict) string { return strings.TrimSpace(string(v.State) + " " + v.Reason) }

// supportBundle is the files of a support bundle, by their path in it.
func supportBundle(ctx context.Context) map[string]string {
	GinkgoHelper()
	out, err := plugin(ctx, "support-bundle", "-o", "-")
	Expect(err).NotTo(HaveOccurred())
	compressed, err := gzip.NewReader(strings.NewReader(out))
	Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		Expect(err).NotTo(HaveOccurred())
		text, err := io.ReadAll(archive)
		Expect(err).NotTo(HaveOccurred())
		_, path, _ := strings.Cut(header.Name, "/")
		files[path] = string(text)
	}
}
