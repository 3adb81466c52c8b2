package scenarios

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

// allNodes of the site.
var allNodes = []string{"node1", "node2", "node3"}

// Blocks of addresses for pools.
const (
	block4 = "203.0.113.0/24"
	block6 = "2001:db8:113::/120"
)

// stack is what families a Service asks for, for tables.
type stack struct {
	name     string
	families []corev1.IPFamily
}

var (
	onlyIPv4  = stack{"IPv4", []corev1.IPFamily{corev1.IPv4Protocol}}
	onlyIPv6  = stack{"IPv6", []corev1.IPFamily{corev1.IPv6Protocol}}
	dualStack = stack{"dual stack", []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}}
)

// service makes a Service of these families.
func (s stack) service(name string) *corev1.Service {
	svc := lab.Service(name)
	svc.Spec.IPFamilies = s.families
	if len(s.families) > 1 {
		svc.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack)
	}
	return svc
}

// create creates objects; for Services the endpoints too.
func create(ctx context.Context, objects ...crclient.Object) {
	GinkgoHelper()
	Expect(site.Create(ctx, objects...)).To(Succeed())
}

// remove deletes objects and waits until they are gone.
func remove(ctx context.Context, objects ...crclient.Object) {
	GinkgoHelper()
	Expect(site.Delete(ctx, objects...)).To(Succeed())
}

// update changes an object as a user would: read, change, write.
func update[T crclient.Object](ctx context.Context, obj T, change func(T)) {
	GinkgoHelper()
	Expect(site.API().Get(ctx, crclient.ObjectKeyFromObject(obj), obj)).To(Succeed())
	before := obj.DeepCopyObject().(T)
	change(obj)
	Expect(site.API().Patch(ctx, obj, crclient.MergeFrom(before))).To(Succeed())
}

// podOn runs a pod of the Service app on a node, named app-node.
func podOn(ctx context.Context, node, app string) {
	GinkgoHelper()
	_, err := site.AddPod(ctx, node, app+"-"+node, map[string]string{"app": app})
	Expect(err).NotTo(HaveOccurred())
}

// addressOf waits for the first address of a Service.
func addressOf(ctx context.Context, svc *corev1.Service) netip.Addr {
	GinkgoHelper()
	return addressesOf(ctx, svc)[0]
}

// addressesOf waits for the addresses of a Service, one for each family.
func addressesOf(ctx context.Context, svc *corev1.Service) []netip.Addr {
	GinkgoHelper()
	addresses, err := site.WaitAddress(ctx, svc)
	Expect(err).NotTo(HaveOccurred())
	return addresses
}

// addresses of a text, for comparison.
func addresses(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// expectEverywhere waits until every router has exactly these nodes as next hops
// of an address, in its table and, where it forwards, in its kernel.
func expectEverywhere(ctx context.Context, addr netip.Addr, nodes ...string) {
	GinkgoHelper()
	for _, r := range site.Routers() {
		expectAt(ctx, r.Config().Name, addr, nodes...)
	}
}

// expectAt is expectEverywhere for one router.
func expectAt(ctx context.Context, routerName string, addr netip.Addr, nodes ...string) {
	GinkgoHelper()
	r := site.Router(routerName)
	Expect(site.WaitRoutes(ctx, r, lab.HostRoute(addr), nodes...)).To(Succeed())
	Expect(site.WaitKernel(ctx, r, lab.HostRoute(addr), nodes...)).To(Succeed())
}

// remains checks that for a while the next hops of an address at every router
// are exactly these nodes. Wait for it first.
func remains(ctx context.Context, addr netip.Addr, during time.Duration, nodes ...string) {
	GinkgoHelper()
	family := familyOf(addr)
	want := []netip.Addr{}
	if len(nodes) > 0 {
		want = site.NodeAddresses(family, nodes...)
	}
	Consistently(ctx, func(g Gomega) {
		for _, r := range site.Routers() {
			g.Expect(hopsAt(ctx, r, addr)).To(Equal(want), "next hops of %s at %s", addr, r.Config().Name)
		}
	}).WithTimeout(during).Should(Succeed())
}

// hopsAt are the next hops of an address in a router's table, now.
func hopsAt(ctx context.Context, r router.Router, addr netip.Addr) ([]netip.Addr, error) {
	routes, err := r.Routes(ctx, familyOf(addr))
	return routes.NextHops(lab.HostRoute(addr)), err
}

func familyOf(addr netip.Addr) router.Family { return router.FamilyOf(lab.HostRoute(addr)) }

// captures begins to collect the BGP messages that reach each router, by the
// router's name.
func captures() map[string]*wire.Capture {
	GinkgoHelper()
	all := map[string]*wire.Capture{}
	for _, r := range site.Routers() {
		c, err := site.Capture(r.Config().Name)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(c.Close)
		all[r.Config().Name] = c
	}
	return all
}

// quiet is longer than bgpd waits after a route-map was edited until it sends the
// routes again, unchanged ("bgp route-map delay-timer", 5 s).
const quiet = 6 * time.Second

// settled waits until no router has been sent an update for a while.
func settled(ctx context.Context) {
	GinkgoHelper()
	wires, last := captures(), time.Now()
	Eventually(ctx, func() time.Duration {
		for _, c := range wires {
			for _, m := range messages(c, updates) {
				if m.At.After(last) {
					last = m.At
				}
			}
		}
		return time.Since(last)
	}).WithTimeout(time.Minute).Should(BeNumerically(">", quiet))
}

// messages that reached a router so far and are of interest.
func messages(c *wire.Capture, interesting func(wire.Message) bool) []wire.Message {
	GinkgoHelper()
	all, err := c.Messages()
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(all, func(m wire.Message) bool { return !interesting(m) })
}

// withdraws is true for messages that withdraw any of these prefixes; any prefix
// at all if none is given.
func withdraws(prefixes ...netip.Prefix) func(wire.Message) bool {
	return func(m wire.Message) bool {
		return slices.ContainsFunc(m.Withdrawn, func(p netip.Prefix) bool {
			return len(prefixes) == 0 || slices.Contains(prefixes, p)
		})
	}
}

// opensOrCloses is true for messages that begin or end a session.
func opensOrCloses(m wire.Message) bool { return m.Type == wire.Open || m.Type == wire.Notification }

// eventsAbout are the events about an object of a type (Normal, Warning), each
// as "Reason: note".
func eventsAbout(ctx context.Context, obj crclient.Object, eventType string) ([]string, error) {
	var events eventsv1.EventList
	if err := site.API().List(ctx, &events); err != nil {
		return nil, err
	}
	var notes []string
	for _, e := range events.Items {
		if e.Type == eventType && e.Regarding.UID == obj.GetUID() {
			notes = append(notes, e.Reason+": "+e.Note)
		}
	}
	return notes, nil
}

// warnings are the Warning events about a Service.
func warnings(ctx context.Context, svc *corev1.Service) ([]string, error) {
	return eventsAbout(ctx, svc, corev1.EventTypeWarning)
}

// ingress is what stands in a Service's status now.
func ingress(ctx context.Context, svc *corev1.Service) []corev1.LoadBalancerIngress {
	GinkgoHelper()
	Expect(site.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc)).To(Succeed())
	return svc.Status.LoadBalancer.Ingress
}

// lines of a command's output that contain a text.
func lines(output, containing string) []string {
	return slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool { return !strings.Contains(line, containing) })
}
