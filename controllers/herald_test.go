package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/install"
)

const otherNamespace = "herald-beside"

func newHerald() *v1alpha1.Herald {
	return &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
}

func herald() *v1alpha1.Herald {
	object := newHerald()
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil
	}
	return object
}

func heraldSays(kind string) func() string {
	return func() string {
		if object := herald(); object != nil {
			return brief(object.Status.Conditions, kind) + ": " + message(object.Status.Conditions, kind)
		}
		return "no Herald object"
	}
}

// selfOf a manager of a version.
func selfOf(version string) install.Self {
	return install.Self{Version: version, Image: "example.com/herald:" + version, FRRImage: "example.com/frr:10.3", PullPolicy: corev1.PullIfNotPresent}
}

func runOperator(version string) *process {
	GinkgoHelper()
	return startManager(controllers.Options{Self: selfOf(version)})
}

func daemons(name string) *appsv1.DaemonSet {
	set := &appsv1.DaemonSet{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, set); err != nil {
		return nil
	}
	return set
}

// imageOf the first container of a DaemonSet.
func imageOf(name string) func() string {
	return func() string {
		if set := daemons(name); set != nil {
			return set.Spec.Template.Spec.Containers[0].Image
		}
		return "no DaemonSet " + name
	}
}

func installed() {
	GinkgoHelper()
	Eventually(imageOf(install.FRR)).Should(ContainSubstring("frr"))
	Eventually(imageOf(install.Agent)).Should(ContainSubstring("herald"))
}

// removeHerald leaves no trace of an installation, whatever state it is in.
func removeHerald() {
	GinkgoHelper()
	for _, name := range []string{install.FRR, install.Agent} {
		Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(systemNamespace), client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(func() *appsv1.DaemonSet {
			if object := herald(); object != nil {
				object.Annotations = map[string]string{v1alpha1.AnnotationConfirmDelete: "true"}
				object.Finalizers = nil
				if k8s.Update(ctx, object) == nil {
					_ = k8s.Delete(ctx, object)
				}
			}
			set := daemons(name)
			if set != nil && herald() == nil {
				_ = k8s.Delete(ctx, set, client.PropagationPolicy(metav1.DeletePropagationBackground))
				collectGarbage(set)
			}
			return daemons(name)
		}).Should(BeNil())
	}
	Expect(herald()).To(BeNil())
}

// collectGarbage does what Kubernetes' garbage collector does for a DaemonSet
// that has no pods.
func collectGarbage(set *appsv1.DaemonSet) {
	if len(set.Finalizers) > 0 {
		_ = k8s.Patch(ctx, set, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
	}
}

// newPod of a DaemonSet on a node.
func newPod(set, node, image string, containers ...corev1.ContainerStatus) *corev1.Pod {
	component := map[string]string{install.FRR: install.ComponentFRR, install.Agent: install.ComponentAgent}[set]
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: systemNamespace, Name: set + "-" + node,
			Labels: map[string]string{install.PartOfLabel: install.PartOf, install.ComponentLabel: component},
		},
		Spec:   corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: component, Image: image}}},
		Status: corev1.PodStatus{ContainerStatuses: containers},
	}
}

func createPod(pod *corev1.Pod) {
	GinkgoHelper()
	status := pod.Status
	pod.Spec.AutomountServiceAccountToken = new(bool)
	create(pod)
	pod.Status = status
	Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
}

