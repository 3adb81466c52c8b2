package rules

import (
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/herald-lb/herald/relay/exchange"
)

// Names of what a table holds.
const (
	setLearn, setLeaving, setPathMTU, setSenders = "learn", "leaving", "path-mtu", "senders"
	setFlooding, setFlooded, setFloodRate        = "flooding", "flooded", "flood-rate"
	setAskedTwice, setTold                       = "asked-twice", "told"
	setAsking, setAsked, setClaims               = "asking", "asked", "claims"

	chainTunnel, chainClaims, chainRelay       = "tunnel", "claims", "relay"
	chainFromPeers, chainDisplaced, chainKnown = "from-peers", "displaced", "leaving"
	chainFlood, chainForget, chainGiveUp       = "flood", "forget", "give-up"
	chainReset, chainCopiedReset, chainPathMTU = "reset", "copied-reset", "path-mtu"
	chainAsk, chainAgain, chainFinish          = "ask-again", "again", "finish"
	chainLimit                                 = "limit"

	counterRelayed, counterFlooded, counterClaimed       = "relayed", "flooded", "claimed"
	counterUnclaimed, counterLimited, counterRefused     = "unclaimed", "limited", "refused"
	counterPathMTUFlooded, counterPathMTUAccepted        = "path-mtu-flooded", "path-mtu-accepted"
	counterTold, counterReset                            = "told", "finished"
	chunk, maxFlooded                                int = 500, 1 << 18
)

var counters = []string{
	counterRelayed, counterFlooded, counterClaimed, counterUnclaimed, counterLimited, counterRefused,
	counterPathMTUFlooded, counterPathMTUAccepted, counterTold, counterReset,
}

// table is one family's, while it is made.
type table struct {
	*family
	plan  *Plan
	conn  *nftables.Conn
	table *nftables.Table
	// chains have their rules; sets are what rules ask.
	chains map[string]*nftables.Chain
	sets   map[string]*nftables.Set
	failed error
}

func newTable(conn *nftables.Conn, f *family, plan *Plan) *table {
	return &table{
		family: f, plan: plan, conn: conn, table: &nftables.Table{Name: Table, Family: f.table},
		chains: map[string]*nftables.Chain{}, sets: map[string]*nftables.Set{},
	}
}

// set adds a set, or finds the one that is there with all it holds.
func (t *table) set(name string, key nftables.SetDatatype, concatenated bool) *nftables.Set {
	s := &nftables.Set{Table: t.table, Name: name, KeyType: key, Concatenation: concatenated}
	t.add(s)
	return s
}

// memory adds a set that rules write to.
func (t *table) memory(name string, key nftables.SetDatatype, timeout time.Duration, size int) {
	t.add(&nftables.Set{
		Table: t.table, Name: name, KeyType: key, Concatenation: true,
		Dynamic: true, HasTimeout: true, Timeout: timeout, Size: uint32(size),
	})
}

func (t *table) add(s *nftables.Set) {
	if err := t.conn.AddSet(s, nil); err != nil && t.failed == nil {
		t.failed = err
	}
	t.sets[s.Name] = s
}

// fill replaces what a set holds. A message holds at most 64 KiB, hence the chunks.
func (t *table) fill(s *nftables.Set, keys [][]byte) {
	t.conn.FlushSet(s)
	for len(keys) > 0 {
		n := min(chunk, len(keys))
		elements := make([]nftables.SetElement, n)
		for i, key := range keys[:n] {
			elements[i].Key = key
		}
		if err := t.conn.SetAddElements(s, elements); err != nil && t.failed == nil {
			t.failed = err
		}
		keys = keys[n:]
	}
}

func (t *table) addSets() {
	limits, timing := t.plan.Limits, t.plan.Timing
	flow := t.flow()
	t.fill(t.set(setLearn, t.frontend(), true), frontendKeys(frontendsOf(t.plan.Learn, t.family)))
	t.fill(t.set(setLeaving, t.frontend(), true), frontendKeys(frontendsOf(t.plan.Leaving, t.family)))
	t.fill(t.set(setPathMTU, t.address, false), addressKeys(addressesOf(t.plan.PathMTU, t.family)))
	t.fill(t.set(setSenders, t.address, false), addressKeys(addressesOf(t.plan.Senders, t.family)))
	floods := min(limits.FloodsPerSecond*int((timing.Flood+timing.GaveUp)/time.Second+1), maxFlooded)
	t.memory(setFlooding, flow, timing.Flood, floods)
	t.memory(setFlooded, flow, timing.Flood+timing.GaveUp, floods)
	t.memory(setAskedTwice, flow, timing.GaveUp, floods)
	t.memory(setTold, flow, timing.GaveUp, floods)
	t.memory(setFloodRate, flow, timing.Flood, floods)
	t.memory(setAsking, flow, timing.Doubt, limits.LearnedFlows)
	t.memory(setAsked, flow, timing.Silence, limits.LearnedFlows)
	t.memory(setClaims, t.flowOf(), timing.Learned+claimsLast, maxFlooded)
	for _, p := range t.plan.Peers {
		t.memory(learnedSet(p.Name), flow, timing.Learned, limits.LearnedFlows)
	}
}

// chain adds one that others go to.
func (t *table) chain(name string) {
	t.chains[name] = t.conn.AddChain(&nftables.Chain{Name: name, Table: t.table})
}

// hooked adds one that the kernel goes to.
func (t *table) hooked(name string, hook *nftables.ChainHook, priority int) {
	t.chains[name] = t.conn.AddChain(&nftables.Chain{
		Name: name, Table: t.table, Type: nftables.ChainTypeFilter, Hooknum: hook,
		Priority: nftables.ChainPriorityRef(nftables.ChainPriority(priority)),
	})
}

func (t *table) rule(chain string, parts ...[]expr.Any) {
	t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: t.chains[chain], Exprs: do(parts...)})
}

func frontendKeys(frontends []exchange.Frontend) [][]byte {
	keys := make([][]byte, len(frontends))
	for i, f := range frontends {
		// Each part is padded to a multiple of four bytes.
		keys[i] = append(f.Address.AsSlice(), protocol(f), 0, 0, 0, byte(f.Port>>8), byte(f.Port), 0, 0)
	}
	return keys
}

func addressKeys(addresses []netip.Addr) [][]byte {
	keys := make([][]byte, len(addresses))
	for i, a := range addresses {
		keys[i] = a.AsSlice()
	}
	return keys
}
