package relay

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
)

var (
	modelSeed     = flag.Int64("relay.seed", 1, "what the model's steps are drawn from; 0 draws a seed")
	modelDuration = flag.Duration("relay.duration", 25*time.Second, "no round begins after this")
	modelRounds   = flag.Int("relay.rounds", 0, "end after this many rounds instead (0: after the duration)")
)

// TestModel: random packets through random nodes, while relays are killed, their
// tables made anew and their peers changed, are answered by whom a model says that
// knows nothing of rules: see model.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = 1 + rand.Int63n(1_000_000)
	}
	s := newSite(t, 4)
	for _, n := range s.nodes {
		// Longer than any round: a connection that nobody asks of must not be forgotten.
		must(t, n.box.Sysctl(map[string]string{
			"net.netfilter.nf_conntrack_udp_timeout": "3600", "net.netfilter.nf_conntrack_udp_timeout_stream": "3600",
		}))
	}
	s.learned = "30s"
	s.relays()
	m := &model{puppeteer: newPuppeteer(s), chance: rand.New(rand.NewSource(seed)), reach: map[[2]int]bool{}, told: map[int]int{}, counts: map[string]int{}}
	for a := range s.nodes {
		for b := range s.nodes {
			m.reach[[2]int{a, b}] = a != b
		}
	}
	began := time.Now()
	round := 0
	for ; *modelRounds > 0 && round < *modelRounds || *modelRounds == 0 && time.Since(began) < *modelDuration; round++ {
		if err := m.round(); err != nil {
			t.Fatalf("seed %d, round %d (replay: -relay.seed=%d -relay.rounds=%d): %v", seed, round+1, seed, round+1, err)
		}
		if round%2 == 1 {
			m.event()
		}
	}
	t.Logf("seed %d: %d rounds: %v", seed, round, m.counts)
	m.judge(round)
}

// judge: a run in which little happened proves little.
func (m *model) judge(rounds int) {
	m.t.Helper()
	if rounds < 4 {
		m.t.Errorf("%d rounds", rounds)
	}
	if rounds < 10 {
		return
	}
	for _, what := range []string{"open", "say: own", "say: displaced", "say: nobody's", "FIN", "RST", "too big: displaced", "QUIC: displaced", "told by one"} {
		if m.counts[what] == 0 {
			m.t.Errorf("no %q in %d rounds", what, rounds)
		}
	}
}

// model is who must answer: the node that saw a connection begin, its owner, if the
// node that gets the packet is the owner, or each of the two has the other as a peer.
// Else the client is told that there is no connection.
type model struct {
	*puppeteer
	chance *rand.Rand
	number int
	flows  []*connection
	// reach says that the first node sends to the second.
	reach map[[2]int]bool
	// told counts the messages about a path's MTU that each owner gets by others.
	told   map[int]int
	counts map[string]int
}

// connection is one as the model has it.
type connection struct {
	*puppet
	// pods of each owner: one, but for QUIC, where each long header makes one more.
	// That of TCP is not known.
	pods   map[int]string
	over   bool
	number uint64
	busy   bool
}

func (m *model) reaches(from, to int) bool {
	return from == to || m.reach[[2]int{from, to}] && m.reach[[2]int{to, from}]
}

// owners are those that a packet by a node reaches.
func (m *model) owners(c *connection, through int) []int {
	if _, own := c.pods[through]; own {
		return []int{through}
	}
	var all []int
	for _, o := range slices.Sorted(maps.Keys(c.pods)) {
		if m.reaches(through, o) {
			all = append(all, o)
		}
	}
	return all
}

const stepsOfRound = 24

// round does some steps at once, each with another connection.
func (m *model) round() error {
	var steps []func() error
	for len(steps) < stepsOfRound {
		steps = append(steps, m.step())
	}
	failures := make([]error, len(steps))
	var all sync.WaitGroup
	for i, step := range steps {
		all.Go(func() { failures[i] = step() })
	}
	all.Wait()
	for _, c := range m.flows {
		c.busy = false
	}
	m.flows = slices.DeleteFunc(m.flows, func(c *connection) bool { return c.over })
	return errors.Join(append(failures, m.toldOwners())...)
}

// idle is a connection that no step of this round has.
func (m *model) idle() *connection {
	for range 2 * len(m.flows) {
		if c := m.flows[m.chance.Intn(len(m.flows))]; !c.busy {
			c.busy = true
			return c
		}
	}
	return nil
}

