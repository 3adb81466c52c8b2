package controllers_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
)

var _ = Describe("Allocation", func() {
	DescribeTable("A1 lowest free first, the third waits, and gets what is released",
		func(families, first, second string) {
			runManager()
			create(newPool("only", "203.0.113.4-203.0.113.5", "2001:db8::4-2001:db8::5"))
			create(newService("a", families))
			Eventually(addresses("a")).Should(Equal(first))
			create(newService("b", families))
			Eventually(addresses("b")).Should(Equal(second))
			create(newService("c", families))
			Eventually(allocated("c")).Should(Equal("False PoolExhausted"))
			Expect(addresses("c")()).To(BeEmpty())
			Eventually(notesOf("c", "PoolExhausted")).Should(HaveExactElements(ContainSubstring(`"only"`)))
			Expect(eventsOf("c")()).To(HaveExactElements("Warning PoolExhausted"))

			deleteService("a")
			Eventually(addresses("c")).Should(Equal(first))
			Expect(allocated("c")()).To(Equal("True Allocated"))
			Expect(addresses("b")()).To(Equal(second))
			Eventually(eventsOf("c")).Should(HaveExactElements("Normal Allocated", "Warning PoolExhausted"))
		},
		Entry("IPv4", "4", "203.0.113.4", "203.0.113.5"),
		Entry("IPv6", "6", "2001:db8::4", "2001:db8::5"),
		Entry("dual stack", "46", "203.0.113.4 2001:db8::4", "203.0.113.5 2001:db8::5"),
		Entry("dual stack, IPv6 first", "64", "2001:db8::4 203.0.113.4", "2001:db8::5 203.0.113.5"),
	)

	It("A5 never uses autoAssign: false unasked", func() {
		runManager()
		pool := newPool("a-first", "203.0.113.0/24")
		no := false
		pool.Spec.AutoAssign = &no
		create(pool, newService("a", "4"))
		Eventually(allocated("a")).Should(Equal("False NoPool"))
		create(newPool("z-last", "198.51.100.9/32"))
		Eventually(addresses("a")).Should(Equal("198.51.100.9"))
		create(newService("b", "4"))
		Eventually(allocated("b")).Should(Equal("False PoolExhausted"))
		Consistently(addresses("b")).Should(BeEmpty())
	})

	It("A10 shrinking a pool moves only what is outside, deleting it too", func() {
		runManager()
		pool := newPool("p", "203.0.113.0/30")
		create(pool)
		for i := range 4 {
			create(newService(fmt.Sprint("s", i), "4"))
			Eventually(addresses(fmt.Sprint("s", i))).Should(Equal(fmt.Sprint("203.0.113.", i)))
		}
		create(newPool("q", "198.51.100.0/32"))
		change(pool, func(p *v1alpha1.IPAddressPool) { p.Spec.Addresses = []v1alpha1.AddressBlock{"203.0.113.1-203.0.113.2"} })
		Eventually(allocated("s3")).Should(Equal("False PoolExhausted"))
		Eventually(addresses("s0")).Should(Equal("198.51.100.0"))
		Expect(addresses("s1")()).To(Equal("203.0.113.1"))
		Expect(addresses("s2")()).To(Equal("203.0.113.2"))
		Expect(addresses("s3")()).To(BeEmpty())
		Eventually(eventsOf("s0")).Should(ContainElement("Warning AddressReplaced"))
		Expect(k8s.Delete(ctx, pool)).To(Succeed())
		Eventually(addresses("s1")).Should(BeEmpty())
		Eventually(addresses("s2")).Should(BeEmpty())
		Expect(addresses("s0")()).To(Equal("198.51.100.0"))
	})

	It("A12 clears and frees on a change of type, and replaces garbage", func() {
		runManager()
		create(newPool("p", "203.0.113.7/32"), newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("203.0.113.7"))
		create(newService("b", "4"))
		Eventually(allocated("b")).Should(Equal("False PoolExhausted"))

		change(getService("a"), func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
		Eventually(addresses("b")).Should(Equal("203.0.113.7"))
		Eventually(allocated("a")).Should(BeEmpty())
		Expect(addresses("a")()).To(BeEmpty())

		for _, garbage := range []corev1.LoadBalancerIngress{{IP: "192.0.2.9"}, {Hostname: "elsewhere.example"}} {
			changeStatus(getService("b"), func(s *corev1.Service) {
				s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{garbage}
			})
			Eventually(addresses("b")).Should(Equal("203.0.113.7"))
		}
		changeStatus(getService("b"), func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = nil })
		Eventually(addresses("b")).Should(Equal("203.0.113.7"))
	})

	It("A12 a Service that comes back with another class is left to that class", func() {
		runManager()
		create(newPool("p", "203.0.113.7/32"), newService("a", "4"))
		Eventually(addresses("a")).Should(Equal("203.0.113.7"))
		change(getService("a"), func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
		Eventually(allocated("a")).Should(BeEmpty())
		Eventually(announced("a")).Should(BeEmpty())
		change(getService("a"), func(s *corev1.Service) {
			s.Spec.Type = corev1.ServiceTypeLoadBalancer
			class("example.com/other")(s)
		})
		version := getService("a").ResourceVersion
		create(newService("b", "4"))
		Eventually(addresses("b")).Should(Equal("203.0.113.7"))
		Expect(getService("a").ResourceVersion).To(Equal(version))
	})

	It("A15 never writes to Services of another class", func() {
		runManager()
		create(newService("other", "4", class("example.com/other")), newService("cluster", "4", func(s *corev1.Service) {
			s.Spec.Type = corev1.ServiceTypeClusterIP
		}))
		changeStatus(getService("other"), func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.0"}}
		})
		versions := []string{getService("other").ResourceVersion, getService("cluster").ResourceVersion}
		create(newPool("p", "203.0.113.0/24"), newService("ours", "4", class("herald-lb.io/bgp")))
		Eventually(allocated("ours")).Should(Equal("True Allocated"))
		Consistently(func() []string {
			return []string{getService("other").ResourceVersion, getService("cluster").ResourceVersion}
		}).Should(Equal(versions))
	})

	It("A15 says live by the Herald object which Services are its own, and lets go of the others", func() {
		manager := runManager()
		create(newPool("p", "203.0.113.0/24"), newService("classless", "4"))
		Eventually(addresses("classless")).Should(Equal("203.0.113.0"))
		create(newService("ours", "4", class("herald-lb.io/bgp")), newService("other", "4", class("example.com/bgp")))
		Eventually(addresses("ours")).Should(Equal("203.0.113.1"))

		By("another class")
		object := newHerald()
		object.Spec.LoadBalancerClass = "example.com/bgp"
		create(object)
		Eventually(addresses("other")).ShouldNot(BeEmpty())
		Eventually(addresses("ours")).Should(BeEmpty())
		Eventually(allocated("ours")).Should(BeEmpty())
		Expect(addresses("classless")()).To(Equal("203.0.113.0"))

		By("classless Services are left to others")
		held := addresses("other")()
		change(newHerald(), func(h *v1alpha1.Herald) { h.Spec.ClaimClassless = new(bool) })
		Eventually(addresses("classless")).Should(BeEmpty())
		Eventually(allocated("classless")).Should(BeEmpty())
		Expect(addresses("other")()).To(Equal(held))

		By("a manager that starts anew gives them nothing, not even at first")
		manager.end()
		create(newService("late", "4"))
		versions := []string{getService("classless").ResourceVersion, getService("late").ResourceVersion}
		runManager()
		create(newService("last", "4", class("example.com/bgp")))
		Eventually(allocated("last")).Should(Equal("True Allocated"))
		Expect([]string{getService("classless").ResourceVersion, getService("late").ResourceVersion}).To(Equal(versions))

		By("they are claimed again")
		change(newHerald(), func(h *v1alpha1.Herald) { h.Spec = v1alpha1.HeraldSpec{} })
		Eventually(addresses("classless")).ShouldNot(BeEmpty())
		Eventually(addresses("late")).ShouldNot(BeEmpty())
		Eventually(addresses("ours")).ShouldNot(BeEmpty())
		Eventually(addresses("other")).Should(BeEmpty())
		Eventually(addresses("last")).Should(BeEmpty())
	})

	It("A18 leaves foreign addresses alone and adopts those in a pool", func() {
		foreign, inside, host := newService("foreign", "4"), newService("inside", "4"), newService("host", "4")
		create(foreign, inside, host)
		for service, entry := range map[*corev1.Service]corev1.LoadBalancerIngress{
			foreign: {IP: "192.0.2.7"}, inside: {IP: "203.0.113.77"}, host: {Hostname: "elsewhere.example"},
		} {
			changeStatus(service, func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{entry} })
		}
		versions := map[string]string{}
		for _, name := range []string{"foreign", "inside", "host"} {
			versions[name] = getService(name).ResourceVersion
		}
		By("no pool, no write")
		runManager()
		Consistently(func() map[string]string {
			now := map[string]string{}
			for name := range versions {
				now[name] = getService(name).ResourceVersion
			}
			return now
		}).Should(Equal(versions))
		By("a pool")
		create(newPool("p", "203.0.113.0/24"))
		Eventually(allocated("inside")).Should(Equal("True Allocated"))
		Eventually(allocated("foreign")).Should(Equal("False ForeignAddress"))
		Eventually(allocated("host")).Should(Equal("False ForeignAddress"))
		Expect(addresses("inside")()).To(Equal("203.0.113.77"))
		create(newService("fresh", "4"))
		Eventually(addresses("fresh")).Should(Equal("203.0.113.0"))
		Consistently(addresses("foreign")).Should(Equal("192.0.2.7"))
		Expect(addresses("host")()).To(Equal("elsewhere.example"))
		By("a pool that comes to hold it")
		create(newPool("q", "192.0.2.0/28"))
		Eventually(allocated("foreign")).Should(Equal("True Allocated"))
		Expect(addresses("foreign")()).To(Equal("192.0.2.7"))
	})

	It("A13 PreferDualStack takes what there is, and the rest when it comes", func() {
		runManager()
		create(newPool("four", "203.0.113.0/30"), newService("prefer", "46", preferDualStack), newService("require", "46"))
		Eventually(addresses("prefer")).Should(Equal("203.0.113.0"))
		Eventually(allocated("require")).Should(Equal("False NoPool"))
		create(newPool("six", "2001:db8::/126"))
		Eventually(addresses("prefer")).Should(Equal("203.0.113.0 2001:db8::"))
		Eventually(addresses("require")).Should(Equal("203.0.113.1 2001:db8::1"))
		change(getService("prefer"), func(s *corev1.Service) {
			single := corev1.IPFamilyPolicySingleStack
			s.Spec.IPFamilyPolicy, s.Spec.IPFamilies, s.Spec.ClusterIPs = &single, s.Spec.IPFamilies[:1], s.Spec.ClusterIPs[:1]
		})
		Eventually(addresses("prefer")).Should(Equal("203.0.113.0"))
	})

	It("one address with two Services stays with the one that holds it longer", func() {
		create(newPool("p", "203.0.113.0/24"), newService("young", "4"), newService("old", "4"))
		for name, since := range map[string]time.Duration{"young": time.Minute, "old": time.Hour} {
			changeStatus(getService(name), func(s *corev1.Service) {
				s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}}
				s.Status.Conditions = []metav1.Condition{{
					Type: v1alpha1.ConditionAllocated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAllocated,
					LastTransitionTime: metav1.NewTime(time.Now().Add(-since)),
				}}
			})
		}
		runManager()
		Eventually(addresses("young")).Should(Equal("203.0.113.0"))
		Expect(addresses("old")()).To(Equal("203.0.113.9"))
		for _, name := range []string{"young", "old"} {
			Eventually(eventsOf(name)).Should(ContainElement("Warning AddressConflict"))
		}
	})
})

