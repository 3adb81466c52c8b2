//go:build e2e

package e2e

import (
	"context"
	"maps"
	"net/netip"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// requests are opened to see how they spread.
const requests = 60

var (
	allNodes = []string{"node1", "node2", "node3"}
	families = []router.Family{router.IPv4, router.IPv6}
)

// echoDeployment is a Deployment of pods that say who they are, one on each node.
const echoDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      containers:
        - name: echo
          image: ` + cluster.EchoImage + `
          imagePullPolicy: Never
          args: [-pod, $(POD), -node, $(NODE)]
          env:
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
`

// waitEndpoints waits until the Service has so many ready endpoints, each pod counted
// in both families.
func waitEndpoints(ctx context.Context, want int) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) (int, error) {
		out, err := site.Kubectl(ctx, "get", "endpointslices", "--selector=kubernetes.io/service-name=web",
			"--output=jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.nodeName} {end}")
		return len(strings.Fields(out)), err
	}).WithContext(ctx).WithTimeout(wait.BringUp).Should(Equal(want))
}

// announcement is the Service of the echo Deployment and its addresses, IPv4 first.
type announcement struct{ addresses []netip.Addr }

// announce has a dual-stack Service announced to all routers over both families:
// it returns when they have the routes from all nodes, in their kernels too.
func announce(ctx context.Context) announcement {
	GinkgoHelper()
	apply(ctx, echoDeployment)
	kubectl(ctx, "rollout", "status", "deployment/web", "--timeout="+rollout.String())
	create(ctx, lab.Pool("public", "203.0.113.0/24", "2001:db8:113::/120"))
	create(ctx, lab.Advertisement("all"))
	for _, r := range site.Routers() {
		for _, family := range families {
			peer := site.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			create(ctx, peer)
		}
	}
	service := lab.Service("web")
	service.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack)
	service.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	create(ctx, service)
	addresses, err := site.WaitAddress(ctx, service)
	Expect(err).NotTo(HaveOccurred())
	web := announcement{addresses}
	sessions(ctx)
	waitEndpoints(ctx, 2*len(allNodes))
	Expect(web.waitRoutes(ctx, allNodes...)).To(Succeed())
	return web
}

// create makes an object that the attempt before may have made.
func create(ctx context.Context, obj crclient.Object) {
	GinkgoHelper()
	Expect(crclient.IgnoreAlreadyExists(site.API().Create(ctx, obj))).To(Succeed())
}

// removeService removes the Service, whose addresses nobody takes back when Herald
// is gone. The Deployment stays.
func removeService(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "delete", "service", "web", "--ignore-not-found", "--timeout="+rollout.String())
}

func (a announcement) ipv4() netip.Addr { return a.addresses[0] }

// waitRoutes waits until all routers, and their kernels, have the routes to the
// Service from exactly these nodes.
func (a announcement) waitRoutes(ctx context.Context, nodes ...string) error {
	for _, address := range a.addresses {
		for _, r := range site.Routers() {
			if err := site.WaitRoutes(ctx, r, lab.HostRoute(address), nodes...); err != nil {
				return err
			}
			if err := site.WaitKernel(ctx, r, lab.HostRoute(address), nodes...); err != nil {
				return err
			}
		}
	}
	return nil
}

// expectSpread has a client reach the Service over both families and through each
// router: all nodes take its connections, pods of all nodes answer.
func (a announcement) expectSpread(ctx context.Context) {
	GinkgoHelper()
	for i, address := range a.addresses {
		for _, r := range site.Routers() {
			spread := site.Client().Open(ctx, requests, site.Via(r.Config().Name, families[i]), netip.AddrPortFrom(address, 80))
			Expect(spread.Errors).To(BeEmpty(), "%s through %s", address, r.Config().Name)
			Expect(site.EnteredBy(spread)).To(And(HaveKey("node1"), HaveKey("node2"), HaveKey("node3")), "%s through %s", address, r.Config().Name)
			Expect(spread.ByNode()).To(HaveLen(len(allNodes)), "pods of all nodes answered")
		}
	}
}

// sessions are the routers' established sessions with all nodes, over both
// families.
func sessions(ctx context.Context) map[string]map[netip.Addr]router.Session {
	GinkgoHelper()
	all := map[string]map[netip.Addr]router.Session{}
	for _, r := range site.Routers() {
		established := map[netip.Addr]router.Session{}
		for _, family := range families {
			found, err := site.WaitEstablished(ctx, r, family)
			Expect(err).NotTo(HaveOccurred())
			maps.Copy(established, found)
		}
		all[r.Config().Name] = established
	}
	return all
}

// expectUpgradeUnseen upgrades Herald under traffic to the second version, or a second
// attempt back to the first: no request fails, no route goes, no session is reset, FRR
// isn't restarted.
func (a announcement) expectUpgradeUnseen(ctx context.Context, upgrade func(version string)) {
	GinkgoHelper()
	version := secondVersion
	if kubectl(ctx, "get", "heralds", "default", "--output=jsonpath={.status.version}") == version {
		version = firstVersion
	}
	before, frrBefore := sessions(ctx), frrPods(ctx)
	w := startWatch(ctx, a.ipv4())
	defer w.end()
	upgrade(version)
	waitHerald(ctx, version)
	w.end().expectNothingLost()
	for _, r := range site.Routers() {
		Expect(lab.CheckNoReset(ctx, r, before[r.Config().Name])).To(Succeed())
	}
	Expect(a.waitRoutes(ctx, allNodes...)).To(Succeed())
	Expect(frrPods(ctx)).To(ConsistOf(frrBefore), "FRR's pods")
}
