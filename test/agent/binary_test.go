package agent_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/metrics"
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

		Eventually(func(g Gomega) {
			// Again and again, as a reloader that lives.
			agent.report(func(r *report.Report) { r.Sessions = []report.Session{established("192.0.2.1", 0)} })
			g.Expect(get("http://" + probes + "/readyz")()).To(HavePrefix("200"))
			g.Expect(sessionState(peerName)()).To(Equal(v1alpha1.SessionEstablished))
			g.Expect(condition(v1alpha1.ConditionProgrammed)()).To(HavePrefix("True"))
		}).Should(Succeed())
		Expect(api.Delete(ctx, peer)).To(Succeed())
		Eventually(func() any { return bgpSession(peerName) }).Should(BeNil())

		before := agent.frrConf()
		Eventually(session.Terminate()).Should(gexec.Exit(0))
		Expect(agent.frrConf()).To(Equal(before))
		Expect(bgpNode().Status.FRRVersion).To(Equal("10.3"))
	})

	It("tells metrics over HTTPS, to those whom the cluster allows it", func() {
		baseWorld()
		apply("metrics.yaml")
		address := freeAddress()
		session, err := gexec.Start(command("--node-name", nodeName, "--exchange-dir", GinkgoT().TempDir(),
			"--health-probe-bind-address", "0", "--metrics-bind-address", address), GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { session.Kill().Wait() })
		for _, name := range []string{"prometheus", "stranger"} {
			create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: name}})
		}
		create(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "herald-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "herald-system", Name: "prometheus"}},
		})
		// The agent remembers a refusal for a while.
		Eventually(func() (bool, error) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:                  "system:serviceaccount:herald-system:prometheus",
				NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/metrics"},
			}}
			err := api.Create(ctx, review)
			return review.Status.Allowed, err
		}).Should(BeTrue())
		Eventually(scrape(address+"/metrics", "")).Should(HavePrefix("401"))
		Expect(scrape(address+"/metrics", "nonsense")()).NotTo(HavePrefix("200"))
		Expect(scrape(address+"/metrics", tokenOf("herald-system", "stranger"))()).To(HavePrefix("403"))
		Expect(get("http://" + address + "/metrics")()).NotTo(HavePrefix("200"))
		Eventually(scrape(address+"/metrics", tokenOf("herald-system", "prometheus"))).Should(And(HavePrefix("200"), ContainSubstring("herald_reloader_reporting 0"), ContainSubstring("herald_event_to_applied_seconds_count 0")))

		By("asking for each Service")
		Expect(scrape(address+metrics.ServicesPath, "")()).To(HavePrefix("401"))
		Expect(scrape(address+metrics.ServicesPath, tokenOf("herald-system", "stranger"))()).To(HavePrefix("403"))
		Expect(scrape(address+metrics.ServicesPath, tokenOf("herald-system", "prometheus"))()).To(HavePrefix("200"))
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

// apply makes what a file of config/rbac says, unless it is there.
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
		Expect(client.IgnoreAlreadyExists(api.Create(ctx, object))).To(Succeed())
	}
}

// tokenOf a ServiceAccount, as a pod of it has one.
func tokenOf(namespace, account string) string {
	GinkgoHelper()
	set, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	answer, err := set.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return answer.Status.Token
}

// scrape asks for metrics as Prometheus does: "200 ..." and what is told.
func scrape(url, token string) func() string {
	anyone := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // no authority has signed it
	}}
	return func() string {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+url, nil)
		if err != nil {
			return err.Error()
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := anyone.Do(request)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err.Error()
		}
		return answer.Status + " " + string(body)
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
