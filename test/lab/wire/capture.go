package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// bufferSize of the socket: more than a run of the lab sends to one router.
const bufferSize = 8 << 20

// Capture collects the BGP messages that a host receives on one interface.
type Capture struct {
	file  *os.File
	ports []uint16
	done  chan struct{}

	mu       sync.Mutex
	streams  map[[2]netip.AddrPort]*stream
	messages []Message
	failed   error
}

// Listen begins to collect what reaches a box on an interface from or to these
// TCP ports (179 if none). When it returns nothing is missed any more. Close it.
func Listen(box *sandbox.Box, iface string, ports ...uint16) (*Capture, error) {
	if len(ports) == 0 {
		ports = []uint16{179}
	}
	c := &Capture{ports: ports, done: make(chan struct{}), streams: map[[2]netip.AddrPort]*stream{}}
	err := box.InNetwork(func() error {
		link, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		c.file, err = packetSocket(link.Index)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: capture on %s: %w", box.Name(), iface, err)
	}
	go c.read()
	return c, nil
}

// packetSocket receives the IP packets of an interface.
func packetSocket(index int) (*os.File, error) {
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "packet"), nil
}

// Close ends the collecting.
func (c *Capture) Close() {
	c.file.Close()
	<-c.done
}

// Messages are all messages so far, in the order of their arrival. It fails if
// any was lost or not understood.
func (c *Capture) Messages() ([]Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages), errors.Join(c.failed, c.lost())
}

// lost asks the kernel whether packets were dropped.
func (c *Capture) lost() error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var stats *unix.TpacketStats
	if controlErr := raw.Control(func(fd uintptr) {
		stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); controlErr != nil {
		return controlErr
	}
	if err == nil && stats.Drops > 0 {
		c.failed = fmt.Errorf("capture: %d packets were lost", stats.Drops)
	}
	return errors.Join(err, c.failed)
}

// Wait waits until a message arrives, or has arrived, that meets the condition.
func (c *Capture) Wait(ctx context.Context, what string, met func(Message) bool) error {
	return wait.Until(ctx, what, wait.Route, func(context.Context) (bool, error) {
		messages, err := c.Messages()
		return err == nil && slices.ContainsFunc(messages, met), err
	})
}

// read runs until Close.
func (c *Capture) read() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err != nil {
		c.fail(err)
		return
	}
	buffer := make([]byte, 1<<18)
	for {
		var (
			n      int
			from   unix.Sockaddr
			failed error
		)
		err := raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), buffer, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil {
			return // closed
		}
		if failed != nil {
			c.fail(failed)
			return
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_HOST {
			c.packet(buffer[:n])
		}
	}
}

func (c *Capture) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = errors.Join(c.failed, err)
}

// packet takes an IP packet.
func (c *Capture) packet(packet []byte) {
	s, ok := segmentOf(packet)
	if !ok || !slices.Contains(c.ports, s.from.Port()) && !slices.Contains(c.ports, s.to.Port()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]netip.AddrPort{s.from, s.to}
	if c.streams[key] == nil {
		c.streams[key] = &stream{}
	}
	if s.syn {
		c.streams[key].open(s.sequence)
	}
	for _, raw := range c.streams[key].add(s.sequence, s.payload) {
		m, err := parse(raw)
		m.At, m.From, m.To = time.Now(), s.from.Addr(), s.to.Addr()
		c.messages = append(c.messages, m)
		c.failed = errors.Join(c.failed, err)
	}
}

// segment is a TCP segment.
type segment struct {
	from, to netip.AddrPort
	sequence uint32
	syn      bool
	payload  []byte
}

const (
	protocolTCP = 6
	flagSYN     = 0x02
)

// segmentOf reads an IP packet; false if it holds no TCP.
func segmentOf(packet []byte) (segment, bool) {
	var s segment
	from, to, tcp, ok := transport(packet)
	if !ok || len(tcp) < 20 {
		return s, false
	}
	header := int(tcp[12]>>4) * 4
	if header < 20 || header > len(tcp) {
		return s, false
	}
	s.from = netip.AddrPortFrom(from, binary.BigEndian.Uint16(tcp))
	s.to = netip.AddrPortFrom(to, binary.BigEndian.Uint16(tcp[2:]))
	s.sequence = binary.BigEndian.Uint32(tcp[4:])
	s.syn = tcp[13]&flagSYN != 0
	s.payload = tcp[header:]
	return s, true
}

// transport reads an IP header and returns what TCP has.
func transport(packet []byte) (from, to netip.Addr, tcp []byte, ok bool) {
	if len(packet) < 20 {
		return
	}
	switch packet[0] >> 4 {
	case 4:
		header, total := int(packet[0]&0xf)*4, int(binary.BigEndian.Uint16(packet[2:]))
		if packet[9] != protocolTCP || total > len(packet) || header > total {
			return
		}
		from, _ = netip.AddrFromSlice(packet[12:16])
		to, _ = netip.AddrFromSlice(packet[16:20])
		return from, to, packet[header:total], true
	case 6:
		if len(packet) < 40 || packet[6] != protocolTCP {
			return
		}
		total := 40 + int(binary.BigEndian.Uint16(packet[4:]))
		if total > len(packet) {
			return
		}
		from, _ = netip.AddrFromSlice(packet[8:24])
		to, _ = netip.AddrFromSlice(packet[24:40])
		return from, to, packet[40:total], true
	}
	return
}
