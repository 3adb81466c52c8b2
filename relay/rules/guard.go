package rules

import (
	"fmt"
	"os"

	"github.com/google/nftables"
)

// Guard makes a family's table one that relays nothing: only nodes may send into the
// tunnel, and whatever comes out of it is dropped. A family whose packets came out of
// devices that are up and met no rule would go to the local stack, where a copy that is
// meant for another node's connection is answered by a reset. It takes much less of the
// kernel than relaying does.
func (k *Kernel) Guard(name Family, plan *Plan) error {
	f := families[name]
	old, err := k.contents(f)
	if err != nil {
		return err
	}
	t := newTable(k.conn, f, plan)
	if old.exists {
		k.conn.DelTable(t.table)
	}
	t.conn.AddTable(t.table)
	t.hooked(chainClaims, nftables.ChainHookPrerouting, priorityClaims)
	for _, device := range []int{plan.Data, plan.Claim} {
		t.rule(chainClaims, fromDevice(device), drop())
	}
	if senders := addressKeys(addressesOf(plan.Senders, f)); len(senders) > 0 {
		t.hooked(chainTunnel, nftables.ChainHookInput, priorityTunnel)
		t.fill(t.set(setSenders, t.address, false), senders)
		t.rule(chainTunnel, t.toTunnel(), t.source(), notIn(t.sets[setSenders]), drop())
	}
	if t.failed != nil {
		return t.failed
	}
	if err := k.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

// inet6 is there where the kernel has IPv6.
const inet6 = "/proc/net/if_inet6"

// Possible says whether the kernel has a family at all.
func Possible(name Family) bool {
	if name == IPv4 {
		return true
	}
	_, err := os.Stat(inet6)
	return err == nil
}
