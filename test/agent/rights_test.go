package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
)

var _ = Describe("without the rights that it needs", Ordered, func() {
	var herald, plugin string

	BeforeAll(func() {
		for of, binary := range map[string]*string{"herald": &herald, "kubectl-herald": &plugin} {
			var err error
			*binary, err = gexec.Build("github.com/herald-lb/herald/cmd/" + of)
			Expect(err).NotTo(HaveOccurred())
		}
		DeferCleanup(gexec.CleanupBuildArtifacts)
	})

	It("the manager ends, and says what to do", func() {
		run := exec.Command(herald, "manager", "--kubeconfig", kubeconfigOf("no-manager"), "--health-probe-bind-address", "0")
		out, err := run.CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(out)).To(And(HavePrefix("herald: "), ContainSubstring("forbidden"), ContainSubstring("apply config/rbac")))
		Expect(strings.Count(string(out), "\n")).To(Equal(1), string(out))
	})

	It("a manager that may read the Herald object and nothing else says what to do, and goes on asking", func() {
		session := start(exec.Command(herald, "manager", "--kubeconfig", kubeconfigOf("half-a-manager"), "--health-probe-bind-address", "0"),
			"half-a-manager", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"heralds"}, Verbs: []string{"get"}})
		Eventually(session.Err).Should(gbytes.Say("lets Herald not read"))
		Expect(session.ExitCode()).To(Equal(-1), "it runs, for the day when it may")
	})

	It("an agent that may read its Node and nothing else says what to do, and changes nothing", func() {
		baseWorld()
		dir := GinkgoT().TempDir()
		before := exchange.NewFile("v1", "boot", []byte("what was applied\n")).Encode()
		file := filepath.Join(dir, exchange.ConfigFile)
		Expect(os.WriteFile(file, before, 0o600)).To(Succeed())
		session := start(exec.Command(herald, "agent", "--kubeconfig", kubeconfigOf("half-an-agent"), "--node-name", nodeName, "--exchange-dir", dir, "--health-probe-bind-address", "0"),
			"half-an-agent", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}})
		Eventually(session.Err).Should(gbytes.Say("lets Herald not read"))
		Expect(os.ReadFile(file)).To(Equal(before), "what is applied stays")
	})

	It("the plugin says which ClusterRole to ask for", func() {
		for _, arguments := range [][]string{{"status"}, {"sessions"}, {"routes"}, {"explain", "service/web"}, {"pools"}, {"flows"}, {"lint"}, {"render", "--node", "n1"}} {
			run := exec.Command(plugin, append(arguments, "--kubeconfig", kubeconfigOf("no-viewer"))...)
			out, err := run.CombinedOutput()
			Expect(err).To(HaveOccurred(), "%v", arguments)
			Expect(run.ProcessState.ExitCode()).To(Equal(1), "%v", arguments)
			Expect(string(out)).To(And(ContainSubstring("forbidden"), ContainSubstring("ClusterRole herald-viewer")), "%v", arguments)
		}
	})

	It("the plugin watches with the rights of herald-viewer, and follows policies that no agent has reported of", func() {
		baseWorld()
		service := newService("web", webIP)
		create(service)
		create(newSlice("web", nodeName))
		text, err := os.ReadFile("../../config/rbac/viewer_role.yaml")
		Expect(err).NotTo(HaveOccurred())
		first, _, _ := strings.Cut(string(text), "\n---")
		viewer := &rbacv1.ClusterRole{}
		Expect(yaml.Unmarshal([]byte(first), viewer)).To(Succeed())
		create(viewer)
		create(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "viewer"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewer.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "viewer"}},
		})
		kubeconfig := kubeconfigOf("viewer")
		Eventually(func() error { // a binding takes effect a moment later
			return exec.Command(plugin, "pools", "--kubeconfig", kubeconfig).Run()
		}).Should(Succeed())
		watch := func(arguments ...string) *gexec.Session {
			GinkgoHelper()
			session, err := gexec.Start(exec.Command(plugin, append(arguments, "--watch", "--kubeconfig", kubeconfig)...), GinkgoWriter, GinkgoWriter)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func() { session.Kill().Wait() })
			return session
		}
		for _, arguments := range [][]string{{"routes"}, {"explain", "service/web", "--output=json"}} {
			session := watch(arguments...)
			Eventually(session.Out).Should(gbytes.Say(webIP), "%v", arguments)
			create(&v1alpha1.BGPAdvertisement{
				ObjectMeta: metav1.ObjectMeta{Name: arguments[0]},
				Spec:       v1alpha1.BGPAdvertisementSpec{Communities: []v1alpha1.CommunityValue{"64512:77"}},
			})
			Eventually(session.Out).Should(gbytes.Say("64512:77"), "%v", arguments)
			Expect(api.Delete(ctx, &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: arguments[0]}})).To(Succeed())
		}
		session := watch("status")
		Eventually(session.Out).Should(gbytes.Say("Services"))
		peer := &v1alpha1.BGPPeer{}
		Expect(api.Get(ctx, client.ObjectKey{Name: peerName}, peer)).To(Succeed())
		base := peer.DeepCopy()
		peer.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDuplicatePeer, LastTransitionTime: metav1.Now()}}
		Expect(api.Status().Patch(ctx, peer, client.MergeFrom(base))).To(Succeed())
		Eventually(session.Out).Should(gbytes.Say(v1alpha1.ReasonDuplicatePeer))
	})
})

// start runs a program whose user may do this and nothing else.
func start(run *exec.Cmd, user string, rule rbacv1.PolicyRule) *gexec.Session {
	GinkgoHelper()
	create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{rule}})
	create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: user}},
	})
	Eventually(func() (bool, error) { // a binding takes effect a moment later
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Group: rule.APIGroups[0], Verb: rule.Verbs[0], Resource: rule.Resources[0]},
		}}
		err := api.Create(ctx, review)
		return review.Status.Allowed, err
	}).Should(BeTrue())
	session, err := gexec.Start(run, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}
