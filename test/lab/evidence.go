package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/client"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/wire"
)

// NodeAddresses are the addresses of nodes, for comparison with next hops; of
// all nodes if none is named.
func (l *Lab) NodeAddresses(family router.Family, names ...string) []netip.Addr {
	var out []netip.Addr
	for i := 1; i <= l.options.Nodes; i++ {
		if len(names) > 0 && !slices.Contains(names, nodeName(i)) {
			continue
		}
		out = append(out, host(number(family), firstNodeHost+i).Addr())
	}
	return out // in the order of the numbers
}

// EnteredBy counts connections by the node that took them from the router: with
// externalTrafficPolicy Cluster kube-proxy there replaces the client's address
// by one of the node's.
func (l *Lab) EnteredBy(spread *client.Spread) map[string]int {
	count := map[string]int{}
	for source, n := range spread.BySource() {
		count[l.ownerOf(source)] += n
	}
	return count
}

// ownerOf is the node that has an address, its own or its gateway for pods;
// else the address itself (a client whose address was kept).
func (l *Lab) ownerOf(addr netip.Addr) string {
	for i := 1; i <= l.options.Nodes; i++ {
		for _, family := range []int{4, 6} {
			if addr == host(family, firstNodeHost+i).Addr() || podCIDR(family, i).Contains(addr) {
				return nodeName(i)
			}
		}
	}
	return addr.String()
}

// HostRoute is an address as the prefix that is announced for it.
func HostRoute(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

// WaitRoutes waits until a router's table has exactly these nodes as next hops
// of a prefix (none named: the route is gone).
func (l *Lab) WaitRoutes(ctx context.Context, r router.Router, prefix netip.Prefix, nodes ...string) error {
	want := l.namedAddresses(router.FamilyOf(prefix), nodes)
	what := fmt.Sprintf("%s has %s via [%s]", r.Config().Name, prefix, strings.Join(nodes, " "))
	return wait.Until(ctx, what, wait.Route, func(ctx context.Context) (bool, error) {
		routes, err := r.Routes(ctx, router.FamilyOf(prefix))
		if err != nil {
			return false, err
		}
		return sameHops(routes.NextHops(prefix), want)
	})
}

// WaitKernel waits until a router's kernel forwards a prefix over exactly these
// nodes (none named: it has no such route). A make that installs nothing is
// passed over.
func (l *Lab) WaitKernel(ctx context.Context, r router.Router, prefix netip.Prefix, nodes ...string) error {
	want := l.namedAddresses(router.FamilyOf(prefix), nodes)
	what := fmt.Sprintf("%s forwards %s over [%s]", r.Config().Name, prefix, strings.Join(nodes, " "))
	return wait.Until(ctx, what, wait.Route, func(ctx context.Context) (bool, error) {
		hops, err := r.KernelNextHops(ctx, prefix)
		if errors.Is(err, router.ErrNoKernel) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		return sameHops(hops, want)
	})
}

func (l *Lab) namedAddresses(family router.Family, nodes []string) []netip.Addr {
	if len(nodes) == 0 {
		return nil
	}
	return l.NodeAddresses(family, nodes...)
}

func sameHops(have, want []netip.Addr) (bool, error) {
	if slices.Equal(have, want) {
		return true, nil
	}
	return false, fmt.Errorf("next hops are %v, want %v", have, want)
}

// WaitEstablished waits until a router has established sessions with these
// nodes (all if none is named) over a family's addresses, and returns them.
func (l *Lab) WaitEstablished(ctx context.Context, r router.Router, family router.Family, nodes ...string) (map[netip.Addr]router.Session, error) {
	established := map[netip.Addr]router.Session{}
	what := fmt.Sprintf("%s has its sessions over %s", r.Config().Name, family)
	err := wait.Until(ctx, what, wait.Session, func(ctx context.Context) (bool, error) {
		all, err := r.Sessions(ctx)
		if err != nil {
			return false, err
		}
		for _, addr := range l.NodeAddresses(family, nodes...) {
			if all[addr].State != router.Established {
				return false, fmt.Errorf("%s is %q", addr, all[addr].State)
			}
			established[addr] = all[addr]
		}
		return true, nil
	})
	return established, err
}

// CheckNoReset compares a router's sessions with those of an earlier time: an
// error names every one that isn't what it was.
func CheckNoReset(ctx context.Context, r router.Router, before map[netip.Addr]router.Session) error {
	after, err := r.Sessions(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for addr, was := range before {
		if is := after[addr]; was.ResetUntil(is) {
			failed = append(failed, fmt.Errorf("%s: session with %s was reset: %+v, then %+v", r.Config().Name, addr, was, is))
		}
	}
	return errors.Join(failed...)
}

// Capture begins to collect the BGP messages that a router receives from the
// nodes, as they are on the wire. Close it. Counted.
func (l *Lab) Capture(routerName string) (*wire.Capture, error) {
	l.count.Add()
	r := l.Router(routerName)
	return wire.Listen(r.Box(), "eth0", 179, r.Config().Port)
}

// WaitAddress waits until a Service has its addresses (of every family it asks
// for) and returns them.
func (l *Lab) WaitAddress(ctx context.Context, svc *corev1.Service) ([]netip.Addr, error) {
	var addresses []netip.Addr
	what := fmt.Sprintf("Service %q has its address", svc.Name)
	err := wait.Until(ctx, what, wait.Route, func(ctx context.Context) (bool, error) {
		if err := l.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc); err != nil {
			return false, err
		}
		addresses = addresses[:0]
		for _, ingress := range svc.Status.LoadBalancer.Ingress {
			addr, err := netip.ParseAddr(ingress.IP)
			if err != nil {
				return false, err
			}
			addresses = append(addresses, addr)
		}
		return len(addresses) > 0 && len(addresses) == len(svc.Spec.IPFamilies), fmt.Errorf("it has %v, conditions %+v", addresses, svc.Status.Conditions)
	})
	return addresses, err
}
