package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// probeTable is where the kernel is asked what it can do.
const probeTable = Table + "-probe"

// ErrNoLog says that the kernel can't log to a process.
var ErrNoLog = errors.New("no nft_log or no nfnetlink_log")

// CanLog tries a rule that logs, in a table that goes in the same transaction: no packet
// meets it. ErrNoLog: the kernel lacks it.
func (k *Kernel) CanLog() error {
	t := newProbe(k.conn, families[IPv4])
	t.conn.AddTable(t.table)
	t.chain(chainFlood)
	t.rule(chainFlood, log())
	t.conn.DelTable(t.table)
	return lacking(k.conn.Flush(), ErrNoLog)
}

// ErrNoReset says that the kernel can't reset a connection in prerouting.
var ErrNoReset = errors.New("no nft_reject that works in prerouting (Linux 5.9)")

// CanReset tries a rule that resets. Where it may stand the kernel looks at when a
// transaction ends, so its table is there for a moment; no packet gets as far as the rule.
// ErrNoReset: the kernel can't.
func (k *Kernel) CanReset(name Family) error {
	end, err := k.tryReset(families[name])
	if end != nil {
		err = errors.Join(err, end())
	}
	return lacking(err, ErrNoReset)
}

// tryReset makes the table, which end takes away. So does the kernel where the process dies
// before, if it knows tables that belong to a connection (Linux 5.12).
func (k *Kernel) tryReset(f *family) (end func() error, err error) {
	if err := k.removeTables(f, probeTable); err != nil { // of one that died, on an older kernel
		return nil, err
	}
	conn, err := k.owner(f)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		t := newProbe(k.conn, f)
		t.conn.AddTable(t.table)
		if err := t.addReset(); err != nil {
			return nil, err
		}
		return func() error { return k.removeTables(f, probeTable) }, nil
	}
	if err != nil {
		return nil, err
	}
	return conn.CloseLasting, newProbe(conn, f).addReset()
}

func newProbe(conn *nftables.Conn, f *family) *table {
	t := newTable(conn, f, &Plan{})
	t.table.Name = probeTable
	return t
}

func (t *table) addReset() error {
	t.hooked(chainRelay, nftables.ChainHookPrerouting, priorityRelay)
	t.rule(chainRelay, accept())
	t.rule(chainRelay, isProtocol(protoTCP), reset())
	return t.conn.Flush()
}

func reset() []expr.Any { return one(&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}) }

// lacking tells what a kernel says of an expression, or a place for it, that it doesn't
// have from other failures.
func lacking(err, lacks error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return lacks
	}
	return err
}

// owner is a connection with a table of its own to probe in, which goes when it is closed.
func (k *Kernel) owner(f *family) (*nftables.Conn, error) {
	return nftables.New(nftables.AsLasting(), nftables.WithTestDial(k.conn.TestDial),
		nftables.WithSockOptions(func(c *netlink.Conn) error {
			err := ownTable(c, f)
			if err != nil {
				err = fmt.Errorf("a table of its own: %w", errors.Join(err, c.Close()))
			}
			return err
		}))
}

// tableOwner is NFT_TABLE_F_OWNER of linux/netfilter/nf_tables.h.
const tableOwner = 0x2

// ownTable is a transaction that the library has no words for: it adds tables without flags.
func ownTable(c *netlink.Conn, f *family) error {
	table, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(probeTable + "\x00")},
		{Type: unix.NFTA_TABLE_FLAGS, Data: []byte{0, 0, 0, tableOwner}},
	})
	if err != nil {
		return err
	}
	message := func(kind netlink.HeaderType, flags netlink.HeaderFlags, header ...byte) netlink.Message {
		return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | flags}, Data: header}
	}
	batch := []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES}
	_, err = c.SendMessages([]netlink.Message{
		message(unix.NFNL_MSG_BATCH_BEGIN, 0, batch...),
		message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Acknowledge,
			append([]byte{byte(f.table), unix.NFNETLINK_V0, 0, 0}, table...)...),
		message(unix.NFNL_MSG_BATCH_END, 0, batch...),
	})
	if err == nil {
		_, err = c.Receive()
	}
	return err
}

// removeTables takes those of a family away that are there.
func (k *Kernel) removeTables(f *family, names ...string) error {
	tables, err := k.conn.ListTablesOfFamily(f.table)
	if err != nil {
		return fmt.Errorf("nftables: tables: %w", err)
	}
	for _, t := range tables {
		if slices.Contains(names, t.Name) {
			k.conn.DelTable(&nftables.Table{Name: t.Name, Family: f.table})
		}
	}
	if err := k.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}
