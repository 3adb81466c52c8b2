package relay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/link"
)

// Flags of TCP beside those of packets_test.go.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagPSH = 0x08
)

// Clients of the model have no stack: what comes for them is only looked at.
var (
	strangers4 = netip.MustParsePrefix("198.51.100.128/25")
	strangers6 = netip.MustParsePrefix("2001:db8:51::1:0/112")
)

// puppeteer plays the clients: it gives each packet to a node that it chooses, in
// place of a router's hash, and gets what comes back.
type puppeteer struct {
	*site
	out      int
	frames   []*net.Interface
	macs     []net.HardwareAddr
	mu       sync.Mutex
	puppets  map[netip.AddrPort]*puppet
	incoming int
}

// puppet is a client's side of one connection.
type puppet struct {
	by       *puppeteer
	quic     bool
	local    netip.AddrPort
	remote   netip.AddrPort
	mine     uint32 // the next sequence number to send
	theirs   uint32 // the next one expected
	answers  chan reply
	received []byte
}

// reply is one packet that came.
type reply struct {
	flags    byte
	sequence uint32
	payload  []byte
	at       time.Time
}

// routeStrangers has what is sent to them come to the client's network, and end there.
func (s *site) routeStrangers() {
	s.t.Helper()
	must(s.t, link.Batch(s.router, "route replace "+strangers4.String()+" via 198.51.100.2"))
	must(s.t, link.Batch6(s.router, "route replace "+strangers6.String()+" via 2001:db8:51::2"))
	must(s.t, link.Batch(s.client, "route replace blackhole "+strangers4.String()))
	must(s.t, link.Batch6(s.client, "route replace blackhole "+strangers6.String()))
}

func newPuppeteer(s *site) *puppeteer {
	s.t.Helper()
	p := &puppeteer{site: s, puppets: map[netip.AddrPort]*puppet{}}
	s.routeStrangers()
	must(s.t, s.router.InNetwork(func() (err error) {
		for _, n := range s.nodes {
			device, err := net.InterfaceByName(n.name())
			if err != nil {
				return err
			}
			p.frames = append(p.frames, device)
		}
		p.out, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		return err
	}))
	for _, n := range s.nodes {
		p.macs = append(p.macs, s.macOf(n))
	}
	must(s.t, s.client.InNetwork(func() error {
		device, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8)
		p.incoming, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(all))
		if err != nil {
			return err
		}
		// Ended by its time-out: closing a socket doesn't wake who reads it.
		if err := unix.SetsockoptTimeval(p.incoming, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
			return err
		}
		return unix.Bind(p.incoming, &unix.SockaddrLinklayer{Protocol: all, Ifindex: device.Index})
	}))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go p.read(stop, stopped)
	s.t.Cleanup(func() {
		close(stop)
		<-stopped
		unix.Close(p.out)
		unix.Close(p.incoming)
	})
	return p
}

