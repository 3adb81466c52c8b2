package tell

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tunnel"
)

// waiting is how many packets wait at most for each of the segments: some 100 bytes each.
// The rules log at most Limits.FloodsPerSecond, 2,000 by default.
const waiting = 4096

// Spec is where and when is told.
type Spec struct {
	// Local is this node's address in the tunnel, whose port and Data's VNI these are.
	Local netip.Addr
	Port  uint16
	VNI   uint32
	// Ask and Tell are how long after its first packet a connection is searched again,
	// and told that nobody has it: less and more than rules.Timing.Flood.
	Ask, Tell time.Duration
	// Finish is how long after Tell's segment was sent a client is reset that nothing has
	// answered; 0: it isn't.
	Finish time.Duration
}

// Teller does it, until Close.
type Teller struct {
	Spec
	log *slog.Logger
	// lost counts the packets that are told nothing.
	lost *atomic.Uint64
	conn *netlink.Conn
	out  net.Conn
	// send an IP packet in a frame from a MAC.
	send func(packet []byte, from net.HardwareAddr) error
	// steps are what is done of each packet, one after the other.
	steps   []*step
	stop    chan struct{}
	done    chan struct{}
	all     sync.WaitGroup
	failing atomic.Bool
}

// logEntry is a packet, when it came, and when its last segment was sent.
type logEntry struct {
	First
	at, sent time.Time
}

// step sends a segment of each packet. What waits for it is in the order of time.
type step struct {
	wait chan logEntry
	// due is when it is sent, from whom, and what.
	due     func(e logEntry) time.Time
	from    net.HardwareAddr
	segment func(First) []byte
	// next is what follows of what was sent; nil: nothing.
	next *step
}

// Start begins. An error that is unix.EPERM or unix.EBUSY: another process has the log
// group. lost goes on being counted.
func Start(s Spec, log *slog.Logger, lost *atomic.Uint64) (*Teller, error) {
	// Its source is what the rules ask for: they let in no other.
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Local, 0))
	out, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Local, s.Port)))
	if err != nil {
		return nil, fmt.Errorf("own end of the tunnel: %w", err)
	}
	conn, err := listen(rules.LogGroup)
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	t := newTeller(s, log, lost)
	t.conn, t.out = conn, out
	device := tunnel.MAC(s.Local)
	t.send = func(packet []byte, from net.HardwareAddr) error {
		_, err := out.Write(Frame(s.VNI, device, from, packet))
		return err
	}
	t.all.Go(t.read)
	t.run()
	return t, nil
}

func newTeller(s Spec, log *slog.Logger, lost *atomic.Uint64) *Teller {
	t := &Teller{Spec: s, log: log, lost: lost, stop: make(chan struct{}), done: make(chan struct{})}
	t.add(tunnel.AskAgain, First.Segment, func(e logEntry) time.Time { return e.at.Add(s.Ask) })
	// The others have as long to answer a question that was late.
	t.add(tunnel.Again, First.Probe, func(e logEntry) time.Time { return e.sent.Add(s.Tell - s.Ask) })
	if s.Finish > 0 {
		// A pod has that long, however late the process was.
		t.add(tunnel.Finish, First.Segment, func(e logEntry) time.Time { return e.sent.Add(s.Finish) })
	}
	return t
}

func (t *Teller) add(from net.HardwareAddr, segment func(First) []byte, due func(logEntry) time.Time) {
	added := &step{wait: make(chan logEntry, waiting), due: due, from: from, segment: segment}
	if n := len(t.steps); n > 0 {
		t.steps[n-1].next = added
	}
	t.steps = append(t.steps, added)
}

func (t *Teller) run() {
	for _, s := range t.steps {
		t.all.Go(func() { t.take(s) })
	}
}

// Alive says whether it reads the log still.
func (t *Teller) Alive() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}

// Close ends it, and frees the log group. What waits isn't told.
func (t *Teller) Close() {
	close(t.stop)
	_ = t.conn.Close()
	t.all.Wait()
	_ = t.out.Close()
}

// read takes what is logged. The kernel drops what it has no room for, and says that it
// did: how many nobody knows, so each time counts as one.
func (t *Teller) read() {
	defer close(t.done)
	for {
		messages, err := t.conn.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			t.lost.Add(1)
			continue
		}
		if err != nil {
			select {
			case <-t.stop:
			default:
				t.log.Error("the log of first packets", "error", err)
			}
			return
		}
		now := time.Now()
		for _, m := range messages {
			if first, ok := Parse(logged(m)); ok {
				t.enqueue(t.steps[0], logEntry{First: first, at: now})
			}
		}
	}
}

func (t *Teller) enqueue(s *step, e logEntry) {
	select {
	case s.wait <- e:
	default:
		t.lost.Add(1)
	}
}

// take does a step of each packet, and goes on with what was sent: who isn't asked for a
// second time isn't told.
func (t *Teller) take(s *step) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var e logEntry
		select {
		case e = <-s.wait:
		case <-t.stop:
			return
		}
		timer.Reset(time.Until(s.due(e)))
		select {
		case <-timer.C:
		case <-t.stop:
			return
		}
		if !t.try(s.segment(e.First), s.from) {
			t.lost.Add(1)
			continue
		}
		if e.sent = time.Now(); s.next != nil {
			t.enqueue(s.next, e)
		}
	}
}

// try sends one; that it can't be is logged once.
func (t *Teller) try(packet []byte, from net.HardwareAddr) bool {
	err := t.send(packet, from)
	if err != nil && !t.failing.Swap(true) {
		t.log.Warn("to the own end of the tunnel", "error", err)
	}
	if err == nil {
		t.failing.Store(false)
	}
	return err == nil
}
