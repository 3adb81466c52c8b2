package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// annotated sets Herald's annotations: "ips", "1.2.3.4", …; an empty text removes.
func annotated(pairs ...string) func(*corev1.Service) {
	return func(service *corev1.Service) {
		if service.Annotations == nil {
			service.Annotations = map[string]string{}
		}
		for i := 0; i < len(pairs); i += 2 {
			name := v1alpha1.GroupName + "/" + pairs[i]
			if service.Annotations[name] = pairs[i+1]; pairs[i+1] == "" {
				delete(service.Annotations, name)
			}
		}
	}
}

func loadBalancerIP(ip string) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.LoadBalancerIP = ip }
}

func ports(all ...any) func(*corev1.Service) {
	return func(service *corev1.Service) {
		service.Spec.Ports = nil
		for i := 0; i < len(all); i += 2 {
			port := corev1.ServicePort{Name: fmt.Sprint("p", i), Protocol: corev1.Protocol(all[i].(string)), Port: int32(all[i+1].(int))}
			service.Spec.Ports = append(service.Spec.Ports, port)
		}
	}
}

func selecting(app string) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.Selector = map[string]string{"app": app} }
}

func labelled(name, value string) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Labels = map[string]string{name: value} }
}

func poolWith(name, block string, change func(*v1alpha1.IPAddressPoolSpec)) *v1alpha1.IPAddressPool {
	pool := newPool(name, v1alpha1.AddressBlock(block))
	change(&pool.Spec)
	return pool
}

func noAuto(spec *v1alpha1.IPAddressPoolSpec) { spec.AutoAssign = new(false) }