var _ = Describe("The Herald object", func() {
	// The API server's own controllers don't run: the account that pods have.
	BeforeEach(func() {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "default"}}
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, account))).To(Succeed())
	})

	It("becomes two DaemonSets, which are put right when they are changed by hand and else left alone", func() {
		runOperator("v1")
		create(newHerald())
		installed()
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("True Accepted"))
		Expect(herald().Finalizers).To(ContainElement(v1alpha1.HeraldFinalizer))
		Expect(herald().Status.Namespace).To(Equal(systemNamespace))
		set := daemons(install.Agent)
		Expect(set.OwnerReferences).To(HaveLen(1))
		Expect(set.Spec.Template.Spec.Tolerations).To(HaveLen(1), "the control plane's, by default")

		change(set, func(set *appsv1.DaemonSet) {
			set.Spec.Template.Spec.Containers[0].Image = "example.com/mine"
			set.Spec.Template.Spec.HostNetwork = false
		})
		Eventually(imageOf(install.Agent)).Should(Equal("example.com/herald:v1"))
		Expect(daemons(install.Agent).Spec.Template.Spec.HostNetwork).To(BeTrue())
		Expect(k8s.Delete(ctx, daemons(install.FRR))).To(Succeed())
		Eventually(imageOf(install.FRR)).Should(Equal("example.com/frr:10.3"))

		frr, agent := daemons(install.FRR), daemons(install.Agent)
		create(newNode("n1", nil))
		create(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: v1alpha1.BGPNodeStatus{FRRVersion: "10.3"}})
		changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, func(n *v1alpha1.BGPNode) { n.Status.FRRVersion = "10.3" })
		Eventually(func() []string { return herald().Status.FRRVersions }).Should(Equal([]string{"10.3"}))
		Consistently(func() []string {
			return []string{daemons(install.FRR).ResourceVersion, daemons(install.Agent).ResourceVersion}
		}).Should(Equal([]string{frr.ResourceVersion, agent.ResourceVersion}))
	})

	It("R13 another version of Herald rolls the agents and leaves FRR's DaemonSet as it is", func() {
		first := runOperator("v1")
		create(newHerald())
		installed()
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("True"))
		before := daemons(install.FRR)
		first.end()
		runOperator("v2")
		Eventually(imageOf(install.Agent)).Should(Equal("example.com/herald:v2"))
		Eventually(func() string { return herald().Status.Version }).Should(Equal("v2"))
		after := daemons(install.FRR)
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(after.Spec.Template).To(Equal(before.Spec.Template))
		Expect(after.Spec.UpdateStrategy.Type).To(Equal(appsv1.OnDeleteDaemonSetStrategyType))
	})

	It("follows its spec, and says what is missing without an image", func() {
		startManager(controllers.Options{})
		create(newHerald())
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("False NoImage: spec.image is not set"))
		Expect(daemons(install.Agent)).To(BeNil())
		change(newHerald(), func(h *v1alpha1.Herald) {
			h.Spec.Image, h.Spec.FRRImage = "example.com/herald:own", "example.com/frr:own"
		})
		Eventually(imageOf(install.Agent)).Should(Equal("example.com/herald:own"))
		Eventually(imageOf(install.FRR)).Should(Equal("example.com/frr:own"))
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("True Accepted"))
	})

	It("tells which nodes are ready, which FRR is old, and what containers say that don't run", func() {
		runOperator("v1")
		create(newHerald())
		installed()
		Eventually(heraldSays(v1alpha1.ConditionReady)).Should(HavePrefix("False NoNodeSelected: no node is selected: look at spec.nodeSelector"))
		for _, name := range []string{install.FRR, install.Agent} {
			changeStatus(daemons(name), func(set *appsv1.DaemonSet) {
				set.Status.DesiredNumberScheduled, set.Status.CurrentNumberScheduled = 2, 2
			})
		}
		for _, name := range []string{"n1", "n2"} {
			create(newNode(name, nil))
			// Before the BGPNode, which the manager would say to be silent else.
			createPod(newPod(install.FRR, name, "example.com/frr:10.3"))
			createPod(readyPod(newPod(install.Agent, name, "example.com/herald:v1")))
			create(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}})
			changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(n *v1alpha1.BGPNode) {
				n.Status.Conditions = []metav1.Condition{
					condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReporting),
					condition(v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonApplied),
				}
			})
		}
		Eventually(heraldSays(v1alpha1.ConditionReady)).Should(HavePrefix("True AllNodes: all 2 nodes are ready"))
		Expect(herald().Status.Nodes).To(Equal(v1alpha1.HeraldNodes{Desired: 2, Ready: 2, Programmed: 2}))

		const said = "frr-start: no /usr/lib/frr/watchfrr: this is not FRR's image; set spec.frrImage of the Herald object"
		Expect(k8s.Delete(ctx, newPod(install.FRR, "n2", ""), client.GracePeriodSeconds(0))).To(Succeed())
		createPod(newPod(install.FRR, "n2", "example.com/alpine", corev1.ContainerStatus{
			Name: "frr", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "starting\n" + said + "\n"}},
		}))
		Eventually(heraldSays(v1alpha1.ConditionReady)).Should(Equal(
			`False ContainersFailing: 2 of 2 nodes are ready: node "n2": container frr of pod herald-frr-n2: ` + said))
		Expect(herald().Status.Nodes.FRROutdated).To(Equal(int32(1)))
	})

	It("says live which annotations are read and which label excludes, and rolls nothing", func() {
		levels := make(chan v1alpha1.LogLevel, 100)
		startManager(controllers.Options{Self: selfOf("v1"), SetLogLevel: func(level v1alpha1.LogLevel) { levels <- level }})
		create(newHerald(), newPool("p", "203.0.113.0/24"))
		installed()
		asks := newService("asks", "4")
		asks.Annotations = map[string]string{"metallb.io/loadBalancerIPs": "203.0.113.9"}
		create(asks, newService("plain", "4"))
		Eventually(addresses("asks")).Should(Equal("203.0.113.0"))
		Eventually(addresses("plain")).Should(Equal("203.0.113.1"))
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("True"))
		before := daemons(install.Agent).ResourceVersion
		change(newHerald(), func(h *v1alpha1.Herald) {
			h.Spec.Compatibility.MetalLBAnnotations, h.Spec.LogLevel = true, "debug"
		})
		Eventually(addresses("asks")).Should(Equal("203.0.113.9"))
		Eventually(levels).Should(Receive(Equal(v1alpha1.LogLevel("debug"))))
		Expect(addresses("plain")()).To(Equal("203.0.113.1"))
		change(newHerald(), func(h *v1alpha1.Herald) { h.Spec = v1alpha1.HeraldSpec{} })
		Eventually(levels).Should(Receive(BeEmpty()))
		Consistently(addresses("asks")).Should(Equal("203.0.113.9"), "what a Service has it keeps")

		excluded := newNode("n1", map[string]string{corev1.LabelNodeExcludeBalancers: ""})
		create(excluded, &v1alpha1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}})
		create(newPeer("tor", "192.0.2.1"))
		Eventually(announced("plain")).Should(Equal("False NodesExcluded"))
		change(newHerald(), func(h *v1alpha1.Herald) { h.Spec.IgnoreExcludeLabel = true })
		// The first condition of a Service is written at once, the next one later.
		create(newService("late", "4"))
		Eventually(announced("late")).Should(Equal("False NoEndpoint"))
		Expect(daemons(install.Agent).ResourceVersion).To(Equal(before))
	})

	It("isn't deleted by a slip while prefixes are announced, and takes everything with it when that is confirmed", func() {
		first := runOperator("v1")
		create(newHerald(), newNode("n1", nil))
		installed()
		create(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
		changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, func(n *v1alpha1.BGPNode) {
			n.Status.Routes, n.Status.Relay = &v1alpha1.RouteCount{IPv6: 1}, &v1alpha1.NodeRelay{PathMTU: true}
		})
		Eventually(heraldSays(v1alpha1.ConditionAnnouncing)).Should(HavePrefix("True PrefixesAnnounced"))
		refused := MatchError(ContainSubstring("first \"kubectl annotate heralds.herald-lb.io default herald-lb.io/confirm-delete=true\""))
		// A policy takes effect some moments after it was made.
		Eventually(func() error { return k8s.Delete(ctx, newHerald(), client.DryRunAll) }).Should(refused)
		Expect(k8s.Delete(ctx, newHerald())).To(refused)

		// Past the policy, as when the CRD itself is deleted.
		first.end()
		changeStatus(newHerald(), func(h *v1alpha1.Herald) { h.Status.Conditions = nil })
		Expect(k8s.Delete(ctx, newHerald())).To(Succeed())
		runOperator("v1")
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("False DeletionRefused: nodes announce prefixes"))
		Consistently(func() bool {
			return daemons(install.FRR).DeletionTimestamp.IsZero() && daemons(install.Agent).DeletionTimestamp.IsZero()
		}).Should(BeTrue())

		change(newHerald(), func(h *v1alpha1.Herald) { h.Annotations = map[string]string{v1alpha1.AnnotationConfirmDelete: "true"} })
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("False Deleting"))
		Consistently(func() bool { return daemons(install.Agent).DeletionTimestamp.IsZero() }).Should(BeTrue(), "the relays' rules go before the agents do")
		changeStatus(&v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, func(n *v1alpha1.BGPNode) { n.Status.Relay = &v1alpha1.NodeRelay{} })
		Eventually(func() *v1alpha1.Herald {
			for _, name := range []string{install.FRR, install.Agent} {
				if set := daemons(name); set != nil && !set.DeletionTimestamp.IsZero() {
					collectGarbage(set)
				}
			}
			return herald()
		}).Should(BeNil())
		Expect(daemons(install.FRR)).To(BeNil())
		Expect(daemons(install.Agent)).To(BeNil())
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "n1"}, &v1alpha1.BGPNode{})).NotTo(Succeed())
	})

	It("refuses a second manager in another namespace, and tells of it", func() {
		runOperator("v1")
		create(newHerald())
		installed()
		installRights(otherNamespace)
		const refusal = "another installation: Herald runs from namespace herald-system already"
		Eventually(func() error { return controllers.CheckSole(ctx, asAccount("herald-manager"), otherNamespace) }).Should(MatchError(ContainSubstring(refusal)))
		Expect(controllers.CheckSole(ctx, asAccount("herald-manager"), systemNamespace)).To(Succeed())

		// One that was started before the first had made anything.
		second := startManager(controllers.Options{Namespace: otherNamespace, Self: selfOf("v9")})
		var ended error
		Eventually(second.done).Should(Receive(&ended))
		second.done = nil
		Expect(ended).To(MatchError(ContainSubstring(refusal)))
		Expect(imageOf(install.Agent)()).To(Equal("example.com/herald:v1"))

		labels := map[string]string{install.PartOfLabel: install.PartOf, install.ComponentLabel: install.ComponentManager}
		deployment := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: otherNamespace, Name: "herald-manager", Labels: labels},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "manager", Image: "x"}}}},
			},
		}
		create(deployment)
		DeferCleanup(func() { Expect(client.IgnoreNotFound(k8s.Delete(ctx, deployment))).To(Succeed()) })
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(And(HavePrefix("True AnotherInstallation"), ContainSubstring(otherNamespace)))
		Expect(k8s.Delete(ctx, deployment)).To(Succeed())
		Eventually(heraldSays(v1alpha1.ConditionAccepted)).Should(HavePrefix("True Accepted"))
	})

	It("V11 M9 lets an agent write its own node's BGPNode and BGPSessions only", func() {
		agent := func(node string) client.Client {
			config := asAccount("herald-agent")
			if node != "" {
				config.Impersonate.Extra = map[string][]string{"authentication.kubernetes.io/node-name": {node}}
			}
			c, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
			Expect(err).NotTo(HaveOccurred())
			return c
		}
		create(newNode("n1", nil), newNode("n2", nil))
		session := func(node string) *v1alpha1.BGPSession {
			return &v1alpha1.BGPSession{ObjectMeta: metav1.ObjectMeta{Name: node + ".tor"}, Spec: v1alpha1.BGPSessionSpec{Node: node, Peer: "tor"}}
		}
		// A policy takes effect some moments after it was made.
		Eventually(func() error { return agent("").Create(ctx, session("n1"), client.DryRunAll) }).Should(MatchError(ContainSubstring("not bound to a node")))
		Expect(agent("n1").Create(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})).To(Succeed())
		Expect(agent("n1").Create(ctx, session("n1"))).To(Succeed())
		for what, write := range map[string]func() error{
			"another's BGPNode": func() error {
				return agent("n2").Delete(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
			},
			"a BGPNode for another": func() error {
				return agent("n1").Create(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n2"}})
			},
			"another's status": func() error {
				return agent("n2").Status().Patch(ctx, &v1alpha1.BGPNode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"frrVersion":"0"}}`)))
			},
			"another's BGPSession":    func() error { return agent("n2").Delete(ctx, session("n1")) },
			"a BGPSession of another": func() error { return agent("n1").Create(ctx, session("n2")) },
		} {
			Expect(write()).To(MatchError(ContainSubstring("an agent writes only")), what)
		}
		Expect(agent("").Create(ctx, session("n1"))).To(MatchError(ContainSubstring("not bound to a node")))
	})

	DescribeTable("its manager may not", func(verb, group, resource, namespace, name string) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:herald-system:herald-manager", Groups: []string{"system:serviceaccounts", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: namespace, Name: name},
		}}
		Expect(k8s.Create(ctx, review)).To(Succeed())
		Expect(review.Status.Allowed).To(BeFalse(), fmt.Sprint(review.Spec.ResourceAttributes))
	},
		Entry("read Secrets", "get", "", "secrets", "herald-secrets", "x"),
		Entry("read its own namespace's Secrets", "get", "", "secrets", systemNamespace, "x"),
		Entry("write ConfigMaps", "create", "", "configmaps", systemNamespace, ""),
		Entry("make pods", "create", "", "pods", systemNamespace, ""),
		Entry("make ServiceAccounts", "create", "", "serviceaccounts", systemNamespace, ""),
		Entry("make roles", "create", "rbac.authorization.k8s.io", "clusterroles", "", ""),
		Entry("bind roles", "create", "rbac.authorization.k8s.io", "clusterrolebindings", "", ""),
		Entry("bind roles of a namespace", "create", "rbac.authorization.k8s.io", "rolebindings", systemNamespace, ""),
		Entry("make DaemonSets elsewhere", "create", "apps", "daemonsets", "kube-system", ""),
		Entry("change another DaemonSet", "patch", "apps", "daemonsets", systemNamespace, "other"),
		Entry("delete another DaemonSet", "delete", "apps", "daemonsets", systemNamespace, "other"),
		Entry("make Deployments", "create", "apps", "deployments", systemNamespace, ""),
		Entry("delete the Herald object", "delete", "herald-lb.io", "heralds", "", "default"),
		Entry("change Services", "patch", "", "services", "default", "x"),
		Entry("change policies", "update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "herald-deletion"),
	)
})

// installRights gives the manager in another namespace what it has in its own.
func installRights(namespace string) {
	GinkgoHelper()
	role := &rbacv1.Role{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "herald-manager"}, role)).To(Succeed())
	meta := metav1.ObjectMeta{Namespace: namespace, Name: role.Name}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&rbacv1.Role{ObjectMeta: meta, Rules: role.Rules},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: systemNamespace, Name: "herald-manager"}},
		},
	} {
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, object))).To(Succeed())
	}
}

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.Now()}
}

func readyPod(pod *corev1.Pod) *corev1.Pod {
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return pod
}
