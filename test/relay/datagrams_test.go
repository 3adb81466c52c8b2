package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/link"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Forms of a QUIC packet's header (RFC 9000, section 17).
const (
	longHeader  = 0xc0
	shortHeader = 0x40
)

// QUIC connections stay with their pod: what begins one is for the node that gets it,
// what belongs to one is for its owner. Without the relay they reach other pods.
func TestQUIC(t *testing.T) {
	s := newSite(t, 4)
	s.route(s.nodes...)
	moved := func() int {
		var conns []net.Conn
		var pods []string
		for range 30 {
			ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
			conn, err := s.client.Dial(ctx, "udp", netip.AddrPortFrom(service4, servicePort).String())
			cancel()
			must(t, err)
			t.Cleanup(func() { conn.Close() })
			conns, pods = append(conns, conn), append(pods, s.ask(conn, longHeader))
		}
		s.rehash(s.nextSeed())
		count := 0
		for i, conn := range conns {
			if pod := s.ask(conn, shortHeader); pod != pods[i] {
				count++
			}
		}
		return count
	}
	without := moved()
	s.relays()
	with := moved()
	t.Logf("of 30: %d moved without, %d with", without, with)
	if without < 8 || with != 0 || s.counters("relayed")+s.counters("flooded") == 0 {
		t.Errorf("of 30: %d moved without, %d with", without, with)
	}
}

// ask says something in a form and returns the pod that answers.
func (s *site) ask(conn net.Conn, form byte) string {
	s.t.Helper()
	buffer := make([]byte, 64)
	var pod string
	must(s.t, wait.Until(context.Background(), "an answer by UDP", wait.Route, func(context.Context) (bool, error) {
		if _, err := conn.Write([]byte{form, 1, 2, 3}); err != nil {
			return false, err
		}
		must(s.t, conn.SetReadDeadline(deadline(wait.Connection)))
		n, err := conn.Read(buffer)
		pod = string(buffer[:n])
		return err == nil, err
	}))
	return pod
}

// The router's "fragmentation needed" reaches the node that owns the connection, and
// through it the pod, though the router sends it to another node: without the relay
// each download that meets a narrow link stands still.
func TestPathMTU(t *testing.T) {
	for name, to := range map[string]netip.Addr{"IPv4": service4, "IPv6": service6} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 4)
			s.route(s.nodes[1:]...)
			first := s.nodes[0]
			must(t, link.Batch(s.router, "link set client mtu 1300",
				"rule add to "+service4.String()+" ipproto icmp lookup 100", "route add default via "+first.address4()+" table 100"))
			must(t, link.Batch6(s.router,
				"rule add to "+service6.String()+" ipproto ipv6-icmp lookup 100", "route add default via "+first.address6()+" table 100"))
			if err := s.download(to, wait.Connection); err == nil {
				t.Fatal("control: a download came through a narrow link without the relay")
			}
			for _, n := range s.nodes {
				n.start()
				d := n.desired()
				d.Learn = nil
				n.want(d)
			}
			for _, n := range s.nodes {
				n.until("path MTU is on", func(r exchange.Report) error {
					if !r.PathMTU || r.Learning || len(r.Problems) > 0 {
						return fmt.Errorf("%+v", r)
					}
					return nil
				})
			}
			for range 8 {
				if err := s.download(to, wait.Route); err != nil {
					t.Error(err)
				}
			}
			flooded, accepted := s.counters("path-mtu-flooded"), s.counters("path-mtu-accepted")
			t.Logf("flooded %d, accepted %d", flooded, accepted)
			if flooded == 0 || accepted == 0 {
				t.Errorf("flooded %d, accepted %d: no message took the relay", flooded, accepted)
			}
		})
	}
}

// download gets a response of many full packets.
func (s *site) download(from netip.Addr, within time.Duration) error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	conn, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(from, servicePort).String())
	must(s.t, err)
	defer conn.Close()
	must(s.t, conn.SetDeadline(deadline(within)))
	data := make([]byte, 200_000)
	go func() { _, _ = conn.Write(make([]byte, len(data))) }()
	if _, err := io.ReadFull(conn, data); err != nil {
		return fmt.Errorf("a download of %d bytes: %w", len(data), err)
	}
	return nil
}
