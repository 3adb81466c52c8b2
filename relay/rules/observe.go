package rules

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
)

// Exists says whether the table of a family is there; somebody may have taken it away.
func (k *Kernel) Exists(name Family) (bool, error) {
	f := families[name]
	tables, err := k.conn.ListTablesOfFamily(f.table)
	if err != nil {
		return false, fmt.Errorf("nftables: tables: %w", err)
	}
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == Table }), nil
}

// Counters are the sums of both tables'. Without tables they are zero.
func (k *Kernel) Counters() (exchange.Counters, error) {
	var sum exchange.Counters
	for _, f := range families {
		objects, err := k.conn.GetObjects(&nftables.Table{Name: Table, Family: f.table})
		if err != nil {
			return sum, fmt.Errorf("nftables: counters: %w", err)
		}
		for _, o := range objects {
			if c, ok := o.(*nftables.CounterObj); ok {
				if at := field(&sum, c.Name); at != nil {
					*at += c.Packets
				}
			}
		}
	}
	return sum, nil
}

func field(c *exchange.Counters, name string) *uint64 {
	switch name {
	case counterRelayed:
		return &c.Relayed
	case counterFlooded:
		return &c.Flooded
	case counterClaimed:
		return &c.Claimed
	case counterUnclaimed:
		return &c.Unclaimed
	case counterLimited:
		return &c.Limited
	case counterTold:
		return &c.Told
	case counterReset:
		return &c.Reset
	case counterPathMTUFlooded:
		return &c.PathMTUFlooded
	case counterPathMTUAccepted:
		return &c.PathMTUAccepted
	}
	return nil
}

// Memory is what the tables know of flows.
type Memory struct {
	// Learned counts the flows of each peer.
	Learned map[string]int
	// Used are the frontends that packets are relayed for, from here or to here.
	Used map[exchange.Frontend]bool
}

// Remember reads the memory of the tables that plan made.
func (k *Kernel) Remember(plan *Plan) (Memory, error) {
	m := Memory{Learned: map[string]int{}, Used: map[exchange.Frontend]bool{}}
	for _, f := range families {
		for _, p := range plan.Peers {
			elements, err := k.elements(f, learnedSet(p.Name))
			if err != nil {
				return m, err
			}
			m.Learned[p.Name] += len(elements)
			for i := range elements {
				m.Used[f.frontendAt(elements[i].Key, 0, elements[i].Key[2*f.length+8])] = true
			}
		}
		claims, err := k.elements(f, setClaims)
		if err != nil {
			return m, err
		}
		for i := range claims {
			// Which of the protocols it was isn't in the key.
			m.Used[f.frontendAt(claims[i].Key, 8, protoTCP)] = true
			m.Used[f.frontendAt(claims[i].Key, 8, protoUDP)] = true
		}
	}
	return m, nil
}

// frontendAt is the frontend in the key of a flow that begins at an offset.
func (f *family) frontendAt(key []byte, offset uint32, proto byte) exchange.Frontend {
	at := offset + f.length + 4
	address, _ := netip.AddrFromSlice(key[at : at+f.length])
	at += f.length
	return frontendOf(address, proto, key[at:at+portLength])
}

func frontendOf(address netip.Addr, proto byte, port []byte) exchange.Frontend {
	f := exchange.Frontend{Address: address, Protocol: exchange.TCP, Port: binary.BigEndian.Uint16(port)}
	if proto == protoUDP {
		f.Protocol = exchange.QUIC
	}
	return f
}

// Frontends are those that the tables have, learning or leaving: what a process
// before this one was doing.
func (k *Kernel) Frontends() ([]exchange.Frontend, error) {
	var all []exchange.Frontend
	for _, f := range families {
		for _, name := range []string{setLearn, setLeaving} {
			elements, err := k.elements(f, name)
			if err != nil {
				return nil, err
			}
			for i := range elements {
				key := elements[i].Key
				address, _ := netip.AddrFromSlice(key[:f.length])
				all = append(all, frontendOf(address, key[f.length], key[f.length+4:]))
			}
		}
	}
	return all, nil
}

// numbered gives an error the number back that it had from the kernel, which the library
// makes text of: the remedy goes by it.
func numbered(err error) error {
	for _, number := range []unix.Errno{unix.EPERM, unix.EACCES, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT} {
		if before, is := strings.CutSuffix(err.Error(), number.Error()); is {
			return fmt.Errorf("%s%w", before, number)
		}
	}
	return err
}

func (k *Kernel) elements(f *family, set string) ([]nftables.SetElement, error) {
	elements, err := k.conn.GetSetElements(&nftables.Set{Table: &nftables.Table{Name: Table, Family: f.table}, Name: set})
	if err != nil && strings.Contains(err.Error(), "no such file or directory") {
		return nil, nil // a set that isn't there holds nothing; the error isn't wrapped
	}
	if err != nil {
		return nil, fmt.Errorf("nftables: set %s: %w", set, numbered(err))
	}
	return elements, nil
}
