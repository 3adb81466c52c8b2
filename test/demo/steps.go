package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// connections that the client opens through each router.
const connections = 300

// demo is the state between the steps.
type demo struct {
	lab *lab.Lab
	// address of the Service web.
	address netip.Addr
	// localAddress is the address of the Service with externalTrafficPolicy Local.
	localAddress netip.Addr
}

// peer makes a BGPPeer per router and shows the sessions, as the API and the
// routers tell them.
func (d *demo) peer(ctx context.Context) error {
	title("BGPPeers tor-a and tor-b, BGPAdvertisement all, IPAddressPool public (203.0.113.0/24)")
	began := time.Now()
	err := d.lab.Create(ctx, lab.Pool("public", "203.0.113.0/24"), lab.Advertisement("all"),
		d.lab.Peer("tor-a", router.IPv4), d.lab.Peer("tor-b", router.IPv4))
	if err != nil {
		return err
	}
	for _, r := range d.lab.Routers() {
		if _, err := d.lab.WaitEstablished(ctx, r, router.IPv4); err != nil {
			return err
		}
	}
	sessions, err := d.apiSessions(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  %d sessions, %.1f s after the peers were created:\n\n", len(sessions), time.Since(began).Seconds())
	w := table("NODE", "PEER", "ROUTER", "ADDRESS", "STATE")
	for _, s := range sessions {
		row(w, s.Spec.Node, s.Spec.Peer, string(d.lab.Router(s.Spec.Peer).Config().Make), s.Status.Address, string(s.Status.State))
	}
	return w.Flush()
}

// apiSessions are the BGPSessions, once all are there and established.
func (d *demo) apiSessions(ctx context.Context) ([]v1alpha1.BGPSession, error) {
	want := len(d.lab.Nodes()) * len(d.lab.Routers())
	var list v1alpha1.BGPSessionList
	what := fmt.Sprintf("%d BGPSessions are Established", want)
	err := wait.Until(ctx, what, wait.Route, func(ctx context.Context) (bool, error) {
		if err := d.lab.API().List(ctx, &list); err != nil {
			return false, err
		}
		for _, s := range list.Items {
			if s.Status.State != v1alpha1.SessionEstablished {
				return false, fmt.Errorf("%s with %s is %s", s.Spec.Node, s.Spec.Peer, s.Status.State)
			}
		}
		return len(list.Items) == want, fmt.Errorf("there are %d", len(list.Items))
	})
	return list.Items, err
}

// service runs three pods and creates the Service web.
func (d *demo) service(ctx context.Context) error {
	title("Service web: type LoadBalancer, externalTrafficPolicy Cluster, a pod on each node")
	for i, n := range d.lab.Nodes() {
		if _, err := d.lab.AddPod(ctx, n.Name(), fmt.Sprintf("web-%d", i+1), map[string]string{"app": "web"}); err != nil {
			return err
		}
	}
	svc := lab.Service("web")
	began := time.Now()
	if err := d.lab.Create(ctx, svc); err != nil {
		return err
	}
	var err error
	if d.address, err = d.waitAddress(ctx, svc); err != nil {
		return err
	}
	w := table("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT")
	row(w, svc.Name, string(svc.Spec.Type), svc.Spec.ClusterIP, d.address.String(), fmt.Sprint(svc.Spec.Ports[0].Port))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println()
	return d.timed(ctx, "Service created", began, d.address, d.nodeNames()...)
}

func (d *demo) waitAddress(ctx context.Context, svc *corev1.Service) (netip.Addr, error) {
	addresses, err := d.lab.WaitAddress(ctx, svc)
	if err != nil {
		return netip.Addr{}, err
	}
	return addresses[0], nil
}

// timed waits until every router has a route over exactly these nodes and says
// how long after the event that was.
func (d *demo) timed(ctx context.Context, event string, began time.Time, addr netip.Addr, nodes ...string) error {
	results := make([]time.Duration, len(d.lab.Routers()))
	failed := make([]error, len(results))
	done := make(chan struct{})
	for i, r := range d.lab.Routers() {
		go func() {
			defer func() { done <- struct{}{} }()
			failed[i] = d.lab.WaitRoutes(ctx, r, lab.HostRoute(addr), nodes...)
			results[i] = time.Since(began)
		}()
	}
	for range results {
		<-done
	}
	for i, r := range d.lab.Routers() {
		if failed[i] != nil {
			return failed[i]
		}
		fmt.Printf("  %-42s → %s has %s via %-17s after %4d ms\n",
			event, r.Config().Name, addr, strings.Join(nodes, ","), results[i].Milliseconds())
	}
	return nil
}

func (d *demo) nodeNames() []string {
	var names []string
	for _, n := range d.lab.Nodes() {
		names = append(names, n.Name())
	}
	return names
}

// routes shows what each router received and what its kernel does with it.
func (d *demo) routes(ctx context.Context) error {
	title("Routes to %s: what the routers received, and their kernels' next hops (ECMP)", d.address)
	prefix := lab.HostRoute(d.address)
	w := table("ROUTER", "MAKE", "NEXT HOP", "AS PATH", "IN THE KERNEL")
	for _, r := range d.lab.Routers() {
		if err := d.lab.WaitKernel(ctx, r, prefix, d.nodeNames()...); err != nil {
			return err
		}
		routes, err := r.Routes(ctx, router.IPv4)
		if err != nil {
			return err
		}
		hops, err := r.KernelNextHops(ctx, prefix)
		if err != nil {
			return err
		}
		for _, route := range routes[prefix] {
			kernel := "no"
			if slices.Contains(hops, route.NextHop) {
				kernel = "yes"
			}
			row(w, r.Config().Name, string(r.Config().Make), route.NextHop.String(), strings.Trim(fmt.Sprint(route.ASPath), "[]"), kernel)
		}
	}
	return w.Flush()
}

// spread opens connections through each router and counts where they went.
func (d *demo) spread(ctx context.Context) error {
	title("%d connections of the client to http://%s/ through each router: the node that took them in", connections, d.address)
	w := table(append([]string{"THROUGH"}, append(d.nodeNames(), "FAILED", "PODS THAT ANSWERED")...)...)
	for _, r := range d.lab.Routers() {
		s := d.lab.Client().Open(ctx, connections, d.lab.Via(r.Config().Name, router.IPv4), netip.AddrPortFrom(d.address, 80))
		by := d.lab.EnteredBy(s)
		cells := []string{r.Config().Name}
		for _, name := range d.nodeNames() {
			cells = append(cells, fmt.Sprint(by[name]))
		}
		row(w, append(cells, fmt.Sprint(len(s.Errors)), fmt.Sprint(len(s.ByPod())))...)
		if len(s.Errors) > 0 {
			return fmt.Errorf("%d of %d connections through %s failed, the first: %w", len(s.Errors), connections, r.Config().Name, s.Errors[0])
		}
		if len(by) != len(d.nodeNames()) {
			return fmt.Errorf("connections through %s came in on %d nodes, want %d: %v", r.Config().Name, len(by), len(d.nodeNames()), by)
		}
	}
	return w.Flush()
}

// local creates a Service that only the pod's node may announce.
func (d *demo) local(ctx context.Context) error {
	title("Service local: externalTrafficPolicy Local, its only pod on node1")
	if _, err := d.lab.AddPod(ctx, "node1", "local-1", map[string]string{"app": "local"}); err != nil {
		return err
	}
	svc := lab.Service("local")
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	began := time.Now()
	if err := d.lab.Create(ctx, svc); err != nil {
		return err
	}
	var err error
	if d.localAddress, err = d.waitAddress(ctx, svc); err != nil {
		return err
	}
	return d.timed(ctx, "Service created", began, d.localAddress, "node1")
}

// move brings the pod to another node; the routes follow.
func (d *demo) move(ctx context.Context) error {
	title("The pod moves from node1 to node3")
	pod, err := d.lab.AddPod(ctx, "node3", "local-2", map[string]string{"app": "local"})
	if err != nil {
		return err
	}
	if err := d.timed(ctx, "pod ready on node3 (EndpointSlice)", pod.Listed, d.localAddress, "node1", "node3"); err != nil {
		return err
	}
	at, err := d.lab.RemovePod(ctx, "local-1")
	if err != nil {
		return err
	}
	if err := d.timed(ctx, "pod on node1 gone (EndpointSlice)", at, d.localAddress, "node3"); err != nil {
		return err
	}
	for _, r := range d.lab.Routers() {
		if err := d.lab.WaitKernel(ctx, r, lab.HostRoute(d.localAddress), "node3"); err != nil {
			return err
		}
	}
	answer, err := d.lab.Client().Get(ctx, d.lab.Via("tor-a", router.IPv4), netip.AddrPortFrom(d.localAddress, 80))
	if err != nil {
		return err
	}
	fmt.Printf("  http://%s/ is answered by pod %s on %s, which sees the client's own address %s\n", d.localAddress, answer.Pod, answer.Node, answer.Client)
	return nil
}

func table(columns ...string) *tabwriter.Writer {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', 0)
	row(w, columns...)
	return w
}

func row(w *tabwriter.Writer, cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) }
