package observe

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/report"
)

// daemons are FRR's, as far as they answer commands with what they are given.
type daemons struct {
	t testing.TB

	mu      sync.Mutex
	answers map[string]string
	asked   []string
	conns   map[string]net.Conn
}

// newDaemons are those of an Observer.
func newDaemons(t testing.TB, o *Observer) *daemons {
	t.Helper()
	d := &daemons{t: t, answers: map[string]string{}, conns: map[string]net.Conn{}}
	for _, name := range o.Daemons {
		listener, err := net.Listen("unix", filepath.Join(o.RunDir, name+".vty"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go d.serve(name, listener)
	}
	return d
}

func (d *daemons) serve(name string, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns[name] = conn
		d.mu.Unlock()
		go d.talk(conn)
	}
}

func (d *daemons) talk(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		command, err := r.ReadString(0)
		if err != nil {
			return
		}
		if _, err := conn.Write([]byte(d.say(strings.TrimSuffix(command, "\x00")) + "\x00\x00\x00\x00")); err != nil {
			return
		}
	}
}

func (d *daemons) say(command string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, command)
	return d.answers[command]
}

func (d *daemons) answer(command, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[command] = text
}

// hangUp ends a daemon; its successor answers.
func (d *daemons) hangUp(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[name].Close()
}

// since the last call: how often a command was sent.
func (d *daemons) since(command string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, asked := range d.asked {
		if asked == command {
			n++
		}
	}
	d.asked = nil
	return n
}

