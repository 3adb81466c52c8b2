package gates

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

var web = types.NamespacedName{Namespace: "shop", Name: "web"}

// script answers as a function of the time since the first question.
type script struct {
	start time.Time
	at    func(since time.Duration) Answer
	asked int
}

func (s *script) Cluster(context.Context) Answer { return s.answer() }

func (s *script) Local(context.Context, uint16) Answer { return s.answer() }

func (s *script) answer() Answer {
	if s.asked++; s.start.IsZero() {
		s.start = time.Now()
	}
	return s.at(time.Since(s.start))
}

func TestKeeper(t *testing.T) {
	tests := map[string]struct {
		answers func(time.Duration) Answer
		want    snapshot.GateState
		// The gate opens not before and not after these times.
		after, before time.Duration
	}{
		"200 opens at once":          {always(Ready), snapshot.GateOpen, 0, 0},
		"200 later":                  {until(time.Second, NotReady, Ready), snapshot.GateOpen, time.Second, time.Second + 2*Interval},
		"503 keeps closed":           {always(NotReady), snapshot.GateClosed, 0, 0},
		"silence opens after 3 s":    {always(Silent), snapshot.GateTimedOut, SilenceTimeout, SilenceTimeout + 2*Interval},
		"503 after silence counts":   {until(2*time.Second, Silent, NotReady), snapshot.GateClosed, 0, 0},
		"silence after 503 counts":   {until(2*time.Second, NotReady, Silent), snapshot.GateTimedOut, 2*time.Second + SilenceTimeout, 2*time.Second + SilenceTimeout + 3*Interval},
		"200 in the last moment":     {until(SilenceTimeout-Interval, Silent, Ready), snapshot.GateOpen, SilenceTimeout - Interval, SilenceTimeout},
		"503 for a minute, then 200": {until(time.Minute, NotReady, Ready), snapshot.GateOpen, time.Minute, time.Minute + SlowInterval},
	}
	for name, test := range tests {
		for kind, wanted := range map[string]Wanted{"Cluster": {Cluster: true}, "Local": {Local: map[types.NamespacedName]HealthCheck{web: {Port: 31000}}}} {
			t.Run(kind+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					prober := &script{at: test.answers}
					var state snapshot.GateState
					var at time.Duration
					keeper := NewKeeper(prober, clock.RealClock{}, func(opened snapshot.Opened) {
						state, at = max(opened.Cluster, opened.Local[web]), time.Since(prober.start)
					})
					run(t, keeper)
					keeper.Want(wanted)
					time.Sleep(2 * time.Minute) // of the bubble's clock
					if state != test.want || at < test.after || at > test.before {
						t.Errorf("state %v after %v, want %v between %v and %v", state, at, test.want, test.after, test.before)
					}
					asked := prober.asked
					time.Sleep(time.Minute)
					if more := prober.asked - asked; (state.IsOpen() && more != 0) || (!state.IsOpen() && more > 61) {
						t.Errorf("asked %d times more in a minute, with the gate %v", more, state)
					}
				})
			})
		}
	}
}

// run starts a Keeper until the test's bubble ends.
func run(t *testing.T, keeper *Keeper) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { _ = keeper.Start(ctx) }()
}

func TestKeeperAsksOnlyForWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := &script{at: func(time.Duration) Answer { return NotReady }}
		keeper := NewKeeper(prober, clock.RealClock{}, func(snapshot.Opened) { t.Error("opened") })
		run(t, keeper)
		time.Sleep(time.Minute)
		if prober.asked != 0 {
			t.Errorf("asked %d times with nothing wanted", prober.asked)
		}
		keeper.Want(Wanted{Cluster: true})
		time.Sleep(time.Second)
		keeper.Want(Wanted{})
		synctest.Wait()
		asked := prober.asked
		time.Sleep(time.Minute)
		if asked == 0 || prober.asked > asked+1 {
			t.Errorf("asked %d times, then %d more after it was no longer wanted", asked, prober.asked-asked)
		}
	})
}

func TestKeeperWaitsAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := &script{at: func(time.Duration) Answer { return Silent }}
		var at time.Duration
		keeper := NewKeeper(prober, clock.RealClock{}, func(snapshot.Opened) { at = time.Since(prober.start) })
		keeper.SetTimeout(time.Minute)
		run(t, keeper)
		keeper.Want(Wanted{Cluster: true})
		time.Sleep(2 * time.Minute)
		if at < time.Minute || at > time.Minute+SlowInterval {
			t.Errorf("opened after %v", at)
		}
	})
}

