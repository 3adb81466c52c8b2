package churn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// byHand gives a node's FRR commands behind Herald's back. Whoever edits at the same
// time may lock FRR 10's configuration: then it isn't done, which is fine.
func (c *churn) byHand(ctx context.Context, nodeName string, commands ...string) string {
	args := []string{"-c", "configure terminal"}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	what := fmt.Sprintf("by hand on %s: %s", nodeName, strings.Join(commands, " / "))
	if _, err := c.lab.Node(nodeName).Vtysh(ctx, args...); err != nil {
		what += " (not taken)"
	}
	return what
}

var routerBGP = fmt.Sprint("router bgp ", lab.DefaultNodeASN)

func (c *churn) removeNetworkByHand(ctx context.Context) (string, error) {
	name, nth := c.node(), c.random.Intn(mostServices)
	config, _ := c.lab.Node(name).Vtysh(ctx, "-c", "show running-config")
	var networks []string
	for line := range strings.Lines(config) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "network" && !strings.Contains(fields[1], ":") {
			networks = append(networks, fields[1])
		}
	}
	network := "203.0.113.1/32"
	if len(networks) > 0 {
		network = networks[nth%len(networks)]
	}
	return c.byHand(ctx, name, routerBGP, "address-family ipv4 unicast", "no network "+network), nil
}

func (c *churn) addNetworkByHand(ctx context.Context) (string, error) {
	return c.byHand(ctx, c.node(), routerBGP, "address-family ipv4 unicast", "network 192.0.2.77/32"), nil
}

func (c *churn) removeNeighborByHand(ctx context.Context) (string, error) {
	name, nodeName := c.one(c.peers), c.node()
	if name == "" {
		return "", nil
	}
	r, family := c.ends(name)
	c.touched[pair{nodeName, name}] = true
	return c.byHand(ctx, nodeName, routerBGP, "no neighbor "+c.lab.RouterAddress(r.Config().Name, family).String()), nil
}

// changePolicyByHand lets a peer's outbound policy deny everything.
func (c *churn) changePolicyByHand(ctx context.Context) (string, error) {
	name, nodeName := c.one(c.peers), c.node()
	if name == "" {
		return "", nil
	}
	family := frrtemplates.IPv6
	if _, of := c.ends(name); of == router.IPv4 {
		family = frrtemplates.IPv4
	}
	return c.byHand(ctx, nodeName, fmt.Sprintf("route-map %s deny 1", frrtemplates.OutboundMap(name, family))), nil
}

// kill a container. It is started again as by a kubelet.
func (c *churn) kill(nodeName, container string) string {
	k := c.lab.Node(nodeName).Container(container)
	k.Kill()
	c.awaitStart(k)
	return fmt.Sprintf("kill %s of %s", container, nodeName)
}

// awaitStart lets the round end no sooner than the container runs again.
func (c *churn) awaitStart(k *kubelet.Container) {
	c.mends = append(c.mends, func(ctx context.Context) error {
		return wait.Until(ctx, k.Name()+" runs again", wait.BringUp, func(context.Context) (bool, error) { return k.Running(), nil })
	})
}

func (c *churn) killAgent(context.Context) (string, error) { return c.kill(c.node(), node.Agent), nil }

func (c *churn) killReloader(context.Context) (string, error) {
	return c.kill(c.node(), node.Reloader), nil
}

func (c *churn) killFRR(context.Context) (string, error) {
	name := c.node()
	c.touchNode(name)
	return c.kill(name, node.FRR), nil
}

// killDaemon of FRR; the others and watchfrr do what they do then.
func (c *churn) killDaemon(ctx context.Context) (string, error) {
	name, daemon := c.node(), pick(c, "bgpd", "bgpd", "zebra", "bfdd", "staticd", "watchfrr")
	c.touchNode(name)
	_, err := c.lab.Node(name).Container(node.FRR).Box().Run(ctx, "sh", "-c", "kill -9 $(cat /run/frr/"+daemon+".pid)")
	what := fmt.Sprintf("kill %s of %s", daemon, name)
	if err != nil {
		what += " (it wasn't there)"
	}
	return what, nil
}

// hangDaemon stops bgpd or zebra where it is, until the round ends: nobody answers on
// its vty socket.
func (c *churn) hangDaemon(ctx context.Context) (string, error) {
	name, daemon := c.node(), pick(c, "bgpd", "zebra")
	c.touchNode(name)
	signal := func(ctx context.Context, what string) error {
		_, err := c.lab.Node(name).Container(node.FRR).Box().Run(ctx, "sh", "-c", "kill -"+what+" $(cat /run/frr/"+daemon+".pid) || true")
		return err
	}
	c.mends = append(c.mends, func(ctx context.Context) error { return signal(ctx, "CONT") })
	return fmt.Sprintf("stop %s of %s", daemon, name), signal(ctx, "STOP")
}

func (c *churn) killManager(context.Context) (string, error) {
	m := c.lab.Managers()[0]
	m.Kill()
	c.awaitStart(m)
	return "kill the manager", nil
}

func (c *churn) restartAPI(ctx context.Context) (string, error) {
	c.lab.ControlPlane().KillAPI()
	return "restart the API server", c.lab.ControlPlane().StartAPI(ctx)
}

// fillDisk fills a node's exchange directory, until the round ends.
func (c *churn) fillDisk(context.Context) (string, error) {
	name := c.node()
	filler := filepath.Join(c.lab.Node(name).ExchangeDir(), "filler")
	c.mends = append(c.mends, func(context.Context) error { return os.RemoveAll(filler) })
	return "fill the exchange directory of " + name, fill(filler)
}

// fill a file system by one file, to the last byte.
func fill(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("can't fill: %w", err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return err
		}
	}
	return nil
}