// step draws one, and says what must come of it.
func (m *model) step() func() error {
	through := m.chance.Intn(len(m.nodes))
	var c *connection
	draw := m.chance.Intn(100)
	if draw >= 25 && len(m.flows) > 8 {
		c = m.idle()
	}
	if c == nil {
		c = &connection{puppet: m.puppet(m.chance, m.number), pods: map[int]string{}}
		m.number++
		if draw < 6 && !c.quic {
			return m.stranger(c, through, draw < 2)
		}
		c.busy = true
		m.flows = append(m.flows, c)
		return m.open(c, through)
	}
	switch {
	case c.quic:
		return m.ask(c, through, draw > 92)
	case draw > 95:
		return m.reset(c, through)
	case draw > 90:
		return m.finish(c, through)
	case draw > 80:
		return m.tellMTU(c, through)
	}
	return m.say(c, through)
}

// open begins a connection: whoever gets its first packet is the owner.
func (m *model) open(c *connection, through int) func() error {
	if c.quic {
		return m.ask(c, through, true)
	}
	m.counts["open"]++
	c.pods[through] = ""
	return func() error { return c.handshake(through) }
}

// say sends data, and wants it back from the owner, or a reset.
func (m *model) say(c *connection, through int) func() error {
	owners := m.owners(c, through)
	switch {
	case len(owners) == 0:
		m.counts["say: nobody's"]++
		c.over = true // a client that is told so has no connection any more
	case owners[0] == through:
		m.counts["say: own"]++
	default:
		m.counts["say: displaced"]++
	}
	c.number++
	said := binary.BigEndian.AppendUint64(nil, c.number)
	return func() error {
		mine, theirs := c.next()
		var wrong error
		err := c.until(func() { c.tcp(through, flagPSH|flagACK, mine, theirs, said) }, func(a reply) bool {
			if a.flags&flagRST != 0 {
				if len(owners) > 0 {
					wrong = errors.New("reset")
				}
				return true
			}
			c.received = append(c.received, a.payload...)
			if len(c.received) < len(said) {
				return false
			}
			if string(c.received) != string(said) || len(owners) == 0 {
				wrong = fmt.Errorf("answered by %x", c.received)
			}
			return true
		})
		c.mine = mine + uint32(len(said))
		if err = errors.Join(err, wrong); err != nil {
			return fmt.Errorf("%s said %x by node %d, reachable owners %v of %v: %w", c.local, said, through+1, names(owners), c.pods, err)
		}
		return nil
	}
}

func names(nodes []int) []int {
	all := make([]int, len(nodes))
	for i, n := range nodes {
		all[i] = n + 1
	}
	return all
}

// stranger sends what belongs to no connection: an ACK is told so, by one where the node's
// relay runs; a reset is not answered, by anybody.
func (m *model) stranger(c *connection, through int, reset bool) func() error {
	c.over = true
	if !reset && m.nodes[through].relay.Alive() {
		m.counts["told by one"]++
		return func() error { return c.isTold(through) }
	}
	if !reset {
		return m.say(c, through)
	}
	return func() error {
		mine, _ := c.next()
		for range 5 {
			c.tcp(through, flagRST, mine, 0, nil)
			time.Sleep(modelRetry) // the pace of what is sent
		}
		select {
		case a := <-c.answers:
			return fmt.Errorf("%s sent resets of no connection by node %d, and got %+v", c.local, through+1, a)
		default:
			return nil
		}
	}
}

// finish ends a connection from the client's side: its server does so too.
func (m *model) finish(c *connection, through int) func() error {
	if len(m.owners(c, through)) == 0 {
		return m.say(c, through)
	}
	m.counts["FIN"]++
	c.over = true
	return func() error {
		mine, theirs := c.next()
		err := c.until(func() { c.tcp(through, flagFIN|flagACK, mine, theirs, nil) }, func(a reply) bool { return a.flags&flagFIN != 0 })
		if err != nil {
			return fmt.Errorf("%s finished by node %d: %w", c.local, through+1, err)
		}
		mine, theirs = c.next()
		c.tcp(through, flagACK, mine+1, theirs, nil)
		return nil
	}
}