var _ = Describe("Requests", func() {
	DescribeTable("A2 exactly what is asked for, or nothing and a warning", func(families, ip, outside, reason string) {
		runManager()
		create(newPool("p", "203.0.113.0/24", "2001:db8::/64"))
		create(newService("good", families, annotated("ips", ip)))
		Eventually(addresses("good")).Should(Equal(ip))
		create(newService("taken", families, annotated("ips", ip)), newService("bad", families, annotated("ips", outside)))
		Eventually(allocated("taken")).Should(Equal("False AddressTaken"))
		Eventually(allocated("bad")).Should(Equal("False " + reason))
		Eventually(eventsOf("taken")).Should(HaveExactElements("Warning AddressTaken"))
		Eventually(eventsOf("bad")).Should(HaveExactElements("Warning " + reason))
		Expect(message(getService("taken").Status.Conditions, v1alpha1.ConditionAllocated)).To(And(ContainSubstring(ip), ContainSubstring("default/good")))
		Consistently(addresses("taken")).Should(BeEmpty())
		Expect(addresses("bad")()).To(BeEmpty())
		deleteService("good")
		Eventually(addresses("taken")).Should(Equal(ip))
	},
		Entry("IPv4, outside", "4", "203.0.113.9", "198.51.100.1", "NotInPool"),
		Entry("IPv6, outside", "6", "2001:db8::9", "2001:db8:1::1", "NotInPool"),
		Entry("malformed", "4", "203.0.113.9", "203.0.113.300", "InvalidRequest"),
		Entry("a name", "6", "2001:db8::9", "router.example", "InvalidRequest"),
		Entry("IPv4-mapped", "4", "203.0.113.9", "::ffff:203.0.113.8", "InvalidRequest"),
	)

	It("A2 both families in dual stack, and one of them", func() {
		runManager()
		create(newPool("p", "203.0.113.0/24", "2001:db8::/64"))
		create(newService("both", "46", annotated("ips", "2001:db8::7, 203.0.113.7")), newService("one", "64", annotated("ips", "203.0.113.8")))
		Eventually(addresses("both")).Should(Equal("203.0.113.7 2001:db8::7"))
		Eventually(addresses("one")).Should(Equal("2001:db8:: 203.0.113.8"))
		create(newService("half", "46", preferDualStack, annotated("ips", "203.0.113.7")))
		Eventually(allocated("half")).Should(Equal("False AddressTaken"))
		Expect(addresses("half")()).To(BeEmpty(), "no fallback to the other family")
	})

	DescribeTable("A3 refuses what can't be", func(families, says string, change ...func(*corev1.Service)) {
		runManager()
		create(newPool("p", "203.0.113.0/24", "2001:db8::/64"), newPool("q", "198.51.100.0/24"))
		create(newService("a", families, change...))
		Eventually(allocated("a")).Should(Equal("False InvalidRequest"))
		Expect(message(getService("a").Status.Conditions, v1alpha1.ConditionAllocated)).To(ContainSubstring(says))
		Expect(addresses("a")()).To(BeEmpty())
		By("mended")
		changeService("a", loadBalancerIP(""), annotated("ips", "", "pool", ""))
		Eventually(allocated("a")).Should(Equal("True Allocated"))
	},
		Entry("annotation and field disagree", "4", "asks for 203.0.113.1, spec.loadBalancerIP for 203.0.113.2", annotated("ips", "203.0.113.1"), loadBalancerIP("203.0.113.2")),
		Entry("two of one family", "46", "are both IPv4", annotated("ips", "203.0.113.1,203.0.113.2")),
		Entry("a family that the Service doesn't have", "4", "IPv6 is not in spec.ipFamilies", annotated("ips", "2001:db8::1")),
		Entry("the field, of another family", "6", "IPv4 is not in spec.ipFamilies", loadBalancerIP("203.0.113.1")),
		Entry("an address of another pool", "4", `it is of IPAddressPool "p" and annotation herald-lb.io/pool asks for "q"`, annotated("ips", "203.0.113.1", "pool", "q")),
		Entry("a malformed field", "4", `spec.loadBalancerIP: "many" is not an address`, loadBalancerIP("many")),
	)

	It("A4 A5 a pool is used on request, and a change of the request moves the Service", func() {
		runManager()
		create(newPool("auto", "203.0.113.0/24"), poolWith("asked", "198.51.100.0/31", noAuto), poolWith("other", "192.0.2.0/24", noAuto))
		create(newService("a", "4", annotated("pool", "asked")))
		Eventually(addresses("a")).Should(Equal("198.51.100.0"))
		create(newService("b", "4", loadBalancerIP("198.51.100.1")))
		Eventually(addresses("b")).Should(Equal("198.51.100.1"))
		changeService("a", annotated("pool", "other"))
		Eventually(addresses("a")).Should(Equal("192.0.2.0"))
		changeService("a", annotated("ips", "192.0.2.99"))
		Eventually(addresses("a")).Should(Equal("192.0.2.99"))
		By("what it had is free again")
		create(newService("c", "4", annotated("pool", "asked")), newService("d", "4", annotated("ips", "192.0.2.0")))
		Eventually(addresses("c")).Should(Equal("198.51.100.0"))
		Eventually(addresses("d")).Should(Equal("192.0.2.0"))
		By("a request taken back moves nothing")
		changeService("a", annotated("ips", "", "pool", ""))
		Consistently(addresses("a")).Should(Equal("192.0.2.99"))
	})

	It("A4 a refused request leaks nothing, and the Service stays as it was", func() {
		runManager()
		create(newPool("p", "203.0.113.0/30"), newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		for _, ips := range []string{"198.51.100.1", "junk", "2001:db8::1", "203.0.113.1,203.0.113.2", "203.0.113.3,198.51.100.1"} {
			changeService("a", annotated("ips", ips))
			Eventually(allocated("a")).Should(Equal("False AddressKept"))
			Expect(addresses("a")()).To(Equal("203.0.113.0"))
			changeService("a", annotated("ips", ""))
			Eventually(allocated("a")).Should(Equal("True Allocated"))
		}
		for i := range 3 {
			create(newService(fmt.Sprint("s", i), "4"))
			Eventually(addresses(fmt.Sprint("s", i))).Should(Equal(fmt.Sprint("203.0.113.", i+1)))
		}
		By("a restart doesn't take what is kept")
		changeService("a", annotated("ips", "198.51.100.1"))
		Eventually(allocated("a")).Should(Equal("False AddressKept"))
		Eventually(counted("p")).Should(HaveField("Assigned", "4"))
	})

	It("A6 .0 and .255 are neither given out nor requestable; switched on later, their holders move", func() {
		runManager()
		pool := newPool("p", "203.0.113.254-203.0.114.1", "2001:db8::/127")
		create(pool)
		for i, ip := range []string{"203.0.113.254", "203.0.113.255", "203.0.114.0"} {
			create(newService(fmt.Sprint("s", i), "4"))
			Eventually(addresses(fmt.Sprint("s", i))).Should(Equal(ip))
		}
		change(pool, func(p *v1alpha1.IPAddressPool) { p.Spec.AvoidBuggyIPs = true })
		Eventually(addresses("s1")).Should(Equal("203.0.114.1"))
		Eventually(addresses("s2")).Should(BeEmpty())
		Eventually(allocated("s2")).Should(Equal("False PoolExhausted"))
		Expect(addresses("s0")()).To(Equal("203.0.113.254"))
		create(newService("asks", "4", annotated("ips", "203.0.113.255")), newService("six", "6"))
		Eventually(allocated("asks")).Should(Equal("False NotInPool"))
		Expect(message(getService("asks").Status.Conditions, v1alpha1.ConditionAllocated)).To(ContainSubstring("avoidBuggyIPs"))
		Eventually(addresses("six")).Should(Equal("2001:db8::"))
		Eventually(counted("p")).Should(HaveField("Total", "2"))
	})

	It("A16 what is excluded, and pools that take no requests", func() {
		runManager()
		closed := poolWith("closed", "203.0.113.0/30", func(spec *v1alpha1.IPAddressPoolSpec) {
			spec.AllowRequests = new(false)
			spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.0-203.0.113.1"}
		})
		create(closed, newService("plain", "4"))
		Eventually(addresses("plain")).Should(Equal("203.0.113.2"))
		create(newService("ip", "4", annotated("ips", "203.0.113.3")), newService("out", "4", annotated("ips", "203.0.113.1")), newService("pool", "4", annotated("pool", "closed"))) // the youngest: it takes what the others leave
		Eventually(allocated("ip")).Should(Equal("False NotAllowed"))
		Eventually(allocated("pool")).Should(Equal("False NotAllowed"))
		Eventually(allocated("out")).Should(Equal("False NotInPool"))
		Expect(message(getService("out").Status.Conditions, v1alpha1.ConditionAllocated)).To(ContainSubstring(`"closed" excludes it`))
		change(closed, func(p *v1alpha1.IPAddressPool) { p.Spec.Exclude = []v1alpha1.AddressBlock{"203.0.113.2/32"} })
		Eventually(addresses("plain")).Should(Equal("203.0.113.0"))
		change(closed, func(p *v1alpha1.IPAddressPool) { p.Spec.AllowRequests = nil })
		Eventually(addresses("ip")).Should(Equal("203.0.113.3"))
		Eventually(addresses("out")).Should(Equal("203.0.113.1"))
	})

	It("A17 a disabled pool keeps what it has and gives nothing new", func() {
		runManager()
		pool := newPool("p", "203.0.113.0/24")
		create(pool, newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		change(pool, func(p *v1alpha1.IPAddressPool) { p.Spec.Disabled = true })
		Eventually(func() string { return brief(poolStatus("p")().Conditions, v1alpha1.ConditionAccepted) }).Should(Equal("True Disabled"))
		create(newService("b", "4"), newService("c", "4", annotated("ips", "203.0.113.7")), newService("d", "4", annotated("pool", "p")))
		Eventually(allocated("b")).Should(Equal("False NoPool"))
		Eventually(allocated("c")).Should(Equal("False NotAllowed"))
		Eventually(allocated("d")).Should(Equal("False NotAllowed"))
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
		change(pool, func(p *v1alpha1.IPAddressPool) { p.Spec.Disabled = false })
		Eventually(addresses("c")).Should(Equal("203.0.113.7"))
		Eventually(addresses("b")).ShouldNot(BeEmpty())
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
	})
})

var _ = Describe("Bound pools", func() {
	bound := func(name, block string, allocation v1alpha1.ServiceAllocation) *v1alpha1.IPAddressPool {
		return poolWith(name, block, func(spec *v1alpha1.IPAddressPoolSpec) { spec.ServiceAllocation = &allocation })
	}
	app := func(value string) []metav1.LabelSelector {
		return []metav1.LabelSelector{{MatchLabels: map[string]string{"app": value}}}
	}

	It("A9 serves only those it is bound to, requests included", func() {
		runManager()
		create(bound("web", "203.0.113.0/24", v1alpha1.ServiceAllocation{ServiceSelectors: app("web")}),
			bound("nobody", "198.51.100.0/24", v1alpha1.ServiceAllocation{Namespaces: []v1alpha1.NamespaceName{"none-such"}}))
		create(newService("a", "4", labelled("app", "web")), newService("b", "4"),
			newService("c", "4", annotated("ips", "203.0.113.9")), newService("d", "4", annotated("pool", "nobody")))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		Eventually(allocated("b")).Should(Equal("False NoPool"))
		Eventually(allocated("c")).Should(Equal("False NotAllowed"))
		Eventually(allocated("d")).Should(Equal("False NotAllowed"))
		By("a change of labels")
		changeService("b", labelled("app", "web"))
		Eventually(addresses("b")).Should(Equal("203.0.113.1"))
		changeService("a", labelled("app", "db"))
		Consistently(addresses("a")).Should(Equal("203.0.113.0"), "what is assigned stays")
	})

	It("A9 by the namespace's labels, which may come later", func() {
		runManager()
		create(bound("p", "203.0.113.0/24", v1alpha1.ServiceAllocation{NamespaceSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"tenant": "a"}}}}))
		create(newService("a", "4"))
		Eventually(allocated("a")).Should(Equal("False NoPool"))
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		change(namespace, func(n *corev1.Namespace) { n.Labels["tenant"] = "a" })
		DeferCleanup(func() { change(namespace, func(n *corev1.Namespace) { delete(n.Labels, "tenant") }) })
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
	})

	It("A9 priority 1 before 10 before none; a full pool yields to the next", func() {
		runManager()
		create(newPool("a-none", "192.0.2.0/31"), bound("b-ten", "198.51.100.0/32", v1alpha1.ServiceAllocation{Priority: 10}),
			bound("c-one", "203.0.113.0/32", v1alpha1.ServiceAllocation{Priority: 1}))
		for i, ip := range []string{"203.0.113.0", "198.51.100.0", "192.0.2.0"} {
			create(newService(fmt.Sprint("s", i), "4"))
			Eventually(addresses(fmt.Sprint("s", i))).Should(Equal(ip))
		}
	})

	It("A10 expanding, renaming and splitting keeps every address", func() {
		runManager()
		pool := newPool("p", "203.0.113.0/30")
		create(pool)
		held := map[string]string{}
		for i := range 4 {
			name := fmt.Sprint("s", i)
			create(newService(name, "4"))
			Eventually(addresses(name)).ShouldNot(BeEmpty())
			held[name] = addresses(name)()
		}
		create(newService("waits", "4"))
		Eventually(allocated("waits")).Should(Equal("False PoolExhausted"))
		unmoved := func(g Gomega) {
			for name, ip := range held {
				g.Expect(addresses(name)()).To(Equal(ip))
			}
		}
		change(pool, func(p *v1alpha1.IPAddressPool) { p.Spec.Addresses = []v1alpha1.AddressBlock{"203.0.113.0/29"} })
		Eventually(addresses("waits")).Should(Equal("203.0.113.4"))
		By("another one of another name has part of it, while the first is shrunk at the same time")
		create(newPool("q", "203.0.113.2/31"))
		change(pool, func(p *v1alpha1.IPAddressPool) {
			p.Spec.Addresses = []v1alpha1.AddressBlock{"203.0.113.0/31", "203.0.113.4/30"}
		})
		Eventually(func() string { return brief(poolStatus("q")().Conditions, v1alpha1.ConditionAccepted) }).Should(Equal("True Accepted"))
		Consistently(unmoved).Should(Succeed())
		Consistently(eventsOf("s2")).ShouldNot(ContainElement("Warning AddressReplaced"))
	})

	It("A14 counts huge IPv6 ranges", func() {
		runManager()
		create(newPool("p", "2001:db8::/32"), newService("a", "6"))
		Eventually(addresses("a")).Should(Equal("2001:db8::"))
		Eventually(func() *v1alpha1.AddressCount { return poolStatus("p")().IPv6 }).Should(Equal(&v1alpha1.AddressCount{
			Total: "79228162514264337593543950336", Assigned: "1", Free: "79228162514264337593543950335",
		}))
	})
})

