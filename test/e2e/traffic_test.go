//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// pace is how often the client opens a connection, and routers are asked.
const pace = 50 * time.Millisecond

// watch has a client open connections to an address all the time, through each
// router, and asks the routers for its next hops.
type watch struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	requests int
	failed   []failure
	// hops are all different sets of next hops that a router had, by router.
	hops map[string][]string
}

// failure is a request that failed.
type failure struct {
	router string
	began  time.Time
	err    error
}

func (f failure) String() string {
	return fmt.Sprintf("%s through %s: %v", f.began.Format("15:04:05.000"), f.router, f.err)
}

func startWatch(ctx context.Context, to netip.Addr) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{stop: stop, hops: map[string][]string{}}
	for _, r := range site.Routers() {
		w.done.Go(func() { w.ask(ctx, r, to) })
		w.done.Go(func() { w.routes(ctx, r, to) })
	}
	return w
}

// ask opens connections through a router.
func (w *watch) ask(ctx context.Context, r router.Router, to netip.Addr) {
	name := r.Config().Name
	for every(ctx) {
		began := time.Now()
		_, err := site.Client().Get(ctx, site.Via(name, router.IPv4), netip.AddrPortFrom(to, 80))
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		w.requests++
		if err != nil {
			w.failed = append(w.failed, failure{name, began, err})
		}
		w.mu.Unlock()
	}
}

// routes asks a router.
func (w *watch) routes(ctx context.Context, r router.Router, to netip.Addr) {
	name := r.Config().Name
	for every(ctx) {
		routes, err := r.Routes(ctx, router.IPv4)
		if err != nil {
			continue // ctx ended, or the machine is busy: what counts is what it says
		}
		seen := fmt.Sprint(routes.NextHops(lab.HostRoute(to)))
		w.mu.Lock()
		if !slices.Contains(w.hops[name], seen) {
			w.hops[name] = append(w.hops[name], seen)
		}
		w.mu.Unlock()
	}
}

// every waits for the next turn, and says whether there is one.
func every(ctx context.Context) bool {
	turn := time.NewTimer(pace)
	defer turn.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-turn.C:
		return true
	}
}

// end stops the watch and returns it, complete.
func (w *watch) end() *watch {
	w.stop()
	w.done.Wait()
	return w
}

// expectNothingLost fails if a request failed or a router had another set of
// next hops than all nodes.
func (w *watch) expectNothingLost() {
	all := fmt.Sprint(site.NodeAddresses(router.IPv4))
	Expect(w.failed).To(BeEmpty(), "of %d requests", w.requests)
	Expect(w.requests).To(BeNumerically(">", 20), "requests were made")
	Expect(w.hops).To(HaveLen(len(site.Routers())))
	Expect(w.hops).To(HaveEach([]string{all}))
}

// expectRehashAtMost fails if a request failed but for the one that each router had
// under way as it got a next hop more, at the latest by then: its connection may go to
// another node half-way, which resets it. Only flow preservation keeps that from
// happening, which isn't switched on here.
func (w *watch) expectRehashAtMost(then time.Time) {
	moved := map[string]bool{}
	for _, f := range w.failed {
		rehashed := f.began.Before(then) && errors.Is(f.err, syscall.ECONNRESET) && !moved[f.router]
		Expect(rehashed).To(BeTrue(), "%d of %d requests failed: %v", len(w.failed), w.requests, w.failed)
		moved[f.router] = true
	}
	Expect(w.requests).To(BeNumerically(">", 20), "requests were made")
}