var _ = Describe("A11 restart and failover move nothing", func() {
	const services = 24

	// held addresses by Service.
	held := func() map[string]string {
		list := &corev1.ServiceList{}
		Expect(k8s.List(ctx, list)).To(Succeed())
		all := map[string]string{}
		for i := range list.Items {
			if ingress := ingressOf(&list.Items[i]); ingress != "" {
				all[list.Items[i].Name] = ingress
			}
		}
		return all
	}
	// fill makes Services with gaps between their addresses; two are left waiting.
	fill := func() map[string]string {
		for i := range services + 2 {
			create(newService(fmt.Sprintf("s%02d", i), []string{"4", "46"}[i%2]))
		}
		Eventually(held).Should(HaveLen(services))
		for i := range 4 {
			for name := range held() {
				if name == fmt.Sprintf("s%02d", i*5) {
					deleteService(name)
				}
			}
		}
		Eventually(held).Should(HaveLen(services - 2)) // four went, two that waited got an address
		return held()
	}
	// unmoved: who lives has what it had, and nobody else has it.
	unmoved := func(g Gomega, before map[string]string) {
		now := held()
		seen := map[string]string{}
		for name, ingress := range now {
			g.Expect(seen).NotTo(HaveKey(ingress), "%s and %s", name, seen[ingress])
			seen[ingress] = name
		}
		for name, ingress := range before {
			g.Expect(now).To(HaveKeyWithValue(name, ingress))
		}
	}
	pool := func() *v1alpha1.IPAddressPool {
		return newPool("p", "203.0.113.0-203.0.113.23", "2001:db8::/64")
	}

	It("A11 after a restart", func() {
		first := runManager()
		create(pool())
		before := fill()
		first.end()
		By("Services come and go while nobody is there")
		victim := slices.Sorted(maps.Keys(before))[0]
		deleteService(victim)
		delete(before, victim)
		create(newService("meanwhile", "4"))
		runManager()
		Eventually(addresses("meanwhile")).ShouldNot(BeEmpty())
		Consistently(unmoved).WithArguments(before).Should(Succeed())
	})

	It("A11 after the leader is gone without giving up its lease", func() {
		lease := quickLease
		lease.KeepOnStop = true
		options := controllers.Options{LeaderElect: true, Lease: lease}
		first := startManager(options)
		create(pool())
		before := fill()
		startManager(options)
		By("the leader dies in the middle of work")
		for i := range 6 {
			create(newService(fmt.Sprint("burst", i), "4"))
		}
		first.stop()
		extra := newPool("q", "198.51.100.0/24")
		create(extra)
		for i := range 6 {
			Eventually(addresses(fmt.Sprint("burst", i))).ShouldNot(BeEmpty())
		}
		unmoved(Default, before)
	})

	It("A11 after the leader gives up its lease, at once", func() {
		options := controllers.Options{LeaderElect: true, Lease: longLease}
		first := startManager(options)
		create(pool())
		before := fill()
		startManager(options)
		first.end()
		create(newService("after", "6"))
		Eventually(addresses("after")).ShouldNot(BeEmpty())
		unmoved(Default, before)
	})
})
