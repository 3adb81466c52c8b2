package rules

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// buffer of the netlink socket: a transaction is one message to the kernel, and is
// answered rule by rule.
const buffer = 32 << 20

// Kernel is where the tables are.
type Kernel struct{ conn *nftables.Conn }

// Open connects to the nftables of this process's network namespace.
func Open() (*Kernel, error) {
	conn, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(buffer), c.SetWriteBuffer(buffer), largeParts(c))
	}))
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return &Kernel{conn: conn}, nil
}

// Apply makes the table of a family as planned, in one transaction: no packet meets half
// of it. What was learned stays, unless sizes or timing changed. A family that nothing
// is planned of has a table that only guards.
func (k *Kernel) Apply(name Family, plan *Plan) error {
	f := families[name]
	if !plan.needs(f) {
		return k.Guard(name, plan)
	}
	err := k.apply(f, plan, false)
	// What can't be changed in place is made anew: sets of other sizes, and tables of
	// another release.
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EOPNOTSUPP) {
		err = k.apply(f, plan, true)
	}
	return err
}

func (k *Kernel) apply(f *family, plan *Plan, anew bool) error {
	old, err := k.contents(f)
	if err != nil {
		return err
	}
	t := newTable(k.conn, f, plan)
	if old.exists && anew {
		k.conn.DelTable(t.table)
		old = contents{}
	}
	if err := t.make(old); err != nil {
		return err
	}
	if err := k.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

// make writes the table's transaction.
func (t *table) make(old contents) error {
	t.conn.AddTable(t.table)
	if old.exists {
		t.conn.FlushTable(t.table)
		t.forget(old)
	}
	t.addSets()
	for _, name := range counters {
		if !old.counters[name] {
			t.conn.AddObj(&nftables.CounterObj{Table: t.table, Name: name})
		}
	}
	t.addChains()
	t.addRules()
	for name := range old.chains {
		if t.chains[name] == nil {
			t.conn.DelChain(&nftables.Chain{Table: t.table, Name: name})
		}
	}
	for name := range old.sets {
		if t.sets[name] == nil {
			t.conn.DelSet(&nftables.Set{Table: t.table, Name: name})
		}
	}
	return t.failed
}

// contents are the names of what a table holds.
type contents struct {
	exists                 bool
	chains, sets, counters map[string]bool
}

func (k *Kernel) contents(f *family) (contents, error) {
	c := contents{chains: map[string]bool{}, sets: map[string]bool{}, counters: map[string]bool{}}
	tables, err := k.conn.ListTablesOfFamily(f.table)
	if err != nil {
		return c, fmt.Errorf("nftables: tables: %w", err)
	}
	for _, t := range tables {
		c.exists = c.exists || t.Name == Table
	}
	if !c.exists {
		return c, nil
	}
	chains, err := k.conn.ListChainsOfTableFamily(f.table)
	if err != nil {
		return c, fmt.Errorf("nftables: chains: %w", err)
	}
	for _, chain := range chains {
		if chain.Table.Name == Table {
			c.chains[chain.Name] = true
		}
	}
	table := &nftables.Table{Name: Table, Family: f.table}
	sets, err := k.conn.GetSets(table)
	if err != nil {
		return c, fmt.Errorf("nftables: sets: %w", err)
	}
	for _, set := range sets {
		c.sets[set.Name] = true
	}
	objects, err := k.conn.GetObjects(table)
	if err != nil {
		return c, fmt.Errorf("nftables: counters: %w", err)
	}
	for _, o := range objects {
		if counter, ok := o.(*nftables.CounterObj); ok {
			c.counters[counter.Name] = true
		}
	}
	return c, nil
}

// Remove takes the tables away, and what a probe left that died on a kernel before
// Linux 5.12. Those that aren't there are no error.
func (k *Kernel) Remove() error {
	var failed []error
	for _, f := range families {
		failed = append(failed, k.removeTables(f, Table, probeTable))
	}
	return errors.Join(failed...)
}
