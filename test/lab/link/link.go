// Package link lays cables: bridges and pairs of interfaces between boxes, with
// addresses and routes. Everything lies in the boxes' network namespaces and
// goes with them.
package link

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// End is one end of a cable.
type End struct {
	Box *sandbox.Box
	// Name of the interface, at most 15 characters.
	Name string
	// Addresses with prefix length. IPv6 ones are usable at once (no DAD).
	Addresses []netip.Prefix
	// Master is the bridge that the end is a port of.
	Master string
}

// Batch runs commands of ip(8), without the "ip", in one process.
func Batch(box *sandbox.Box, commands ...string) error { return batch(box, commands, "ip") }

// Batch6 is Batch with ip -6, for commands that don't tell the family by their
// addresses (rule).
func Batch6(box *sandbox.Box, commands ...string) error { return batch(box, commands, "ip", "-6") }

func batch(box *sandbox.Box, commands []string, ip ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	_, err := box.RunInput(ctx, strings.Join(commands, "\n")+"\n", append(ip, "-batch", "-")...)
	if err != nil {
		return fmt.Errorf("%w\nin: %s", err, strings.Join(commands, "; "))
	}
	return nil
}

// Bridge makes a bridge in a box.
func Bridge(box *sandbox.Box, name string) error {
	return Batch(box, "link add "+name+" type bridge forward_delay 0", "link set "+name+" up")
}

// Connect makes a pair of interfaces, puts its ends into two boxes and sets
// them up.
func Connect(a, b End) error {
	// The second end is made where a is and moved, by the number that b's PID 1
	// has on the host: only a's network is entered for that.
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	err := a.Box.RunOutside(ctx, "ip", "link", "add", a.Name, "type", "veth",
		"peer", "name", b.Name, "netns", fmt.Sprint(b.Box.Pid()))
	if err != nil {
		return err
	}
	for _, end := range []End{a, b} {
		if err := Batch(end.Box, end.setUp()...); err != nil {
			return err
		}
	}
	return nil
}

func (e End) setUp() []string {
	var commands []string
	if e.Master != "" {
		commands = append(commands, fmt.Sprintf("link set %s master %s", e.Name, e.Master))
	}
	for _, addr := range e.Addresses {
		line := fmt.Sprintf("addr add %s dev %s", addr, e.Name)
		if addr.Addr().Is6() {
			line += " nodad"
		}
		commands = append(commands, line)
	}
	return append(commands, fmt.Sprintf("link set %s up", e.Name))
}

// SetUp turns an interface on or off, as plugging a cable would.
func SetUp(box *sandbox.Box, name string, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return Batch(box, "link set "+name+" "+state)
}

// LinkLocal is the link-local address that an interface was given by the kernel.
func LinkLocal(box *sandbox.Box, name string) (netip.Addr, error) {
	var addr netip.Addr
	err := wait.Until(context.Background(), name+" of "+box.Name()+" has a link-local address", wait.Process, func(ctx context.Context) (bool, error) {
		out, err := box.Run(ctx, "ip", "-6", "-oneline", "addr", "show", "dev", name, "scope", "link")
		if words := strings.Fields(out); err == nil && len(words) > 3 && !strings.Contains(out, "tentative") {
			var prefix netip.Prefix
			prefix, err = netip.ParsePrefix(words[3])
			addr = prefix.Addr()
		}
		return addr.IsValid(), err
	})
	return addr, err
}

// Remove takes an interface away, and the other end of its cable with it. One
// that isn't there is no error.
func Remove(box *sandbox.Box, name string) { _ = Batch(box, "link del "+name) }
