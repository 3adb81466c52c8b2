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

// waiting is how many packets wait at most for each of the two answers: some 100 bytes
// each. The rules log at most Limits.FloodsPerSecond, 2,000 by default.
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
}

// Teller does it, until Close.
type Teller struct {
	Spec
	log *slog.Logger
	// lost counts the packets that are told nothing.
	lost *atomic.Uint64
	conn *netlink.Conn
	out  net.Conn
	// send a packet's segment in a frame from a MAC.
	send func(first First, from net.HardwareAddr) error
	// ask and tell are in the order of time.
	ask, tell chan logEntry
	stop      chan struct{}
	done      chan struct{}
	all       sync.WaitGroup
	failing   atomic.Bool
}

// logEntry is a packet and when it came.
type logEntry struct {
	First
	at time.Time
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
	t.send = func(f First, from net.HardwareAddr) error {
		_, err := out.Write(Frame(s.VNI, device, from, f.Segment()))
		return err
	}
	t.all.Go(t.read)
	t.run()
	return t, nil
}

func newTeller(s Spec, log *slog.Logger, lost *atomic.Uint64) *Teller {
	return &Teller{
		Spec: s, log: log, lost: lost, ask: make(chan logEntry, waiting), tell: make(chan logEntry, waiting),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
}

func (t *Teller) run() {
	t.all.Go(func() { t.answer(t.ask, t.Ask, tunnel.AskAgain, func(e logEntry) { t.enqueue(t.tell, e) }) })
	t.all.Go(func() { t.answer(t.tell, t.Tell, tunnel.Again, func(logEntry) {}) })
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
				t.enqueue(t.ask, logEntry{first, now})
			}
		}
	}
}

func (t *Teller) enqueue(to chan<- logEntry, e logEntry) {
	select {
	case to <- e:
	default:
		t.lost.Add(1)
	}
}

// answer sends each packet's segment so long after the packet, and goes on with what was
// sent: who isn't asked for a second time isn't told.
func (t *Teller) answer(packets <-chan logEntry, after time.Duration, from net.HardwareAddr, then func(logEntry)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var e logEntry
		select {
		case e = <-packets:
		case <-t.stop:
			return
		}
		timer.Reset(time.Until(e.at.Add(after)))
		select {
		case <-timer.C:
		case <-t.stop:
			return
		}
		if t.try(e.First, from) {
			then(e)
		} else {
			t.lost.Add(1)
		}
	}
}

// try sends one; that it can't be is logged once.
func (t *Teller) try(f First, from net.HardwareAddr) bool {
	err := t.send(f, from)
	if err != nil && !t.failing.Swap(true) {
		t.log.Warn("to the own end of the tunnel", "error", err)
	}
	if err == nil {
		t.failing.Store(false)
	}
	return err == nil
}