func (p *puppeteer) read(stop, stopped chan struct{}) {
	defer close(stopped)
	buffer := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(p.incoming, buffer, 0)
		if err == nil {
			p.got(buffer[:n])
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// got gives a packet to the puppet that it is for.
func (p *puppeteer) got(packet []byte) {
	var to netip.Addr
	var l4 []byte
	var protocol byte
	switch {
	case len(packet) >= 28 && packet[0]>>4 == 4:
		to, _ = netip.AddrFromSlice(packet[16:20])
		end := min(int(binary.BigEndian.Uint16(packet[2:])), len(packet))
		protocol, l4 = packet[9], packet[20:end]
	case len(packet) >= 48 && packet[0]>>4 == 6:
		to, _ = netip.AddrFromSlice(packet[24:40])
		end := min(40+int(binary.BigEndian.Uint16(packet[4:])), len(packet))
		protocol, l4 = packet[6], packet[40:end]
	default:
		return
	}
	if protocol != unix.IPPROTO_TCP && protocol != unix.IPPROTO_UDP {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if to := p.puppets[netip.AddrPortFrom(to, binary.BigEndian.Uint16(l4[2:]))]; to != nil {
		to.got(l4)
	}
}

// got is called with the puppeteer's lock.
func (p *puppet) got(l4 []byte) {
	a := reply{payload: bytes.Clone(l4[8:]), at: time.Now()}
	if !p.quic {
		sequence := binary.BigEndian.Uint32(l4[4:])
		a = reply{flags: l4[13], sequence: sequence, payload: bytes.Clone(l4[int(l4[12]>>4)*4:]), at: a.at}
		switch {
		case a.flags&flagRST != 0:
		case a.flags&flagSYN != 0:
			p.theirs = sequence + 1
		case sequence != p.theirs:
			return // once more, or out of order: it comes again
		default:
			p.theirs += uint32(len(a.payload))
			if a.flags&flagFIN != 0 {
				p.theirs++
			}
		}
	}
	select {
	case p.answers <- a:
	default: // nobody asked for so many
	}
}

// puppet is a new client of a Service, whose kind of connection chance decides.
func (p *puppeteer) puppet(chance *rand.Rand, number int) *puppet {
	c := &puppet{by: p, quic: chance.Intn(4) == 0, answers: make(chan reply, 256), mine: chance.Uint32(), theirs: chance.Uint32()}
	p.place(c, number, chance.Intn(3) == 0)
	return c
}

// place gives a client its address and port.
func (p *puppeteer) place(c *puppet, number int, over6 bool) {
	port := uint16(1024 + number/100)
	from, to := strangers4.Addr().As4(), service4
	from[3] += byte(10 + number%100)
	c.local = netip.AddrPortFrom(netip.AddrFrom4(from), port)
	if over6 {
		six := strangers6.Addr().As16()
		six[15] = byte(10 + number%100)
		c.local, to = netip.AddrPortFrom(netip.AddrFrom16(six), port), service6
	}
	c.remote = netip.AddrPortFrom(to, servicePort)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.puppets[c.local] = c
}

// handshake opens a TCP connection by a node.
func (p *puppet) handshake(through int) error {
	first, _ := p.next()
	err := p.until(func() { p.tcp(through, flagSYN, first, 0, nil) }, func(a reply) bool { return a.flags == flagSYN|flagACK })
	if err != nil {
		return fmt.Errorf("%s opened by node %d: %w", p.local, through+1, err)
	}
	p.mine = first + 1
	mine, theirs := p.next()
	p.tcp(through, flagACK, mine, theirs, nil)
	return nil
}

func (p *puppet) next() (mine, theirs uint32) {
	p.by.mu.Lock()
	defer p.by.mu.Unlock()
	return p.mine, p.theirs
}

// tcp sends one segment by a node.
func (p *puppet) tcp(through int, flags byte, sequence, acknowledged uint32, payload []byte) {
	l4 := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(l4, p.local.Port())
	binary.BigEndian.PutUint16(l4[2:], p.remote.Port())
	binary.BigEndian.PutUint32(l4[4:], sequence)
	if flags&flagACK != 0 {
		binary.BigEndian.PutUint32(l4[8:], acknowledged)
	}
	l4[12], l4[13] = 5<<4, flags
	binary.BigEndian.PutUint16(l4[14:], 0xffff)
	p.by.send(through, p.local.Addr(), p.remote.Addr(), unix.IPPROTO_TCP, 16, append(l4, payload...))
}

func (p *puppet) udp(through int, payload []byte) {
	l4 := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(l4, p.local.Port())
	binary.BigEndian.PutUint16(l4[2:], p.remote.Port())
	binary.BigEndian.PutUint16(l4[4:], uint16(8+len(payload)))
	p.by.send(through, p.local.Addr(), p.remote.Addr(), unix.IPPROTO_UDP, 6, append(l4, payload...))
}

// tooBig says by a node, in a router's name, that a packet of the Service was too big.
func (p *puppet) tooBig(through int) {
	inner := make([]byte, 8)
	binary.BigEndian.PutUint16(inner, p.remote.Port())
	binary.BigEndian.PutUint16(inner[2:], p.local.Port())
	_, theirs := p.next()
	binary.BigEndian.PutUint32(inner[4:], theirs)
	inner = ipPacket(p.remote.Addr(), p.local.Addr(), unix.IPPROTO_TCP, append(inner, make([]byte, 12)...))
	if p.local.Addr().Is4() {
		p.by.send(through, netip.MustParseAddr("198.51.100.1"), p.remote.Addr(), unix.IPPROTO_ICMP, 2,
			append([]byte{3, 4, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff}, inner...))
		return
	}
	p.by.send(through, netip.MustParseAddr("2001:db8:51::1"), p.remote.Addr(), unix.IPPROTO_ICMPV6, 2,
		append([]byte{2, 0, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff}, inner...))
}

// send fills in the checksum and gives the packet to a node.
func (p *puppeteer) send(through int, from, to netip.Addr, protocol byte, sumAt int, l4 []byte) {
	pseudo := slices.Concat(from.AsSlice(), to.AsSlice())
	sum := uint32(0)
	if protocol != unix.IPPROTO_ICMP {
		sum = uint32(protocol) + uint32(len(l4))
		for i := 0; i < len(pseudo); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(pseudo[i:]))
		}
	}
	binary.BigEndian.PutUint16(l4[sumAt:], checksum(l4, sum))
	kind := []byte{8, 0}
	if from.Is6() {
		kind = []byte{0x86, 0xdd}
	}
	frame := slices.Concat(p.macs[through], []byte{2, 0, 0, 0, 0, 1}, kind, ipPacket(from, to, protocol, l4))
	if err := unix.Sendto(p.out, frame, 0, &unix.SockaddrLinklayer{Ifindex: p.frames[through].Index, Halen: 6}); err != nil {
		p.t.Error(err)
	}
}

func ipPacket(from, to netip.Addr, protocol byte, l4 []byte) []byte {
	if from.Is6() {
		header := make([]byte, 8)
		header[0], header[6], header[7] = 0x60, protocol, 64
		binary.BigEndian.PutUint16(header[4:], uint16(len(l4)))
		return slices.Concat(header, from.AsSlice(), to.AsSlice(), l4)
	}
	header := make([]byte, 12)
	header[0], header[8], header[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(header[2:], uint16(20+len(l4)))
	header = slices.Concat(header, from.AsSlice(), to.AsSlice())
	binary.BigEndian.PutUint16(header[10:], checksum(header, 0))
	return append(header, l4...)
}

// drain forgets what came before.
func (p *puppet) drain() {
	for {
		select {
		case <-p.answers:
		default:
			return
		}
	}
}

// modelPatience is how long an answer may take: the search for an owner that isn't
// there takes a second and a half.
const (
	modelPatience = 15 * time.Second
	modelRetry    = 100 * time.Millisecond
)

// gets waits for an answer, and sends nothing meanwhile.
func (p *puppet) gets(is func(reply) bool) error {
	end := time.After(modelPatience)
	for {
		select {
		case a := <-p.answers:
			if is(a) {
				return nil
			}
		case <-end:
			return fmt.Errorf("no answer within %s", modelPatience)
		}
	}
}

// until sends again and again until what came is an answer.
func (p *puppet) until(send func(), is func(reply) bool) error {
	p.drain()
	p.received = nil
	end := time.After(modelPatience)
	for {
		send()
		again := time.After(modelRetry)
		for waiting := true; waiting; {
			select {
			case a := <-p.answers:
				if is(a) {
					return nil
				}
			case <-again:
				waiting = false
			case <-end:
				return fmt.Errorf("no answer within %s", modelPatience)
			}
		}
	}
}
