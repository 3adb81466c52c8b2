package scenarios

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

var _ = Describe("A password", func() {
	It("M8 stands in no status, log, event, process list or file that others can read", func(ctx SpecContext) {
		const password = "Sesam-oeffne-dich-4711"
		secret := guardedSecret(password)
		create(ctx, secret)
		peer := site.Peer("tor-a", router.IPv4)
		peer.Name, peer.Spec.PeerAddress = "guarded", "10.10.0.251"
		peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: secret.Name}
		create(ctx, peer)
		inAllConfigs(ctx, "neighbor 10.10.0.251 password "+password, true)
		for _, n := range site.Nodes() {
			Eventually(ctx, condition).WithArguments(ctx, n.Name(), v1alpha1.ConditionProgrammed).Should(HavePrefix("True Applied"))
		}
		update(ctx, peer, func(p *v1alpha1.BGPPeer) { p.Spec.PeerASN = 64999 }) // frr-reload has something to say
		inAllConfigs(ctx, "neighbor 10.10.0.251 remote-as 64999", true)
		expectRead(ctx)

		expectHidden(ctx, password)
		Expect(filesWith(site.Node("node1").ExchangeDir(), password)).NotTo(BeEmpty(), "the search must be able to find it")
	}, SpecTimeout(specTimeout))

	It("M8 stands nowhere either when FRR refuses it, or when somebody changes it by hand", func(ctx SpecContext) {
		const password, byHand = "Sesam-oeffne-dich-4712", "Mutabor-4713"
		addr := announced(ctx, "web")
		before := steady(ctx, addr)
		secret := guardedSecret(password)
		peer := site.Peer("tor-a", router.IPv4)
		peer.Name, peer.Spec.PeerAddress = "guarded", "10.10.0.251"
		peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: secret.Name}
		create(ctx, secret, peer)
		inAllConfigs(ctx, "neighbor 10.10.0.251 password "+password, true)
		healthy(ctx, allNodes...)

		By("changing it by hand")
		for _, name := range bothReleases {
			configure(ctx, name, fmt.Sprint("router bgp ", lab.DefaultNodeASN), "neighbor 10.10.0.251 password "+byHand)
			restartReloader(name) // it compares everything first
			defer restartReloader(name)
		}
		for _, name := range bothReleases {
			Eventually(ctx, func() (string, error) { return runningConfig(ctx, name) }).Should(
				ContainSubstring("neighbor 10.10.0.251 password "+password), name)
			Eventually(ctx, reportOf).WithArguments(name).Should(HaveField("Drift",
				HaveField("Lines", ContainElement(ContainSubstring("neighbor 10.10.0.251 password ***")))), name)
		}

		By("letting FRR refuse it")
		for _, name := range bothReleases {
			defer ownAddress(ctx, name)()
		}
		mistake := ownAddressPeer(bothReleases...)
		mistake.Spec.PasswordSecret = peer.Spec.PasswordSecret
		create(ctx, mistake)
		for _, name := range bothReleases {
			Eventually(ctx, refusalOn).WithArguments(ctx, name).ShouldNot(BeEmpty())
		}
		Expect(before.holds(ctx)).To(Succeed())
		expectHidden(ctx, password)
		expectHidden(ctx, byHand)
	}, SpecTimeout(specTimeout))
})

// expectHidden looks for a password where it must not stand.
func expectHidden(ctx context.Context, password string) {
	GinkgoHelper()
	By("looking through the API")
	for _, kinds := range []string{"services,nodes,events,endpointslices,configmaps,leases", "herald"} {
		dump, err := exec.CommandContext(ctx, filepath.Join(site.Dir(), lab.KubectlWrapper), "get", "-A", "-o", "yaml", kinds).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(dump))
		Expect(string(dump)).To(ContainSubstring("node1"), "the search must be able to find something")
		Expect(string(dump)).NotTo(ContainSubstring(password))
	}

	By("looking through a support bundle")
	bundle := supportBundle(ctx)
	Expect(bundle).To(And(HaveKeyWithValue("configurations/node1.conf", ContainSubstring(" password ***")), HaveKey("secrets.txt")))
	for path, text := range bundle {
		Expect(text).NotTo(ContainSubstring(password), path)
	}

	By("looking through logs and files")
	Expect(readableWith(site.Dir(), password)).To(BeEmpty())
	Expect(site.Logs(100000)).To(And(ContainSubstring("agent"), Not(ContainSubstring(password))))
	for _, n := range site.Nodes() {
		for _, c := range []string{node.FRR, node.Reloader} {
			box := n.Container(c).Box()
			for _, dir := range []string{"run", "etc/frr", "tmp", "var/tmp", "var/log", "var/lib/frr"} {
				Expect(readableWith(box.HostPath(dir), password)).To(BeEmpty(), "%s of %s", c, n.Name())
			}
		}
	}

	By("looking through metrics")
	for _, n := range site.Nodes() {
		Expect(metricsOf(ctx, n)).To(And(ContainSubstring("controller_runtime_reconcile_total"), Not(ContainSubstring(password))))
	}

	By("looking through command lines")
	Expect(commandLinesWith(password)).To(BeEmpty())
}

// metricsOf are the metrics of a node's agent.
func metricsOf(ctx context.Context, n *node.Node) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return n.Box().Dial(ctx, network, address)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+agentMetrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// guardedSecret is a peer's password in the namespace of Herald's secrets.
func guardedSecret(password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "guarded", Namespace: lab.SecretsNamespace},
		Type:       corev1.SecretTypeBasicAuth,
		StringData: map[string]string{corev1.BasicAuthPasswordKey: password},
	}
}

// filesWith are the regular files below dir that hold a text, with their modes.
func filesWith(dir, text string) (map[string]os.FileMode, error) {
	found := map[string]os.FileMode{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "/etcd/") || filepath.Base(filepath.Dir(path)) == "bin" {
			return nil //nolint:nilerr // files come and go while the site runs
		}
		info, err := entry.Info()
		if err != nil || info.Size() > 64<<20 {
			return nil //nolint:nilerr // as above
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), text) {
			found[path] = info.Mode().Perm()
		}
		return nil
	})
	return found, err
}

// readableWith are those of filesWith that more than their owner can read.
func readableWith(dir, text string) ([]string, error) {
	var open []string
	found, err := filesWith(dir, text)
	for path, mode := range found {
		if mode&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s %s", mode, path))
		}
	}
	return open, err
}

// commandLinesWith are processes of this machine, the site's among them, whose
// arguments hold a text.
func commandLinesWith(text string) ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	var found []string
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), text) {
			found = append(found, file)
		}
	}
	return found, err
}
