package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// arrivals is what a router's kernel routes, as it tells by netlink: when each
// prefix of the benchmark's pool came and when it went.
type arrivals struct {
	pool netip.Prefix
	stop chan struct{}

	mu      sync.Mutex
	changed *sync.Cond
	present map[netip.Prefix]bool
	last    map[netip.Prefix]time.Time
	latest  time.Time
	failed  error
}

// receiveBuffer of the netlink socket: 10,000 routes at once overflow the usual.
const receiveBuffer = 64 << 20

// watchRoutes begins to follow a router's kernel. No route of the pool must be
// there yet.
func watchRoutes(box *sandbox.Box, pool netip.Prefix) (*arrivals, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", box.Pid()))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ns := netns.NsHandle(int(file.Fd()))
	a := &arrivals{pool: pool, stop: make(chan struct{}), present: map[netip.Prefix]bool{}, last: map[netip.Prefix]time.Time{}}
	a.changed = sync.NewCond(&a.mu)
	updates := make(chan netlink.RouteUpdate, 1<<16)
	err = netlink.RouteSubscribeWithOptions(updates, a.stop, netlink.RouteSubscribeOptions{
		Namespace: &ns, ReceiveBufferSize: receiveBuffer, ReceiveBufferForceSize: true,
		ErrorCallback: a.fail,
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for update := range updates {
			a.take(update)
		}
	}()
	return a, nil
}

func (a *arrivals) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = err
	}
	a.changed.Broadcast()
}

func (a *arrivals) take(update netlink.RouteUpdate) {
	now := time.Now()
	if update.Dst == nil || update.Table != unix.RT_TABLE_MAIN {
		return
	}
	addr, ok := netip.AddrFromSlice(update.Dst.IP)
	ones, _ := update.Dst.Mask.Size()
	if !ok || !a.pool.Contains(addr.Unmap()) {
		return
	}
	prefix := netip.PrefixFrom(addr.Unmap(), ones)
	a.mu.Lock()
	defer a.mu.Unlock()
	if update.Type == unix.RTM_NEWROUTE {
		a.present[prefix] = true
	} else {
		delete(a.present, prefix)
	}
	a.last[prefix], a.latest = now, now
	a.changed.Broadcast()
}

// wait waits until a condition holds; the lock is held while it is asked.
func (a *arrivals) wait(ctx context.Context, what string, met func() bool) error {
	stop := context.AfterFunc(ctx, a.changed.Broadcast)
	defer stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for !met() {
		switch {
		case a.failed != nil:
			return fmt.Errorf("%s: the router's kernel: %w", what, a.failed)
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w; the router has %d routes", what, context.Cause(ctx), len(a.present))
		}
		a.changed.Wait()
	}
	return nil
}

// waitFor waits until the router has a prefix, or not, and says since when.
func (a *arrivals) waitFor(ctx context.Context, prefix netip.Prefix, present bool) (time.Time, error) {
	err := a.wait(ctx, fmt.Sprintf("route %s present: %v", prefix, present), func() bool { return a.present[prefix] == present })
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[prefix], err
}

// waitCount waits until the router has so many prefixes, and says since when.
func (a *arrivals) waitCount(ctx context.Context, n int) (time.Time, error) {
	err := a.wait(ctx, fmt.Sprintf("%d routes", n), func() bool { return len(a.present) == n })
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.latest, err
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.present)
}

// all prefixes that the router has now.
func (a *arrivals) all() map[netip.Prefix]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.present)
}

func (a *arrivals) close() { close(a.stop) }
