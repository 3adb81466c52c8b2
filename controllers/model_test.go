package controllers_test

import (
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/test/model"
)

var (
	modelSeed  = flag.Int64("manager.seed", 1, "seed of the model test of the manager")
	modelSteps = flag.Int("manager.steps", 300, "operations of the model test of the manager")
)

// realCluster is the model's cluster with the real API server and real managers.
type realCluster struct {
	leader *process
}

func (c *realCluster) State() model.State {
	GinkgoHelper()
	services, pools := &corev1.ServiceList{}, &v1alpha1.IPAddressPoolList{}
	Expect(k8s.List(ctx, services, client.InNamespace("default"))).To(Succeed())
	Expect(k8s.List(ctx, pools)).To(Succeed())
	var state model.State
	for i := range services.Items {
		if services.Items[i].Spec.Type == corev1.ServiceTypeLoadBalancer {
			state.Services = append(state.Services, &services.Items[i])
		}
	}
	for i := range pools.Items {
		state.Pools = append(state.Pools, &pools.Items[i])
	}
	return state
}

func (c *realCluster) CreateService(service *corev1.Service)   { create(service) }
func (c *realCluster) CreatePool(pool *v1alpha1.IPAddressPool) { create(pool) }
func (c *realCluster) DeleteService(name string)               { deleteService(name) }
func (c *realCluster) DeletePool(name string)                  { Expect(k8s.Delete(ctx, newPool(name))).To(Succeed()) }
func (c *realCluster) UpdatePool(want *v1alpha1.IPAddressPool) {
	change(newPool(want.Name), func(pool *v1alpha1.IPAddressPool) { pool.Spec = want.Spec })
}

func (c *realCluster) UpdateService(want *corev1.Service) {
	change(newService(want.Name, ""), func(service *corev1.Service) {
		service.Annotations, service.Labels = want.Annotations, want.Labels
		service.Spec.LoadBalancerIP, service.Spec.Selector = want.Spec.LoadBalancerIP, want.Spec.Selector
		service.Spec.ExternalTrafficPolicy, service.Spec.Ports = want.Spec.ExternalTrafficPolicy, want.Spec.Ports
	})
}

func (c *realCluster) WriteIngress(name, ip string) {
	changeStatus(newService(name, ""), func(service *corev1.Service) {
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	})
}

// Restart: the leader ends, and another one starts.
func (c *realCluster) Restart() {
	c.leader.end()
	c.leader = startManager(controllers.Options{})
}

// Failover: another manager decides while the former one still works, which is
// worse than leader election allows.
func (c *realCluster) Failover() {
	former := c.leader
	c.leader = startManager(controllers.Options{})
	former.end()
}

var _ = Describe("Model", func() {
	It("A1 A10 A11 A19 random operations leave no duplicate, no address outside its pool, none moved, nobody waiting who could be served", func() {
		cluster := &realCluster{leader: startManager(controllers.Options{})}
		generator := &model.Generator{Random: rand.New(rand.NewSource(*modelSeed)), Most: 16}
		var before *model.State
		var history []string
		done := 0
		defer func() { GinkgoWriter.Printf("%d operations, seed %d\n", done, *modelSeed) }()
		excuses := model.NewExcuses()
		deadline := time.Now().Add(modelTime)
		if testing.Short() {
			deadline = time.Now().Add(modelTime / 4)
		}
		for step := 0; step < *modelSteps && time.Now().Before(deadline); step++ {
			done++
			state := cluster.State()
			what, names := generator.Step(cluster)
			history = append(history, fmt.Sprint(step, ": ", what))
			excuses.NotePools(before, cluster.State())
			for _, name := range names {
				excuses.Note(name, state)
				excuses.Note(name, cluster.State())
			}
			if generator.Random.Intn(6) > 0 {
				continue
			}
			Eventually(func() []string { return model.Check(before, cluster.State(), excuses) }).Should(BeEmpty(), func() string {
				return fmt.Sprintf("seed %d, after\n%s\n%s", *modelSeed, strings.Join(history, "\n"), model.Describe(before, cluster.State()))
			})
			now := cluster.State()
			before, history, excuses = &now, nil, model.NewExcuses()
		}
	})
})

// modelTime bounds the model test of the manager.
const modelTime = 40 * time.Second

var _ = Describe("A19 a late write of a former leader", func() {
	// late is the write of a leader that has read the Service before.
	late := func(read *corev1.Service, ip string) error {
		written := read.DeepCopy()
		written.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
		written.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionAllocated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAllocated, LastTransitionTime: metav1.Now(),
		}}
		return k8s.Status().Patch(ctx, written, client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{}))
	}

	It("A19 is refused where the new leader has written, and undone with a warning where it hasn't", func() {
		create(newPool("p", "203.0.113.0/24"), newService("a", "4"), newService("b", "4", annotated("ips", "198.51.100.9")))
		readA := getService("a")
		runManager()
		Eventually(addresses("a")).Should(Equal("203.0.113.0"))
		Eventually(allocated("b")).Should(Equal("False NotInPool"))
		Expect(apierrors.IsConflict(late(readA, "203.0.113.7"))).To(BeTrue())
		By("a write that is based on what stands there now")
		Eventually(func() error { return late(getService("b"), "203.0.113.0") }).Should(Succeed())
		Eventually(addresses("b")).Should(BeEmpty())
		Expect(addresses("a")()).To(Equal("203.0.113.0"))
		for _, name := range []string{"a", "b"} {
			Eventually(eventsOf(name)).Should(ContainElement("Warning AddressConflict"))
		}
	})
})