// reset ends a connection at once, everywhere; and the port is used again, by any node.
func (m *model) reset(c *connection, through int) func() error {
	if len(m.owners(c, through)) == 0 {
		return m.say(c, through)
	}
	m.counts["RST"]++
	next := m.chance.Intn(len(m.nodes))
	clear(c.pods)
	again := m.say(c, next)
	return func() error {
		mine, _ := c.next()
		c.tcp(through, flagRST, mine, 0, nil)
		return again()
	}
}

// tellMTU: the owner, and nobody else, is told; how often is counted by its rules.
func (m *model) tellMTU(c *connection, through int) func() error {
	owners := m.owners(c, through)
	if len(owners) > 0 && owners[0] != through {
		m.counts["too big: displaced"]++
		m.told[owners[0]]++
	}
	return func() error { c.tooBig(through); return nil }
}

// toldOwners compares what the owners' rules counted. Tables that were made anew
// begin at 0: see event.
func (m *model) toldOwners() error {
	var wrong []error
	for i, n := range m.nodes {
		got := 0
		for _, family := range []string{"ip", "ip6"} {
			got += packets(m.t, n.run("nft", "list", "counter", family, "herald", "path-mtu-accepted"))
		}
		if got != m.told[i] {
			wrong = append(wrong, fmt.Errorf("node %d accepted %d messages about a path's MTU, want %d", i+1, got, m.told[i]))
		}
	}
	return errors.Join(wrong...)
}

// ask is QUIC: a long header is for who gets it, a short one for an owner; and what
// nobody owns is for who gets it after all, as there is nothing to tell the client by.
func (m *model) ask(c *connection, through int, long bool) func() error {
	owners := m.owners(c, through)
	form, fresh := byte(shortHeader), false
	switch {
	case long:
		form, fresh = longHeader, !slices.Contains(owners, through)
	case len(owners) == 0:
		m.counts["QUIC: nobody's"]++
		fresh = true
	case owners[0] != through:
		m.counts["QUIC: displaced"]++
	}
	var may []string
	for _, o := range owners {
		may = append(may, c.pods[o])
	}
	if fresh {
		c.pods[through] = ""
	}
	c.number++
	said := binary.BigEndian.AppendUint64([]byte{form, 0, 0, 0}, c.number)
	return func() error {
		var pod string
		err := c.until(func() { c.udp(through, said) }, func(a reply) bool {
			name, number := string(a.payload[:min(4, len(a.payload))]), a.payload[min(4, len(a.payload)):]
			if string(number) != string(said[4:]) {
				return false // an answer to another question
			}
			pod = name
			return true
		})
		if err == nil && !fresh && !slices.Contains(may, pod) {
			err = fmt.Errorf("%s answered", pod)
		}
		if err != nil {
			return fmt.Errorf("%s asked (%#x) by node %d, pods of owners %v: %w", c.local, form, through+1, may, err)
		}
		if fresh {
			c.pods[through] = pod
		}
		return nil
	}
}

// event changes something about one node's relay.
func (m *model) event() {
	m.t.Helper()
	i := m.chance.Intn(len(m.nodes))
	n, draw := m.nodes[i], m.chance.Intn(5)
	other := (i + 1 + m.chance.Intn(len(m.nodes)-1)) % len(m.nodes)
	if !n.relay.Alive() {
		draw = 0
	}
	switch draw {
	case 0:
		if n.relay.Alive() {
			m.counts["process killed"]++
			n.relay.Kill()
			return
		}
		m.counts["process started"]++
		n.start()
	case 1:
		// By hand: of another size they are made anew on older kernels only. What was
		// learned is gone, and what was counted.
		m.counts["tables made anew"]++
		n.more++
		n.relay.Kill()
		n.nft("delete table ip herald\ndelete table ip6 herald\n")
		n.start()
		m.told[i] = 0
	default:
		m.counts["peers changed"]++
		m.reach[[2]int{i, other}] = !m.reach[[2]int{i, other}]
	}
	d := n.desired()
	d.Limits.LearnedFlows += n.more
	d.Peers = slices.DeleteFunc(d.Peers, func(p exchange.Peer) bool {
		return !m.reach[[2]int{i, slices.IndexFunc(m.nodes, func(o *node) bool { return o.name() == p.Node })}]
	})
	n.want(d)
	if !strings.Contains(n.run("nft", "list", "set", "ip", "herald", "asked"), fmt.Sprint(d.Limits.LearnedFlows)) {
		m.t.Errorf("%s has other tables", n.name())
	}
}