func testdata(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// oneUp is a summary of one neighbor, and the neighbor.
const (
	oneUp   = `{"default":{"ipv4Unicast":{"vrfId":0,"peers":{"10.0.0.1":{"state":"Established","connectionsEstablished":1,"pfxSnt":1}}}}}`
	oneMore = `{"default":{"ipv4Unicast":{"vrfId":0,"peers":{"10.0.0.1":{"state":"Established","connectionsEstablished":1,"pfxSnt":2}}}}}`
	oneDown = `{"default":{"ipv4Unicast":{"vrfId":0,"peers":{"10.0.0.1":{"state":"Active","connectionsEstablished":1,"connectionsDropped":1}}}}}`
	one     = `{"default":{"vrfId":0,"10.0.0.1":{"bgpState":"Established","addressFamilyInfo":{"ipv4Unicast":{"sentPrefixCounter":1}}}}}`
	two     = `{"default":{"vrfId":0,"10.0.0.1":{"bgpState":"Established"},"10.0.0.2":{"bgpState":"Idle"}}}`
)

// looker is an Observer of daemons, and what it publishes.
func looker(t *testing.T) (*Observer, *daemons, *report.Report, *[]string) {
	t.Helper()
	seen, changed := &report.Report{}, &[]string{}
	o := &Observer{
		RunDir: t.TempDir(), Daemons: []string{"zebra", "bgpd", "bfdd"}, Now: func() time.Time { return time.Unix(1795220569, 0) },
		Publish: func(change func(*report.Report)) { change(seen) },
		Changed: func(daemon string) { *changed = append(*changed, daemon) },
	}
	frr := newDaemons(t, o)
	frr.answer("show version", "FRRouting 10.3 (node).")
	frr.answer(showSummary, oneUp)
	frr.answer(showNeighbors, one)
	o.begin()
	t.Cleanup(o.closeAll)
	return o, frr, seen, changed
}

// What doesn't change is asked for once in a report's interval, and what does at once.
func TestAllIsAskedWhereSomethingChanges(t *testing.T) {
	o, frr, seen, _ := looker(t)
	asked := func(what string, looks, want int) {
		t.Helper()
		for range looks {
			o.look(t.Context())
		}
		if got := frr.since(showNeighbors); got != want {
			t.Errorf("%s: %d looks asked for everything %d times, want %d", what, looks, got, want)
		}
	}
	asked("at first", 1, 1)
	if len(seen.Sessions) != 1 || seen.Sessions[0].IPv4.Sent != 1 || seen.FRR.Version != "10.3" || !seen.FRR.Daemons["zebra"] {
		t.Errorf("%+v", seen)
	}
	asked("at rest", wholeEvery-1, 0)
	if len(seen.Sessions) != 1 {
		t.Errorf("a look that asked for a summary published %+v", seen)
	}
	asked("at rest", wholeEvery, 1)
	frr.answer(showSummary, oneMore)
	asked("a prefix more", wholeEvery, 1)
	seen.AppliedHash = "another"
	asked("an apply", wholeEvery-1, 1)
	frr.answer(showSummary, oneDown)
	asked("the end of a session", 1, 1)
	asked("a session that is down", 2*wholeEveryDown, 2)
	frr.answer(showSummary, "% what?")
	asked("a summary that says nothing", 3, 3)
	frr.answer(showSummary, oneUp)
	frr.answer(showNeighbors, two)
	asked("a neighbor without a family", 3, 3)
	if len(seen.Sessions) != 2 {
		t.Errorf("%+v", seen.Sessions)
	}
}

// A daemon that ends is seen at the next look; one that is there is asked now and then.
func TestDaemonsAreAskedNowAndThen(t *testing.T) {
	o, frr, seen, changed := looker(t)
	o.look(t.Context())
	if !slices.Equal(*changed, o.Daemons) {
		t.Fatalf("connected to %v", *changed)
	}
	frr.since("")
	for range 3 * pingEvery {
		o.look(t.Context())
	}
	if got := frr.since("enable"); got != 2*3 {
		t.Errorf("zebra and bfdd were asked %d times in %d looks", got, 3*pingEvery)
	}
	for _, daemon := range []string{"zebra", "bgpd"} {
		*changed = nil
		frr.hangUp(daemon)
		frr.since("")
		o.look(t.Context())
		if !slices.Equal(*changed, []string{daemon, daemon}) || !seen.FRR.Daemons[daemon] {
			t.Errorf("the end of %s, and the next one, were told as %v; %v", daemon, *changed, seen.FRR.Daemons)
		}
	}
	if frr.since("show version") != 1 {
		t.Error("another bgpd wasn't asked for its version")
	}
}

// How BFD sees a path is asked at each look, whoever else is at rest.
func TestPathsAreAskedAtEachLook(t *testing.T) {
	o, frr, seen, _ := looker(t)
	frr.answer(showNeighbors, strings.Replace(one, `"bgpState"`, `"peerBfdInfo":{},"bgpState"`, 1))
	for _, state := range []string{"up", "down", "up"} {
		before := seen.Sessions
		frr.answer(showBFDPeers, `[{"peer":"10.0.0.1","vrf":"default","status":"`+state+`"}]`)
		o.look(t.Context())
		if got := seen.Sessions[0].BFD; got == nil || got.State != bfdStates[state] {
			t.Errorf("%s: %+v", state, got)
		}
		if len(before) > 0 && before[0].BFD.State == bfdStates[state] {
			t.Error("what was published before has changed")
		}
	}
	if got := frr.since(showNeighbors); got != 1 {
		t.Errorf("everything was asked for %d times", got)
	}
}

// Both releases tell of a session in the same words.
func TestGlanceOfBothReleases(t *testing.T) {
	for _, version := range []string{"8.4", "10.3"} {
		up := parseSummary(testdata(t, "summary-up-"+version))
		want := glance{
			{"", "10.10.0.1"}:   {state: established, opened: 1, ipv4: prefixes{sent: 1}},
			{"", "10.10.0.99"}:  {state: "Idle"},
			{"", "fd00::1"}:     {state: "Idle"},
			{"red", "10.9.9.9"}: {state: "Idle", vrfMissing: true},
		}
		if !up.equal(want) || up.up() {
			t.Errorf("%s: %+v", version, up)
		}
		neighbors := answer(t, "up-"+version)
		if up.covers(neighbors) {
			t.Errorf("%s: a neighbor that is gone is covered", version)
		}
		neighbors[key{"red", "10.9.9.9"}] = neighbor{}
		if !up.covers(neighbors) {
			t.Errorf("%s: not covered: %+v", version, neighbors)
		}
		down := parseSummary(testdata(t, "summary-down-"+version))
		if got := down[key{"", "10.10.0.1"}]; got.state != "Idle" || got.closed != 1 || got.ipv4.sent != 0 {
			t.Errorf("%s: %+v", version, got)
		}
	}
	if none := parseSummary("{\n}\n"); none == nil || !none.up() || !none.covers(nil) {
		t.Errorf("%v", none)
	}
}
