package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/herald-lb/herald/test/lab/client"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

const bridge = "br0"

// quiet are the sysctls of every host: addresses are usable at once.
var quiet = map[string]string{
	"net.ipv6.conf.all.accept_dad":     "0",
	"net.ipv6.conf.default.accept_dad": "0",
}

// box starts a host of the lab.
func (l *Lab) box(name string) (*sandbox.Box, error) {
	box, err := sandbox.Start(sandbox.Spec{Name: name, Dir: filepath.Join(l.dir.Path, name, "box")})
	if err != nil {
		return nil, err
	}
	return box, box.Sysctl(quiet)
}

// startNetwork makes the switch and the client.
func (l *Lab) startNetwork() error {
	var err error
	if l.networkSwitch, err = l.box("switch"); err != nil {
		return err
	}
	if err := link.Bridge(l.networkSwitch, bridge); err != nil {
		return err
	}
	box, err := l.box("client")
	if err != nil {
		return err
	}
	l.client = client.New(box)
	return nil
}

// plug connects a host's eth0 to the switch.
func (l *Lab) plug(box *sandbox.Box, number int) error {
	// The kernel takes a moment to clear away a crashed host's network.
	link.Remove(l.networkSwitch, portOf(box.Name()))
	return link.Connect(
		link.End{Box: box, Name: "eth0", Addresses: hosts(number)},
		link.End{Box: l.networkSwitch, Name: portOf(box.Name()), Master: bridge})
}

// portOf is the switch's port of a host; names of interfaces hold 15 characters.
func portOf(name string) string { return "p-" + name }

// SetCable cuts (false) or mends the cable of a node or router to the switch.
func (l *Lab) SetCable(name string, connected bool) error {
	return link.SetUp(l.networkSwitch, portOf(name), connected)
}

// startRouters starts all routers, each connected to the switch and the client.
func (l *Lab) startRouters() error {
	defer l.step(fmt.Sprintf("%d routers", len(l.options.Routers)))()
	l.routers = make([]router.Router, len(l.options.Routers))
	var g errgroup.Group
	for i, o := range l.options.Routers {
		g.Go(func() error {
			r, err := l.startRouter(i+1, o)
			l.routers[i] = r
			return err
		})
	}
	err := g.Wait()
	l.routers = slices.DeleteFunc(l.routers, func(r router.Router) bool { return r == nil })
	return err
}

func (l *Lab) startRouter(k int, o RouterOptions) (router.Router, error) {
	box, err := l.box(o.Name)
	if err != nil {
		return nil, err
	}
	if err := box.Sysctl(router.Sysctls); err != nil {
		return nil, err
	}
	if err := l.plug(box, firstRouterHost+k); err != nil {
		return nil, err
	}
	if err := l.connectClient(box, k); err != nil {
		return nil, err
	}
	r, err := router.Start(box, filepath.Join(l.dir.Path, o.Name, "r"), l.routerConfig(k, o), &l.count)
	if err != nil {
		box.Kill()
		return nil, err
	}
	return r, nil
}

// connectClient lets the client send through router k whatever it sends from
// its address behind that router, and through the first one all else.
func (l *Lab) connectClient(box *sandbox.Box, k int) error {
	eth := fmt.Sprint("eth", k)
	err := link.Connect(
		link.End{Box: box, Name: "eth1", Addresses: bothBehind(k, 1)},
		link.End{Box: l.client.Box(), Name: eth, Addresses: bothBehind(k, 2)})
	if err != nil {
		return err
	}
	for family, batch := range map[int]func(*sandbox.Box, ...string) error{4: link.Batch, 6: link.Batch6} {
		table, gateway := 100+k, behind(family, k, 1).Addr()
		err := batch(l.client.Box(),
			fmt.Sprintf("rule add from %s lookup %d", behind(family, k, 2).Addr(), table),
			fmt.Sprintf("route add default via %s dev %s table %d", gateway, eth, table),
			fmt.Sprintf("route add default via %s dev %s metric %d", gateway, eth, table))
		if err != nil {
			return err
		}
	}
	return nil
}

// routerConfig lists every node's addresses as neighbors, those of nodes that
// come later too: a session with nobody there costs nothing.
func (l *Lab) routerConfig(k int, o RouterOptions) router.Config {
	c := router.Config{
		Name: o.Name, Make: o.Make, FRRVersion: o.FRRVersion, ASN: o.ASN, Port: o.Port, Passive: o.Passive,
		RouterID: host(4, firstRouterHost+k).Addr(),
	}
	if c.FRRVersion == "" {
		c.FRRVersion = frr.V10_3
	}
	if c.ASN == 0 {
		c.ASN = DefaultRouterASN
	}
	for i := 1; i <= l.options.Nodes; i++ {
		addresses := hosts(firstNodeHost + i)
		if l.options.VRFs {
			addresses = append(addresses, host(4, firstVRFHost+i))
		}
		for _, p := range addresses {
			c.Neighbors = append(c.Neighbors, router.Neighbor{Address: p.Addr(), ASN: l.options.NodeASN, Password: o.Password, TTLSecurity: o.TTLSecurity})
		}
	}
	return c
}

// Routers are all routers, in the order of the Options.
func (l *Lab) Routers() []router.Router { return l.routers }

// Router is the router of that name; it panics if there is none.
func (l *Lab) Router(name string) router.Router {
	for _, r := range l.routers {
		if r.Config().Name == name {
			return r
		}
	}
	panic("lab: no router " + name)
}

// RouterAddress is a router's address on the nodes' network.
func (l *Lab) RouterAddress(name string, family router.Family) netip.Addr {
	return host(number(family), firstRouterHost+l.routerIndex(name)).Addr()
}

// Via is the client's source address whose packets go through a router.
func (l *Lab) Via(name string, family router.Family) netip.Addr {
	return behind(number(family), l.routerIndex(name), 2).Addr()
}

func (l *Lab) routerIndex(name string) int {
	for i, o := range l.options.Routers {
		if o.Name == name {
			return i + 1
		}
	}
	panic("lab: no router " + name)
}

func number(f router.Family) int {
	if f == router.IPv4 {
		return 4
	}
	return 6
}