// A Service that came a moment ago isn't asked for as seldom as one that has said 503
// for an hour, and the same wish again changes nothing.
func TestKeeperHurriesForANewGateBesideAnOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := types.NamespacedName{Namespace: "shop", Name: "late"}
		ready := false
		prober := &byPort{at: func(port uint16) Answer {
			if port == 31001 && ready {
				return Ready
			}
			return NotReady
		}}
		var opened time.Time
		keeper := NewKeeper(prober, clock.RealClock{}, func(snapshot.Opened) { opened = time.Now() })
		run(t, keeper)
		keeper.Want(Wanted{Local: map[types.NamespacedName]HealthCheck{web: {Port: 31000}}})
		time.Sleep(time.Hour)
		asked := prober.asked.Load()
		for range 600 {
			keeper.Want(Wanted{Local: map[types.NamespacedName]HealthCheck{web: {Port: 31000}}})
			time.Sleep(100 * time.Millisecond)
		}
		if more := prober.asked.Load() - asked; more > 61 {
			t.Errorf("the same wish again: asked %d times in a minute", more)
		}
		keeper.Want(Wanted{Local: map[types.NamespacedName]HealthCheck{web: {Port: 31000}, late: {Port: 31001}}})
		time.Sleep(500 * time.Millisecond)
		ready = true
		began := time.Now()
		time.Sleep(time.Minute)
		if took := opened.Sub(began); took < 0 || took > 2*Interval {
			t.Errorf("opened after %s", took)
		}
	})
}

// byPort answers by the port.
type byPort struct {
	at    func(uint16) Answer
	asked atomic.Int64
}

func (p *byPort) Cluster(context.Context) Answer { return Silent }

func (p *byPort) Local(_ context.Context, port uint16) Answer {
	p.asked.Add(1)
	return p.at(port)
}

func TestKeeperOpensManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wanted := Wanted{Local: map[types.NamespacedName]HealthCheck{}}
		for i := range 1000 {
			wanted.Local[types.NamespacedName{Name: strconv.Itoa(i)}] = HealthCheck{Port: uint16(30000 + i)}
		}
		opened, calls := map[types.NamespacedName]snapshot.GateState{}, 0
		keeper := NewKeeper(ready{}, clock.RealClock{}, func(o snapshot.Opened) {
			calls++
			maps.Copy(opened, o.Local)
		})
		run(t, keeper)
		keeper.Want(wanted)
		time.Sleep(time.Second)
		if len(opened) != 1000 || calls != 1 {
			t.Errorf("%d gates in %d calls", len(opened), calls)
		}
	})
}

type ready struct{}

func (ready) Cluster(context.Context) Answer { return Ready }

func (ready) Local(context.Context, uint16) Answer { return Ready }

func TestHTTPProber(t *testing.T) {
	var code atomic.Int32
	var path atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.Path)
		w.WriteHeader(int(code.Load()))
	}))
	defer server.Close()
	port := netip.MustParseAddrPort(server.Listener.Addr().String()).Port()
	silent := freePort(t)
	nowhere := func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")} }

	for status, want := range map[int]Answer{200: Ready, 503: NotReady, 302: NotReady, 404: NotReady} {
		code.Store(int32(status))
		if got := (&HTTPProber{ProxyPort: port, NodeAddresses: nowhere}).Cluster(t.Context()); got != want {
			t.Errorf("Cluster, %d: %v, want %v", status, got, want)
		}
		if path.Load() != "/healthz" {
			t.Errorf("asked for %v", path.Load())
		}
		if got := (&HTTPProber{}).Local(t.Context(), port); got != want {
			t.Errorf("Local, %d: %v, want %v", status, got, want)
		}
	}
	if got := (&HTTPProber{ProxyPort: silent}).Cluster(t.Context()); got != Silent {
		t.Errorf("nobody listens: %v", got)
	}
	if got := (&HTTPProber{}).Local(t.Context(), 0); got != Silent {
		t.Errorf("no port: %v", got)
	}
}

// A health check that listens on the node's address only.
func TestHTTPProberAsksTheNodesAddresses(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	defer server.Close()
	address := netip.MustParseAddrPort(listener.Addr().String())
	if got := (&HTTPProber{}).Local(t.Context(), address.Port()); got != Silent {
		t.Errorf("without the node's address: %v", got)
	}
	prober := &HTTPProber{NodeAddresses: func() []netip.Addr { return []netip.Addr{address.Addr()} }}
	if got := prober.Local(t.Context(), address.Port()); got != Ready {
		t.Errorf("with it: %v", got)
	}
}

func freePort(t *testing.T) uint16 {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}
