package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/survival/flow"
)

const (
	// namespace of Herald's DaemonSets.
	namespace = "herald-system"
	// connections that are opened through each router.
	connections = 40
	pace        = 200 * time.Millisecond
)

// prepare makes what is there from the first scrape on.
func prepare(ctx context.Context, l *lab.Lab) error {
	herald := &v1alpha1.Herald{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.HeraldName}}
	herald.Spec.Image = "herald.example/herald:lab" // the lab's manager runs in no pod whose image it could take
	herald.Spec.Drain.ConvergeTime = &metav1.Duration{Duration: 5 * time.Second}
	herald.Spec.Drain.ConnectionTimeout = &metav1.Duration{Duration: time.Minute}
	watched := &v1alpha1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}
	objects := []crclient.Object{
		herald, watched, lab.Pool("public", "203.0.113.0/28"), lab.Advertisement("all"),
		&v1alpha1.FlowPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}},
	}
	for _, r := range l.Routers() {
		peer := l.Peer(r.Config().Name, router.IPv4)
		if r.Config().Make == router.FRR {
			peer.Spec.BFDProfile = watched.Name
			if err := watch(l, r); err != nil {
				return err
			}
		}
		objects = append(objects, peer)
	}
	if err := l.Create(ctx, objects...); err != nil {
		return err
	}
	return schedule(ctx, l)
}

// watch has a router's bfdd watch its sessions.
func watch(l *lab.Lab, r router.Router) error {
	args := []string{"-c", "configure terminal", "-c", fmt.Sprintf("router bgp %d", lab.DefaultRouterASN)}
	for _, addr := range l.NodeAddresses(router.IPv4) {
		args = append(args, "-c", fmt.Sprintf("neighbor %s bfd", addr))
	}
	_, err := router.Instance(r).Vtysh(args...)
	return err
}

// schedule is the DaemonSet controller, which the lab hasn't: it says how many nodes
// the DaemonSets that the manager made are meant for.
func schedule(ctx context.Context, l *lab.Lab) error {
	for _, name := range []string{install.FRR, install.Agent} {
		daemons := &appsv1.DaemonSet{}
		key := crclient.ObjectKey{Namespace: namespace, Name: name}
		err := wait.Until(ctx, "DaemonSet "+name, wait.Route, func(ctx context.Context) (bool, error) {
			err := l.API().Get(ctx, key, daemons)
			return err == nil, err
		})
		if err != nil {
			return err
		}
		before := daemons.DeepCopy()
		n := int32(len(l.Nodes()))
		daemons.Status.DesiredNumberScheduled, daemons.Status.CurrentNumberScheduled, daemons.Status.NumberReady = n, n, n
		if err := l.API().Status().Patch(ctx, daemons, crclient.MergeFrom(before)); err != nil {
			return err
		}
	}
	return nil
}

// clients have connections to a Service for long.
type clients struct {
	lab   *lab.Lab
	flows []*flow.Conn
}

func (c *clients) open(ctx context.Context) error {
	for _, n := range c.lab.Nodes() {
		if _, err := c.lab.AddPod(ctx, n.Name(), "flows-"+n.Name(), map[string]string{"app": "flows"}); err != nil {
			return err
		}
	}
	svc := lab.Service("flows")
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(node.FlowPort)}}
	if err := c.lab.Create(ctx, svc); err != nil {
		return err
	}
	addrs, err := c.lab.WaitAddress(ctx, svc)
	if err != nil {
		return err
	}
	var all []string
	for _, n := range c.lab.Nodes() {
		all = append(all, n.Name())
	}
	for _, r := range c.lab.Routers() {
		if err := c.lab.WaitKernel(ctx, r, lab.HostRoute(addrs[0]), all...); err != nil {
			return err
		}
		from := &net.TCPAddr{IP: c.lab.Via(r.Config().Name, router.IPv4).AsSlice()}
		dial := func(ctx context.Context, network string) (conn net.Conn, err error) {
			dialer := net.Dialer{LocalAddr: from}
			err = c.lab.Client().Box().InNetwork(func() error {
				conn, err = dialer.DialContext(ctx, network, netip.AddrPortFrom(addrs[0], 80).String())
				return err
			})
			return conn, err
		}
		for range connections {
			var opened *flow.Conn
			// kube-proxy may not be there yet on a node that was announced just now.
			err := wait.Until(ctx, "connection", wait.Route, func(ctx context.Context) (bool, error) {
				opened, err = flow.Open(ctx, flow.TCP, pace, dial)
				return err == nil, err
			})
			if err != nil {
				return err
			}
			c.flows = append(c.flows, opened)
		}
	}
	return nil
}

func (c *clients) close() {
	for _, f := range c.flows {
		f.Close()
	}
	c.flows = nil
}

// rehash has the routers' kernels send each connection wherever another seed says.
func rehash(l *lab.Lab) error {
	for _, r := range l.Routers() {
		if err := r.Box().Sysctl(map[string]string{"net.ipv4.fib_multipath_hash_seed": fmt.Sprint(1 + rand.Uint32()/2)}); err != nil {
			return err
		}
	}
	return nil
}

// drain node2 for a reason, or no longer.
func drain(ctx context.Context, l *lab.Lab, reason string) error {
	return l.AnnotateNode(ctx, "node2", map[string]string{v1alpha1.AnnotationDrain: reason})
}
