package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/images/archive"
	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
)

const (
	// version of the Herald that is measured, from the working tree.
	version = "v0.0.1-survival"
	system  = "herald-system"
	// port of the Services, and of the pods.
	port, podPort = 80, 9000
	// rollout bounds pods being started or replaced on all nodes.
	rollout = 3 * time.Minute
)

var families = []router.Family{router.IPv4, router.IPv6}

// service is one of the two that connections go to, by its traffic policy.
type service struct {
	policy    corev1.ServiceExternalTrafficPolicy
	addresses []netip.Addr // IPv4 first
}

func (s service) name() string {
	return map[corev1.ServiceExternalTrafficPolicy]string{corev1.ServiceExternalTrafficPolicyCluster: "cluster", corev1.ServiceExternalTrafficPolicyLocal: "local"}[s.policy]
}

// site is a cluster with Herald, two Services and sessions to both routers.
type site struct {
	cluster  *cluster.Cluster
	services []service
	nodes    []string
	// connections that are open at an event, and the requests made meanwhile.
	connections []*connection
	requests    *Requests
}

func newSite(ctx context.Context, o options, mode string) (_ *site, err error) {
	programs, err := workdir.New("image")
	if err != nil {
		return nil, err
	}
	defer programs.Remove()
	herald, err := cluster.HeraldImage(programs.Path, version)
	if err != nil {
		return nil, err
	}
	c, err := cluster.New(ctx, cluster.Options{
		Nodes: o.nodes, ProxyMode: mode, Log: os.Stdout, Images: []archive.Image{cluster.FRR(), herald},
	})
	if err != nil {
		return nil, err
	}
	s := &site{cluster: c}
	for _, n := range c.Nodes() {
		s.nodes = append(s.nodes, n.Name())
	}
	for _, step := range []func(context.Context) error{s.install, s.workload, s.announce} {
		if err := step(ctx); err != nil {
			err = fmt.Errorf("%w\n%s", err, c.Logs(failureLines))
			c.Close()
			return nil, err
		}
	}
	return s, nil
}

// install installs Herald as docs/install.md says.
func (s *site) install(ctx context.Context) error {
	overlay, err := s.cluster.Overlay(version)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "--kustomize=" + overlay},
		{"wait", "--for=condition=Established", "crd/heralds.herald-lb.io", "--timeout=60s"},
	} {
		if _, err := s.cluster.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	if _, err := s.cluster.KubectlInput(ctx, cluster.HeraldObject, "apply", "--server-side", "--filename=-"); err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, "rollout", "status", "deployment/herald-manager", "--namespace="+system, "--timeout="+rollout.String()); err != nil {
		return err
	}
	_, err = s.cluster.Kubectl(ctx, "wait", "heralds/default", "--for=condition=Ready", "--timeout="+rollout.String())
	return err
}

// deployment has a pod on each node that is labelled for it, which goes on serving
// for 90 s when it is told to end.
const deployment = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: flows, namespace: default}
spec:
  selector: {matchLabels: {app: flows}}
  updateStrategy: {rollingUpdate: {maxSurge: 100%, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: flows}}
    spec:
      terminationGracePeriodSeconds: 90
      nodeSelector: {` + workloadLabel + `: "yes"}
      containers:
        - name: echo
          image: ` + cluster.EchoImage + `
          imagePullPolicy: Never
          args: [-pod, $(POD), -node, $(NODE), -flows, "9000"]
          env:
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
`

func (s *site) workload(ctx context.Context) error {
	if _, err := s.cluster.Kubectl(ctx, "label", "node", "--all", workloadLabel+"=yes"); err != nil {
		return err
	}
	if _, err := s.cluster.KubectlInput(ctx, deployment, "apply", "--server-side", "--filename=-"); err != nil {
		return err
	}
	return s.waitWorkload(ctx)
}

func (s *site) waitWorkload(ctx context.Context) error {
	_, err := s.cluster.Kubectl(ctx, "rollout", "status", "daemonset/flows", "--timeout="+rollout.String())
	return err
}

// announce has both Services announced from all nodes over both families.
func (s *site) announce(ctx context.Context) error {
	objects := []crclient.Object{lab.Pool("public", "203.0.113.0/24", "2001:db8:113::/120"), lab.Advertisement("all")}
	for _, r := range s.cluster.Routers() {
		for _, family := range families {
			peer := s.cluster.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			// What a site without BFD has: a dead node is seen in 9 s.
			peer.Spec.HoldTime, peer.Spec.KeepaliveTime = &metav1.Duration{Duration: 9 * time.Second}, &metav1.Duration{Duration: 3 * time.Second}
			objects = append(objects, peer)
		}
	}
	for _, policy := range []corev1.ServiceExternalTrafficPolicy{corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal} {
		objects = append(objects, flowService(service{policy: policy}))
	}
	for _, object := range objects {
		if err := s.cluster.API().Create(ctx, object); err != nil {
			return fmt.Errorf("creating %T %q: %w", object, object.GetName(), err)
		}
		if svc, ok := object.(*corev1.Service); ok {
			addresses, err := s.cluster.WaitAddress(ctx, svc)
			if err != nil {
				return err
			}
			s.services = append(s.services, service{policy: svc.Spec.ExternalTrafficPolicy, addresses: addresses})
		}
	}
	return s.waitRoutes(ctx, s.nodes...)
}

func flowService(s service) *corev1.Service {
	svc := lab.Service("flows")
	svc.Name += "-" + s.name()
	svc.Spec.ExternalTrafficPolicy = s.policy
	svc.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack)
	svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	svc.Spec.Ports = nil
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{
			Name: "flows-" + map[corev1.Protocol]string{corev1.ProtocolTCP: "tcp", corev1.ProtocolUDP: "udp"}[protocol],
			Port: port, TargetPort: intstr.FromInt32(podPort), Protocol: protocol,
		})
	}
	return svc
}

// waitRoutes waits until the kernels of all routers send to exactly these nodes, for
// every Service.
func (s *site) waitRoutes(ctx context.Context, nodes ...string) error {
	for _, svc := range s.services {
		for _, address := range svc.addresses {
			for _, r := range s.cluster.Routers() {
				prefix := lab.HostRoute(address)
				err := wait.Until(ctx, fmt.Sprintf("%s has %s from %v", r.Config().Name, prefix, nodes), rollout, func(ctx context.Context) (bool, error) {
					hops, err := r.KernelNextHops(ctx, prefix)
					want := s.cluster.NodeAddresses(router.FamilyOf(prefix), nodes...)
					return err == nil && sameAddresses(hops, want), err
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *site) label(ctx context.Context, node string, excluded bool) error {
	change := corev1.LabelNodeExcludeBalancers + "="
	if !excluded {
		change = corev1.LabelNodeExcludeBalancers + "-"
	}
	_, err := s.cluster.Kubectl(ctx, "label", "node", node, change, "--overwrite")
	return err
}

func sameAddresses(a, b []netip.Addr) bool {
	seen := map[netip.Addr]bool{}
	for _, x := range a {
		seen[x] = true
	}
	for _, x := range b {
		if !seen[x] {
			return false
		}
	}
	return len(seen) == len(b)
}