var _ = Describe("Sharing", func() {
	key := func(text string) func(*corev1.Service) { return annotated("sharing-key", text) }

	DescribeTable("A7 one key and disjoint ports make one address", func(families, ip string) {
		runManager()
		create(newPool("p", "203.0.113.0/32", "2001:db8::/128"))
		create(newService("tcp", families, key("dns"), ports("TCP", 53)))
		Eventually(addresses("tcp")).Should(Equal(ip))
		create(newService("udp", families, key("dns"), ports("UDP", 53)), newService("same", families, key("dns"), ports("TCP", 80, "UDP", 53)),
			newService("other", families, key("web"), ports("TCP", 443)), newService("none", families, ports("TCP", 8080)))
		Eventually(addresses("udp")).Should(Equal(ip))
		for _, name := range []string{"same", "other", "none"} {
			Eventually(allocated(name)).Should(Equal("False PoolExhausted"))
			Expect(addresses(name)()).To(BeEmpty())
		}
		By("a port becomes free")
		deleteService("udp")
		Eventually(addresses("same")).Should(Equal(ip))
	},
		Entry("IPv4", "4", "203.0.113.0"), Entry("IPv6", "6", "2001:db8::"),
	)

	It("A7 D4 dual stack, and the address stays until the last user goes", func() {
		runManager()
		create(newPool("p", "203.0.113.0/31", "2001:db8::/127"))
		create(newService("a", "46", key("k"), ports("TCP", 80)))
		Eventually(addresses("a")).Should(Equal("203.0.113.0 2001:db8::"))
		create(newService("b", "46", key("k"), ports("TCP", 443)))
		Eventually(addresses("b")).Should(Equal("203.0.113.0 2001:db8::"))
		deleteService("a")
		create(newService("c", "46"))
		Eventually(addresses("c")).Should(Equal("203.0.113.1 2001:db8::1"))
		Expect(addresses("b")()).To(Equal("203.0.113.0 2001:db8::"))
	})

	It("A7 asked for: same port and protocol is refused with the reason", func() {
		runManager()
		create(newPool("p", "203.0.113.0/24"), newService("a", "4", key("k"), ports("TCP", 80)))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		create(newService("b", "4", key("k"), ports("TCP", 80), annotated("ips", "203.0.113.0")))
		Eventually(allocated("b")).Should(Equal("False AddressTaken"))
		Expect(message(getService("b").Status.Conditions, v1alpha1.ConditionAllocated)).To(ContainSubstring("both use TCP/80"))
		By("who asks for nothing gets an address of its own")
		create(newService("c", "4", key("k"), ports("TCP", 80)))
		Eventually(addresses("c")).Should(Equal("203.0.113.1"))
	})

	DescribeTable("A7 Local only with the same pods and policy", func(shares bool, change ...func(*corev1.Service)) {
		runManager()
		create(newPool("p", "203.0.113.0/24"), newService("a", "4", key("k"), ports("TCP", 80), local, selecting("web")))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		create(newService("b", "4", append(change, key("k"), ports("TCP", 443))...))
		if shares {
			Eventually(addresses("b")).Should(Equal("203.0.113.0"))
		} else {
			Eventually(addresses("b")).Should(Equal("203.0.113.1"))
		}
	},
		Entry("both", true, local, selecting("web")), Entry("other pods", false, local, selecting("db")),
		Entry("other policy", false, selecting("web")), Entry("no selector", false, local),
	)

	It("A8 a sole user changes its key and keeps the address; one that waits and comes to fit gets it at once", func() {
		runManager()
		create(newPool("p", "203.0.113.0/32"), newService("a", "4", key("one"), ports("TCP", 80)))
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		create(newService("b", "4", key("two"), ports("TCP", 443)))
		Eventually(allocated("b")).Should(Equal("False PoolExhausted"))
		changeService("a", key("two"))
		Eventually(addresses("b")).Should(Equal("203.0.113.0"))
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
		By("ports")
		create(newService("c", "4", key("two"), ports("TCP", 80), annotated("ips", "203.0.113.0")))
		Eventually(allocated("c")).Should(Equal("False AddressTaken"))
		changeService("c", ports("TCP", 8080))
		Eventually(addresses("c")).Should(Equal("203.0.113.0"))
		By("another one's ports")
		create(newService("d", "4", key("two"), ports("TCP", 443)))
		Eventually(allocated("d")).Should(Equal("False PoolExhausted"))
		changeService("b", ports("TCP", 444))
		Eventually(addresses("d")).Should(Equal("203.0.113.0"))
		By("one of several users loses the right with its key")
		changeService("d", key("three"))
		Eventually(addresses("d")).Should(BeEmpty())
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
	})
})

func changeService(name string, how ...func(*corev1.Service)) {
	GinkgoHelper()
	change(newService(name, ""), func(service *corev1.Service) {
		for _, h := range how {
			h(service)
		}
	})
}
