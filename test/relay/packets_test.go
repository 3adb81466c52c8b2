package relay

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// TCP's flags.
const (
	flagRST = 0x04
	flagACK = 0x10
)

// raw sends TCP segments of no connection from the client's network.
func (s *site) raw(count int, segment func(i int) (from netip.AddrPort, flags byte), between time.Duration) {
	s.t.Helper()
	must(s.t, s.client.InNetwork(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrInet4{Addr: service4.As4()}
		for i := range count {
			from, flags := segment(i)
			if err := unix.Sendto(fd, tcpPacket(from, flags), 0, to); err != nil {
				return err
			}
			if between > 0 {
				time.Sleep(between) // the pace of what is sent
			}
		}
		return nil
	}))
}

// tcpPacket is an IPv4 packet to the Service; the kernel fills in its checksum, TCP's
// is computed here.
func tcpPacket(from netip.AddrPort, flags byte) []byte {
	p := make([]byte, 40)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(p[2:], 40)
	copy(p[12:], from.Addr().AsSlice())
	copy(p[16:], service4.AsSlice())
	tcp := p[20:]
	binary.BigEndian.PutUint16(tcp, from.Port())
	binary.BigEndian.PutUint16(tcp[2:], servicePort)
	binary.BigEndian.PutUint32(tcp[4:], 1000)
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 1024)
	sum := uint32(unix.IPPROTO_TCP + 20)
	for i := 12; i < 40; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return p
}

// strayRST sends RSTs of one unknown connection for longer than its owner is
// searched.
func (s *site) strayRST() {
	from := netip.MustParseAddrPort("198.51.100.2:1234")
	s.raw(20, func(int) (netip.AddrPort, byte) { return from, flagRST }, 100*time.Millisecond)
}

// strayACK is the same with ACKs.
func (s *site) strayACK() {
	from := netip.MustParseAddrPort("198.51.100.2:1235")
	s.raw(20, func(int) (netip.AddrPort, byte) { return from, flagACK }, 100*time.Millisecond)
}

// spoofACKs sends ACKs of as many connections, and says how long it took. Their addresses
// lead somewhere: what is told to those that don't is answered by ICMP, which circles
// between router and node as a stray RST does.
func (s *site) spoofACKs(count int) time.Duration {
	s.t.Helper()
	s.routeStrangers()
	began := time.Now()
	s.raw(count, func(i int) (netip.AddrPort, byte) {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 138 + byte(i%100)}), uint16(2000+i/100)), flagACK
	}, 0)
	return time.Since(began)
}

// sendUDP sends a datagram to a port of a node.
func (s *site) sendUDP(from *sandbox.Box, to string, port int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	conn, err := from.Dial(ctx, "udp", fmt.Sprintf("%s:%d", to, port))
	must(s.t, err)
	defer conn.Close()
	_, err = conn.Write(make([]byte, 100))
	must(s.t, err)
}

// reusePort opens a connection from a port, talks, has it displaced and talks again,
// and ends it so that the port is free at once.
func (s *site) reusePort(port int, displace func()) error {
	var conn net.Conn
	err := s.client.InNetwork(func() error {
		dialer := net.Dialer{Timeout: 4 * patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 2), Port: port},
			Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
			}}
		var err error
		conn, err = dialer.Dial("tcp", netip.AddrPortFrom(service4, servicePort).String())
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	must(s.t, conn.(*net.TCPConn).SetLinger(0))
	buffer := make([]byte, 16)
	for range 3 {
		// Longer than an owner is searched, and TCP's pauses between two tries: a while
		// without an answer is no black hole.
		if err := conn.SetDeadline(time.Now().Add(4 * patience)); err != nil {
			return err
		}
		began := time.Now()
		if _, err := conn.Write(buffer); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, buffer); err != nil {
			return err
		}
		if took := time.Since(began); took > time.Second {
			s.t.Logf("an answer after %s", took)
		}
		displace()
	}
	return nil
}

// packets reads a counter that nft prints.
func packets(t testing.TB, printed string) int {
	t.Helper()
	var count, bytes int
	if _, err := fmt.Sscanf(printed[indexAfter(printed, "packets"):], "packets %d bytes %d", &count, &bytes); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
	return count
}

// serveUDP answers datagrams in a pod with its name and what follows their first four bytes.
func (s *site) serveUDP(pod *sandbox.Box) {
	s.t.Helper()
	must(s.t, pod.InNetwork(func() error {
		conn, err := net.ListenPacket("udp", fmt.Sprintf(":%d", servicePort))
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { conn.Close() })
		name := pod.Name()
		go func() {
			buffer := make([]byte, 2048)
			for {
				n, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo(append([]byte(name), buffer[min(4, n):n]...), from)
			}
		}()
		return nil
	}))
}
