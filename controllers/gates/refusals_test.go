package gates

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// dataplane answers for itself and for every Service.
type dataplane struct {
	proxy, service func(since time.Duration) Answer
}

func (d *dataplane) start() Prober { return &startedDataplane{dataplane: *d, at: time.Now()} }

type startedDataplane struct {
	dataplane
	at time.Time
}

func (d *startedDataplane) Cluster(context.Context) Answer { return d.proxy(time.Since(d.at)) }

func (d *startedDataplane) Local(context.Context, uint16) Answer { return d.service(time.Since(d.at)) }

func always(answer Answer) func(time.Duration) Answer {
	return func(time.Duration) Answer { return answer }
}

func until(end time.Duration, first, then Answer) func(time.Duration) Answer {
	return func(since time.Duration) Answer {
		if since < end {
			return first
		}
		return then
	}
}

func TestWhereKubeProxyAnswersARefusedPortDoesNotTimeOut(t *testing.T) {
	const minute = time.Minute
	type told map[snapshot.GateState]time.Duration
	tests := map[string]struct {
		dataplane dataplane
		check     HealthCheck
		// What the gate was told to become, and when at the earliest.
		want told
	}{
		"kube-proxy is there and never comes to it": {
			dataplane{always(Ready), always(Silent)}, HealthCheck{Port: 31000},
			told{snapshot.GateRefused: RefusalTold},
		},
		"kube-proxy is there, not ready": {
			dataplane{always(NotReady), always(Silent)}, HealthCheck{Port: 31000},
			told{snapshot.GateRefused: RefusalTold},
		},
		"kube-proxy comes to it after 14 s": {
			dataplane{always(Ready), until(14*time.Second, Silent, Ready)}, HealthCheck{Port: 31000},
			told{snapshot.GateOpen: 14 * time.Second},
		},
		"after a minute": {
			dataplane{always(Ready), until(minute, Silent, Ready)}, HealthCheck{Port: 31000},
			told{snapshot.GateRefused: RefusalTold, snapshot.GateOpen: minute},
		},
		"it answers 503 after a minute": {
			dataplane{always(Ready), until(minute, Silent, NotReady)}, HealthCheck{Port: 31000},
			told{snapshot.GateRefused: RefusalTold, snapshot.GateClosed: minute},
		},
		"nobody is there": {
			dataplane{always(Silent), always(Silent)}, HealthCheck{Port: 31000},
			told{snapshot.GateTimedOut: SilenceTimeout},
		},
		"kube-proxy goes away": {
			dataplane{until(20*time.Second, Ready, Silent), always(Silent)}, HealthCheck{Port: 31000},
			told{snapshot.GateTimedOut: 20*time.Second + SilenceTimeout},
		},
		"kube-proxy comes within the timeout": {
			dataplane{until(2*time.Second, Silent, NotReady), until(10*time.Second, Silent, Ready)}, HealthCheck{Port: 31000},
			told{snapshot.GateOpen: 10 * time.Second},
		},
		"the Service is another proxy's": {
			dataplane{always(Ready), always(Silent)}, HealthCheck{Port: 31000, OtherProxy: true},
			told{snapshot.GateTimedOut: SilenceTimeout},
		},
		"the Service has no port": {
			dataplane{always(Ready), always(Silent)}, HealthCheck{},
			told{snapshot.GateTimedOut: SilenceTimeout},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, began := told{}, time.Now()
				keeper := NewKeeper(test.dataplane.start(), clock.RealClock{}, func(opened snapshot.Opened) {
					got[opened.Local[web]] = time.Since(began)
				})
				run(t, keeper)
				keeper.Want(Wanted{Local: map[types.NamespacedName]HealthCheck{web: test.check}})
				time.Sleep(3 * minute) // of the bubble's clock
				for state, at := range got {
					if want, found := test.want[state]; !found || at < want || at > want+2*SlowInterval {
						t.Errorf("state %v after %v, want %v", state, at, test.want)
					}
				}
				if len(got) != len(test.want) {
					t.Errorf("told %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestWhatIsNoLongerHeldBackIsNoLongerRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []snapshot.GateState
		keeper := NewKeeper((&dataplane{always(Ready), always(Silent)}).start(), clock.RealClock{}, func(opened snapshot.Opened) {
			states = append(states, opened.Local[web])
		})
		run(t, keeper)
		keeper.Want(Wanted{Local: map[types.NamespacedName]HealthCheck{web: {Port: 31000}}})
		time.Sleep(time.Minute)
		keeper.Want(Wanted{})
		keeper.Want(Wanted{})
		time.Sleep(time.Minute)
		if len(states) != 2 || states[0] != snapshot.GateRefused || states[1] != snapshot.GateClosed {
			t.Errorf("%v, want refused and then closed", states)
		}
	})
}

func TestHTTPProberKnowsSilenceFromBusyness(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	if got := (&HTTPProber{ProxyPort: port}).Cluster(t.Context()); got != NotReady {
		t.Errorf("somebody listens: %v", got)
	}
}

func TestHTTPProberAsksTheHostsOtherAddressesLast(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address := netip.MustParseAddrPort(listener.Addr().String())
	asked := 0
	prober := &HTTPProber{HostAddresses: func() []netip.Addr { asked++; return []netip.Addr{address.Addr()} }}
	if got := prober.Local(t.Context(), address.Port()); got != NotReady || asked != 1 {
		t.Errorf("%v, asked %d times", got, asked)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	prober.Local(t.Context(), netip.MustParseAddrPort(other.Addr().String()).Port())
	if asked != 1 {
		t.Error("asked although somebody was there")
	}
}

func TestHostAddressesAreThoseOfNetworks(t *testing.T) {
	var all []net.Addr
	for _, text := range []string{"127.0.0.1/8", "::1/128", "10.1.0.2/24", "203.0.113.7/32", "fe80::1/64", "2001:db8::2/64"} {
		ip, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &net.IPNet{IP: ip, Mask: network.Mask})
	}
	got := reachable(all)
	if len(got) != 2 || got[0].String() != "10.1.0.2" || got[1].String() != "2001:db8::2" {
		t.Error(got)
	}
	if most := reachable(make100()); len(most) != hostAddressesMost {
		t.Errorf("%d of a hundred", len(most))
	}
}

func make100() []net.Addr {
	all := make([]net.Addr, 100)
	for i := range all {
		all[i] = &net.IPNet{IP: net.IPv4(10, 0, 0, byte(i)), Mask: net.CIDRMask(24, 32)}
	}
	return all
}
