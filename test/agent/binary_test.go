package agent_test

import (
	"bytes"
	"errors"
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
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/report"
)

var _ = Describe("the agent's program", Ordered, func() {
	var binary, kubeconfig string

	BeforeAll(func() {
		var err error
		binary, err = gexec.Build("github.com/herald-lb/herald/cmd/herald")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(gexec.CleanupBuildArtifacts)
		for _, namespace := range []string{"herald-system", secretsNamespace} {
			Expect(client.IgnoreAlreadyExists(api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))).To(Succeed())
		}
		apply("agent_role.yaml")
		apply("agent.yaml")
		kubeconfig = kubeconfigOf("system:serviceaccount:herald-system:herald-agent")
	})

	command := func(arguments ...string) *exec.Cmd {
		run := exec.Command(binary, append([]string{"agent", "--kubeconfig", kubeconfig}, arguments...)...)
		run.Env = append(os.Environ(), "NODE_NAME=")
		return run
	}

	It("does its work with the rights of config/rbac, and leaves everything as it is on SIGTERM", func() {
		_, peer := baseWorld()
		dir, probes := GinkgoT().TempDir(), freeAddress()
		session, err := gexec.Start(command("--node-name", nodeName, "--exchange-dir", dir, "--health-probe-bind-address", probes), GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { session.Kill().Wait() })
		agent := &runningAgent{dir: dir, clock: &shiftedClock{}}
		Eventually(agent.frrConf).Should(ContainSubstring("neighbor 192.0.2.1"))
		Eventually(get("http://" + probes + "/healthz")).Should(HavePrefix("200"))
		Expect(get("http://" + probes + "/readyz")()).To(HavePrefix("500"))

		agent.report(func(r *report.Report) { r.Sessions = []report.Session{established("192.0.2.1", 0)} })
		Eventually(get("http://" + probes + "/readyz")).Should(HavePrefix("200"))
		Eventually(sessionState(peerName)).Should(Equal(v1alpha1.SessionEstablished))
		Eventually(condition(v1alpha1.ConditionProgrammed)).Should(HavePrefix("True"))
		Expect(api.Delete(ctx, peer)).To(Succeed())
		Eventually(func() any { return bgpSession(peerName) }).Should(BeNil())

		before := agent.frrConf()
		Eventually(session.Terminate()).Should(gexec.Exit(0))
		Expect(agent.frrConf()).To(Equal(before))
		Expect(bgpNode().Status.FRRVersion).To(Equal("10.3"))
	})

	DescribeTable("says in one line what is missing",
		func(want string, arguments func() []string) {
			out, err := command(arguments()...).CombinedOutput()
			Expect(err).To(HaveOccurred())
			Expect(string(out)).To(And(HavePrefix("herald: "), ContainSubstring(want)))
			Expect(strings.Count(string(out), "\n")).To(Equal(1), string(out))
		},
		Entry("no node's name", "NODE_NAME", func() []string { return []string{"--exchange-dir", GinkgoT().TempDir()} }),
		Entry("an unknown node", `node "nobody" does not exist`, func() []string {
			return []string{"--node-name", "nobody", "--exchange-dir", GinkgoT().TempDir()}
		}),
		Entry("no exchange directory", "--exchange-dir", func() []string { return []string{"--node-name", nodeName, "--exchange-dir", "/nowhere"} }),
		Entry("a directory that can't be written", "not writable", func() []string { return []string{"--node-name", nodeName, "--exchange-dir", "/proc/self"} }),
		Entry("no kubeconfig", "kubeconfig", func() []string {
			return []string{"--node-name", nodeName, "--exchange-dir", GinkgoT().TempDir(), "--kubeconfig", "/nowhere"}
		}),
		Entry("no rights", "config/rbac", func() []string {
			return []string{"--node-name", nodeName, "--exchange-dir", GinkgoT().TempDir(), "--kubeconfig", kubeconfigOf("nobody")}
		}),
	)
})

// apply makes what a file of config/rbac says, once.
func apply(name string) {
	GinkgoHelper()
	data, err := os.ReadFile(filepath.Join("../../config/rbac", name))
	Expect(err).NotTo(HaveOccurred())
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return
		}
		Expect(err).NotTo(HaveOccurred())
		Expect(api.Create(ctx, object)).To(Succeed())
	}
}

func kubeconfigOf(user string) string {
	GinkgoHelper()
	added, err := apiServer.AddUser(envtest.User{Name: user}, nil)
	Expect(err).NotTo(HaveOccurred())
	text, err := added.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(listener.Close()).To(Succeed()) }()
	return listener.Addr().String()
}

func get(url string) func() string {
	return func() string {
		response, err := http.Get(url)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
}
