package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/wait"
)

// bench is who does what: with relays, its connections' owner too, without doesn't.
type bench struct {
	*site
	with, owner, without *node
}

func (b *bench) relays() []*node { return b.nodes[:3] }

func (b *bench) start() {
	b.t.Helper()
	for _, n := range b.relays() {
		if n.relay == nil || !n.relay.Alive() {
			n.start()
		}
		d := n.desired()
		d.Peers = slices.DeleteFunc(d.Peers, func(p exchange.Peer) bool { return p.Node == b.without.name() })
		n.want(d)
	}
	for _, n := range b.relays() {
		n.until("learning is on", func(r exchange.Report) error {
			if !r.Learning || len(r.Problems) > 0 {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
	}
}

// Lengths of what is measured.
const (
	bulkTime, floodTime              = 2 * time.Second, 4 * time.Second
	roundCount, rateCount, pairCount = 1000, 5000, 31
)

// measureWays takes one connection from its owner to another node and back.
func (b *bench) measureWays(f *figures) {
	b.t.Helper()
	var bulk, rounds [2][]float64
	var all [2][]time.Duration
	for range 3 {
		b.route(b.owner)
		load, ping := b.dial(), b.dial()
		must(b.t, write(load, []byte{discard}))
		for i, through := range []*node{b.owner, b.with} {
			b.route(through)
			b.rounds(ping, 50) // the owner is found, and the path's MTU
			bulk[i] = append(bulk[i], b.bulk(load))
			times := b.rounds(ping, roundCount)
			all[i], rounds[i] = append(all[i], times...), append(rounds[i], float64(median(times)))
		}
		load.Close()
		ping.Close()
	}
	f.Direct = way{median(bulk[0]), quantilesOf(all[0])}
	f.Relayed = way{median(bulk[1]), quantilesOf(all[1])}
	b.route(b.owner)
	var conns []net.Conn
	for range 100 {
		conn := b.dial()
		b.rounds(conn, 1)
		conns = append(conns, conn)
	}
	b.route(b.with)
	var first []time.Duration
	for _, conn := range conns {
		first = append(first, b.rounds(conn, 1)...)
		conn.Close()
	}
	f.Searched = quantilesOf(first)
}

func (s *site) dial() net.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	conn, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(service4, servicePort).String())
	must(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

func write(conn net.Conn, data []byte) error {
	_, err := conn.Write(data)
	return err
}

// rounds are the times of as many small questions.
func (s *site) rounds(conn net.Conn, count int) []time.Duration {
	s.t.Helper()
	times := make([]time.Duration, count)
	data := make([]byte, 64)
	for i := range times {
		must(s.t, conn.SetDeadline(deadline(4*patience)))
		began := time.Now()
		must(s.t, write(conn, data))
		_, err := io.ReadFull(conn, data)
		must(s.t, err)
		times[i] = time.Since(began)
	}
	return times
}

// bulk is how many bytes a second a connection takes.
func (s *site) bulk(conn net.Conn) float64 {
	s.t.Helper()
	data := make([]byte, 256<<10)
	for range 40 {
		must(s.t, write(conn, data))
	}
	began, sent := time.Now(), 0
	for time.Since(began) < bulkTime {
		must(s.t, write(conn, data))
		sent += len(data)
	}
	return float64(sent) / time.Since(began).Seconds()
}

// measureRates compares a node that relays with one that has never had rules.
func (b *bench) measureRates(f *figures) {
	b.t.Helper()
	b.with.relay.Kill() // its rules work on, and nothing beside them is measured
	b.fill(benchLearned[0])
	for i, learned := range benchLearned {
		if i > 0 {
			before := kernelMemory(b.t)
			b.fill(learned - benchLearned[i-1])
			f.Memory = append(f.Memory, memory{len(b.relays()) - 1, learned, f.Memory[0].Bytes + kernelMemory(b.t) - before})
		}
		b.measureRate(f, len(b.relays())-1, learned)
	}
	// As many other nodes as can be, this one's owner the last of them.
	b.with.start()
	before := kernelMemory(b.t)
	began := time.Now()
	b.with.want(b.crowded())
	f.Crowded = time.Since(began)
	after := kernelMemory(b.t)
	b.with.relay.Kill()
	// The elements of the three that were there stay where they are.
	f.Memory = append(f.Memory, memory{benchPeers, benchLearned[len(benchLearned)-1], f.Memory[len(f.Memory)-1].Bytes + after - before})
	b.measureRate(f, benchPeers, benchLearned[len(benchLearned)-1])
}

// crowded has more nodes than there are, sorted before those that are.
func (b *bench) crowded() exchange.Desired {
	d := b.with.desired()
	d.Peers = slices.DeleteFunc(d.Peers, func(p exchange.Peer) bool { return p.Node == b.without.name() })
	for i := range benchPeers - len(d.Peers) {
		four, six := fmt.Sprintf("10.10.0.%d", 100+i), fmt.Sprintf("fd00:10::%d", 100+i)
		d.Peers = append(d.Peers, exchange.Peer{Node: fmt.Sprintf("a%02d", i), Addresses: []netip.Addr{netip.MustParseAddr(four), netip.MustParseAddr(six)}})
	}
	slices.SortFunc(d.Peers, func(a, b exchange.Peer) int { return strings.Compare(a.Node, b.Node) })
	return d
}

// fill makes the node know so many flows more, as claims do.
func (b *bench) fill(count int) {
	b.t.Helper()
	for count > 0 {
		var text strings.Builder
		fmt.Fprintf(&text, "add element ip herald learned-%s { ", b.owner.name())
		for range min(count, 10_000) {
			b.seed++
			fmt.Fprintf(&text, "192.0.%d.%d . %d . %s . %d . tcp, ", b.seed>>8&0xff, b.seed&0xff, 1024+b.seed>>16, service4, servicePort)
		}
		b.with.nft(text.String() + "}\n")
		count -= min(count, 10_000)
	}
}

func (b *bench) measureRate(f *figures, peers, learned int) {
	b.t.Helper()
	flows := [3]*datagrams{b.datagrams(b.without, b.without), b.datagrams(b.with, b.with), b.datagrams(b.owner, b.with)}
	b.quiet("table ip quiet {\n chain in { type filter hook prerouting priority raw\n meta l4proto udp drop\n }\n}\n")
	defer b.quiet("delete table ip quiet\n")
	var got [3][]float64
	var ratios []float64
	before := map[*node]int{}
	for _, flow := range flows {
		before[flow.pod] = b.received(flow.pod)
	}
	for range pairCount {
		for i, flow := range flows {
			got[i] = append(got[i], flow.rate(b.site))
		}
		last := len(ratios)
		ratios = append(ratios, got[1][last]/got[0][last])
	}
	for _, flow := range flows {
		if arrived := b.received(flow.pod) - before[flow.pod]; arrived < flow.sent*9/10 {
			b.t.Errorf("of %d packets by %s %d reached %s", flow.sent, flow.through.name(), arrived, flow.pod.pod.Name())
		}
	}
	f.Own = append(f.Own, rate{peers, learned, median(got[0]), median(got[1]), median(ratios)})
	f.Displaced = append(f.Displaced, rate{Peers: peers, Learned: learned, With: median(got[2])})
}

// datagrams are those of one QUIC-like flow, given to a node's device by the router.
type datagrams struct {
	through *node
	pod     *node
	frame   []byte
	sent    int
}

func (b *bench) datagrams(owner, through *node) *datagrams {
	b.t.Helper()
	b.route(owner)
	conn := b.talkTo(owner)
	b.route(through)
	b.ask(conn, shortHeader)
	d := &datagrams{through: through, pod: owner, frame: make([]byte, 14+20+8+64)}
	copy(d.frame, b.macOf(through))
	copy(d.frame[6:], []byte{2, 0, 0, 0, 0, 1, 8, 0})
	ip := d.frame[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	ip[3] = byte(len(ip))
	copy(ip[12:], []byte{198, 51, 100, 2})
	copy(ip[16:], service4.AsSlice())
	sum := checksum(ip[:20], 0)
	ip[10], ip[11] = byte(sum>>8), byte(sum)
	local := conn.LocalAddr().(*net.UDPAddr).Port
	udp := ip[20:]
	udp[0], udp[1], udp[3], udp[5], udp[8] = byte(local>>8), byte(local), servicePort, byte(len(udp)), shortHeader
	return d
}

// talkTo begins a flow that is served by the node's own pod.
func (b *bench) talkTo(owner *node) net.Conn {
	b.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
		conn, err := b.client.Dial(ctx, "udp", netip.AddrPortFrom(service4, servicePort).String())
		cancel()
		must(b.t, err)
		b.t.Cleanup(func() { conn.Close() })
		if b.ask(conn, longHeader) == owner.pod.Name() {
			b.ask(conn, shortHeader)
			return conn
		}
	}
}

// quiet pods count what arrives, and don't answer it.
func (b *bench) quiet(rules string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	for _, n := range b.nodes {
		_, err := n.pod.RunInput(ctx, rules, "nft", "-f", "-")
		must(b.t, err)
	}
}

func (s *site) macOf(n *node) net.HardwareAddr {
	s.t.Helper()
	mac, err := net.ParseMAC(strings.TrimSpace(n.run("sh", "-c", "ip -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'")))
	must(s.t, err)
	return mac
}

// rate is how many of them a second of a processor get through: a packet that is put
// into a virtual device goes all its way at once, in the sender's time. What else the
// machine does meanwhile isn't counted.
func (d *datagrams) rate(s *site) float64 {
	s.t.Helper()
	var rate float64
	must(s.t, s.router.InNetwork(func() error {
		device, err := net.InterfaceByName(d.through.name())
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
			return err
		}
		to := &unix.SockaddrLinklayer{Ifindex: device.Index, Halen: 6}
		began, err := threadTime()
		if err != nil {
			return err
		}
		for range rateCount {
			if err := unix.Sendto(fd, d.frame, 0, to); err != nil {
				return err
			}
		}
		ended, err := threadTime()
		d.sent += rateCount
		rate = rateCount / (ended - began).Seconds()
		return err
	}))
	return rate
}

// threadTime is the processor's time that this thread took.
func threadTime() (time.Duration, error) {
	var used unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_THREAD, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}

// received counts the packets that a pod's device got.
func (s *site) received(n *node) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	out, err := n.pod.Run(ctx, "sh", "-c", "ip -s -o link show eth0 | sed 's/.*RX:[^\\\\]*\\\\ *[0-9]* *\\([0-9]*\\).*/\\1/'")
	must(s.t, err)
	var count int
	_, err = fmt.Sscan(out, &count)
	must(s.t, err)
	return count
}

// measureFlood sends spoofed ACKs beside connections of a node.
func (s *site) measureFlood(first *node, relays []*node) flood {
	s.t.Helper()
	s.route(first)
	still := s.dial()
	var f flood
	f.Calm = quantilesOf(s.rounds(still, roundCount))
	crowd := s.connect(service4, 40)
	var displaced net.Conn
	if relays != nil {
		displaced = s.dial()
		s.rounds(displaced, 1)
	}
	copied := func() (sum int) {
		for _, n := range relays {
			sum += packets(s.t, n.run("nft", "list", "counter", "ip", "herald", "flooded"))
		}
		return sum
	}
	before := copied()
	done := make(chan float64)
	go func() { done <- s.spoofFor(floodTime) }()
	f.Meanwhile = quantilesOf(s.rounds(still, roundCount))
	f.Sent = <-done
	f.Copied = float64(copied()-before) / floodTime.Seconds()
	if relays != nil {
		s.route(relays[0])
		s.rounds(displaced, 1)
		go func() { done <- s.spoofFor(floodTime) }()
		f.Displaced = quantilesOf(s.rounds(displaced, roundCount))
		<-done
	}
	crowd.progress(2)
	f.Broken, _ = crowd.broken()
	crowd.close()
	still.Close()
	return f
}

// spoofFor sends ACKs, each of another connection, and says how many a second.
func (s *site) spoofFor(long time.Duration) float64 {
	sent := 0
	began := time.Now()
	for time.Since(began) < long {
		s.raw(500, func(int) (netip.AddrPort, byte) {
			sent++
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 100 + byte(sent%100)}), uint16(2000+sent/100%60000)), flagACK
		}, 0)
	}
	return float64(sent) / time.Since(began).Seconds()
}

func median[T int | float64 | time.Duration](of []T) T {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func quantilesOf(times []time.Duration) quantiles {
	sorted := slices.Sorted(slices.Values(times))
	return quantiles{sorted[len(sorted)/2], sorted[len(sorted)*99/100]}
}

// kernelMemory is what the kernel has allocated for itself: sets are of small pieces and
// of large areas. Other processes of the machine are in it, so what is compared has to
// be far larger than they are.
func kernelMemory(t testing.TB) int {
	t.Helper()
	areas, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	sum := 0
	for _, name := range []string{"SUnreclaim:", "VmallocUsed:"} {
		var kib int
		_, err = fmt.Sscanf(string(areas)[indexAfter(string(areas), name):], name+" %d kB", &kib)
		must(t, err)
		sum += kib << 10
	}
	return sum
}

// checksum is the Internet's (RFC 1071).
func checksum(data []byte, sum uint32) uint16 {
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(data[i])<<8 | uint32(data[i+1])
	}
	if len(data)%2 == 1 {
		sum += uint32(data[len(data)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
