package tell

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/herald-lb/herald/relay/tunnel"
)

const (
	ask    = 375 * time.Millisecond
	told   = 780 * time.Millisecond
	finish = 80 * time.Millisecond
)

// sent is a segment, and how long after the start it was.
type sent struct {
	port     uint16
	after    time.Duration
	from     string
	sequence uint32
}

// tellerOf has a Teller without a kernel, and what it sends.
func tellerOf() (*Teller, func() []sent) {
	var mu sync.Mutex
	var lost atomic.Uint64
	var all []sent
	began := time.Now()
	teller := newTeller(Spec{Ask: ask, Tell: told, Finish: finish}, slog.New(slog.DiscardHandler), &lost)
	teller.send = func(packet []byte, from net.HardwareAddr) error {
		mu.Lock()
		defer mu.Unlock()
		f, ok := Parse(packet)
		if !ok {
			return errors.New("not a segment")
		}
		all = append(all, sent{f.From.Port(), time.Since(began), from.String(), f.Sequence})
		return nil
	}
	return teller, func() []sent {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func (t *Teller) logged(port uint16) {
	f := over4
	f.From = netip.AddrPortFrom(f.From.Addr(), port)
	t.enqueue(t.steps[0], logEntry{First: f, at: time.Now()})
}

// Each is asked for, told and reset in its time, whatever else waits. What tells has the
// number before: a server that has the connection answers that.
func TestAskedThenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller, all := tellerOf()
		teller.run()
		teller.logged(1)
		time.Sleep(100 * time.Millisecond) // of the bubble's clock
		teller.logged(2)
		time.Sleep(2 * time.Second)
		close(teller.stop)
		teller.all.Wait()
		question, again, last := tunnel.AskAgain.String(), tunnel.Again.String(), tunnel.Finish.String()
		const later = 100 * time.Millisecond
		n := over4.Sequence
		want := []sent{
			{1, ask, question, n}, {2, ask + later, question, n},
			{1, told, again, n - 1}, {1, told + finish, last, n}, {2, told + later, again, n - 1}, {2, told + later + finish, last, n},
		}
		if got := all(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// A flood fills what may wait, and no more: the rest is counted. Nothing waits for ever.
func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller, all := tellerOf()
		for i := range waiting + 1000 {
			teller.logged(uint16(i))
		}
		if lost := teller.lost.Load(); lost != 1000 {
			t.Errorf("lost %d, want 1000", lost)
		}
		teller.run()
		time.Sleep(2 * time.Second)
		if got := len(all()); got != 3*waiting {
			t.Errorf("%d sent, want %d", got, 3*waiting)
		}
		// What waits when it ends isn't told, and keeps nothing from ending.
		teller.logged(1)
		close(teller.stop)
		teller.all.Wait()
	})
}

// The other nodes and the pod have their time to answer, however late the process was with what
// they answer.
func TestALateProcessWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller, all := tellerOf()
		send, late := teller.send, 3*time.Second
		teller.send = func(packet []byte, from net.HardwareAddr) error {
			if from.String() != tunnel.Finish.String() {
				time.Sleep(late) // of the bubble's clock
			}
			return send(packet, from)
		}
		teller.run()
		teller.logged(1)
		time.Sleep(4 * late)
		close(teller.stop)
		teller.all.Wait()
		got := all()
		if len(got) != 3 || got[1].after != got[0].after+told-ask+late || got[2].after != got[1].after+finish {
			t.Errorf("%v, want them as long after each other as ever", got)
		}
	})
}

// A kernel that can't reset isn't asked to.
func TestNothingFollowsWhereNobodyResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller := newTeller(Spec{Ask: ask, Tell: told}, slog.New(slog.DiscardHandler), new(atomic.Uint64))
		var from []string
		teller.send = func(_ []byte, mac net.HardwareAddr) error { from = append(from, mac.String()); return nil }
		teller.run()
		teller.logged(1)
		time.Sleep(2 * time.Second)
		close(teller.stop)
		teller.all.Wait()
		if want := []string{tunnel.AskAgain.String(), tunnel.Again.String()}; !slices.Equal(from, want) {
			t.Errorf("from %v, want %v", from, want)
		}
	})
}

// Who can't be asked for isn't told either.
func TestWhatCannotBeSentIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller, _ := tellerOf()
		tried := 0
		teller.send = func([]byte, net.HardwareAddr) error { tried++; return errors.New("no route") }
		teller.run()
		teller.logged(1)
		time.Sleep(2 * time.Second)
		close(teller.stop)
		teller.all.Wait()
		if lost := teller.lost.Load(); lost != 1 || tried != 1 {
			t.Errorf("lost %d, tried %d, want 1 and 1", lost, tried)
		}
	})
}

func TestMessages(t *testing.T) {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: 1, Data: []byte{8, 0, 0, 0}}, {Type: payload, Data: over4.Segment()}})
	if err != nil {
		t.Fatal(err)
	}
	m := netlink.Message{Header: netlink.Header{Type: subsystem | logPacket}, Data: append([]byte{2, 0, 0x1d, 0x30}, attributes...)}
	if got, ok := Parse(logged(m)); !ok || got != over4 {
		t.Errorf("%+v, %t", got, ok)
	}
	cut, other := m, m
	cut.Data = m.Data[:3]
	other.Header.Type = netlink.Error
	for _, m := range []netlink.Message{cut, other, {}} {
		if got := logged(m); got != nil {
			t.Errorf("%+v: %x", m, got)
		}
	}
}
