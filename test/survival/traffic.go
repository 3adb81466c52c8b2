package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/survival/flow"
)

const (
	// interval between two messages of a connection.
	interval = 200 * time.Millisecond
	// patience: a connection without an echo for so long is broken. It is more than
	// TCP's third retransmission, and than the time after which relays give up.
	patience = 5 * time.Second
	// opening is how many connections are opened at once.
	opening = 50
)

// kind is what tells connections apart in the results.
type kind struct {
	Protocol string `json:"protocol"`
	Policy   string `json:"policy"`
	Family   string `json:"family"`
	Router   string `json:"router"`
}

// connection is one that is watched.
type connection struct {
	*flow.Conn
	kind kind
	// ended: its client closed it, as applications do; it's not counted any more.
	ended bool
	// first and second are when its next packets can reach another node, after a crash.
	first, second time.Time
}

// kinds are all: protocol × policy × family × router.
func (s *site) kinds() []kind {
	var all []kind
	for _, protocol := range []string{flow.TCP, flow.QUIC} {
		for _, svc := range s.services {
			for _, family := range families {
				for _, r := range s.cluster.Routers() {
					all = append(all, kind{protocol, svc.name(), string(family), r.Config().Name})
				}
			}
		}
	}
	return all
}

// open opens so many TCP connections, and a fifth as many QUIC-like ones, evenly of
// all kinds.
func (s *site) open(ctx context.Context, connections int) ([]*connection, error) {
	kinds := s.kinds()
	var (
		mu  sync.Mutex
		all []*connection
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opening)
	for _, k := range kinds {
		count := connections / (len(kinds) / 2)
		if k.Protocol == flow.QUIC {
			count /= 5
		}
		for range count {
			g.Go(func() error {
				conn, err := flow.Open(ctx, k.Protocol, interval, s.dial(k))
				if err != nil {
					return fmt.Errorf("%+v: %w", k, err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, &connection{Conn: conn, kind: k})
				return nil
			})
		}
	}
	err := g.Wait()
	if err != nil {
		closeAll(all)
	}
	return all, err
}

// dial goes from the client's address behind the router, which is the way there.
func (s *site) dial(k kind) flow.Dial {
	family := router.Family(k.Family)
	from := s.cluster.Via(k.Router, family)
	to := netip.AddrPortFrom(s.address(k.Policy, family), port)
	return func(ctx context.Context, network string) (conn net.Conn, err error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
		if network == "udp" {
			dialer.LocalAddr = &net.UDPAddr{IP: from.AsSlice()}
		}
		err = s.cluster.Client().Box().InNetwork(func() error {
			conn, err = dialer.DialContext(ctx, network, to.String())
			return err
		})
		return conn, err
	}
}

func (s *site) address(policy string, family router.Family) netip.Addr {
	i := slices.IndexFunc(s.services, func(svc service) bool { return svc.name() == policy })
	return s.services[i].addresses[slices.Index(families, family)]
}

func closeAll(all []*connection) {
	for _, c := range all {
		c.Close()
	}
}

// count says what has become of the connections that nobody closed.
func count(all []*connection) map[kind]*Fates {
	fates := map[kind]*Fates{}
	for _, c := range all {
		if c.ended {
			continue
		}
		f := fates[c.kind]
		if f == nil {
			f = &Fates{Kind: c.kind}
			fates[c.kind] = f
		}
		f.Open++
		fate, _, why := c.Fate(patience)
		switch fate {
		case flow.Reset:
			f.Reset++
			f.Why = fmt.Sprint(why)
		case flow.Silent:
			f.Silent++
		}
	}
	return fates
}
