// Package owned counts the connections that this node has state of, by asking the
// kernel's conntrack. One pass over 100,000 entries takes some 100 ms of the kernel's
// and this process's time together, and keeps nothing.
package owned

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
)

// Of linux/netfilter/nfnetlink_conntrack.h and nf_conntrack_common.h.
const (
	getConntrack = 1 // IPCTNL_MSG_CT_GET

	attrTupleOrig = 1
	attrStatus    = 3
	attrProtoInfo = 4

	attrTupleIP    = 1
	attrTupleProto = 2
	attrDestV4     = 2
	attrDestV6     = 4
	attrProtoNum   = 1
	attrDestPort   = 3
	attrTCP        = 1
	attrTCPState   = 1

	statusSeenReply = 1 << 1

	tcpEstablished = 3
	tcpCloseWait   = 5

	attrTypeMask = 0x3fff
	bufferSize   = 1 << 18
	headerSize   = unix.SizeofNlMsghdr
	nfgenSize    = 4
	attrHeader   = 4
)

// Counts are numbers of connections: TCP that is or was open and isn't over, and UDP of
// QUIC frontends that was answered.
type Counts struct {
	// To each address.
	To map[netip.Addr]int
	// Learned are those of them to a frontend that is learned.
	Learned int
}

// Count counts the connections to these addresses. Without addresses nothing is asked.
func Count(addresses []netip.Addr, learned []exchange.Frontend) (Counts, error) {
	if len(addresses) == 0 {
		return Counts{}, nil
	}
	c := &counter{counts: Counts{To: make(map[netip.Addr]int, len(addresses))}, tcp: map[netip.AddrPort]bool{}, quic: map[netip.AddrPort]bool{}}
	families := map[byte]bool{}
	for _, a := range addresses {
		c.counts.To[a] = 0
		if a.Is4() {
			families[unix.AF_INET] = true
		} else {
			families[unix.AF_INET6] = true
		}
	}
	for _, f := range learned {
		of := c.tcp
		if f.Protocol == exchange.QUIC {
			of = c.quic
		}
		of[netip.AddrPortFrom(f.Address, f.Port)] = true
	}
	for family := range families {
		if err := dump(family, c.add); err != nil {
			return Counts{}, fmt.Errorf("conntrack: %w", err)
		}
	}
	return c.counts, nil
}

type counter struct {
	counts Counts
	// tcp and quic are what is learned.
	tcp, quic map[netip.AddrPort]bool
}

// entry is what of a connection counts.
type entry struct {
	to       netip.AddrPort
	protocol byte
	status   uint32
	tcpState byte
}

func (c *counter) add(e entry) {
	n, wanted := c.counts.To[e.to.Addr()]
	if !wanted {
		return
	}
	var learned bool
	switch {
	case e.protocol == unix.IPPROTO_TCP && e.tcpState >= tcpEstablished && e.tcpState <= tcpCloseWait:
		learned = c.tcp[e.to]
	case e.protocol == unix.IPPROTO_UDP && e.status&statusSeenReply != 0 && c.quic[e.to]:
		learned = true
	default:
		return
	}
	c.counts.To[e.to.Addr()] = n + 1
	if learned {
		c.counts.Learned++
	}
}

// dump calls f for every connection of a family.
func dump(family byte, f func(entry)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	request := binary.NativeEndian.AppendUint32(nil, headerSize+nfgenSize)
	request = binary.NativeEndian.AppendUint16(request, unix.NFNL_SUBSYS_CTNETLINK<<8|getConntrack)
	request = binary.NativeEndian.AppendUint16(request, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request = append(request, 0, 0, 0, 0, 0, 0, 0, 0, family, 0, 0, 0)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, bufferSize)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if done, err := messages(buffer[:n], f); done || err != nil {
			return err
		}
	}
}

// messages reads those of one datagram; done after the last of the dump.
func messages(data []byte, f func(entry)) (bool, error) {
	for len(data) >= headerSize {
		length := int(binary.NativeEndian.Uint32(data))
		if length < headerSize || length > len(data) {
			return true, errors.New("a cut answer")
		}
		body := data[headerSize:length]
		switch binary.NativeEndian.Uint16(data[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
				return true, unix.Errno(-code)
			}
		default:
			if len(body) > nfgenSize {
				f(parse(body[nfgenSize:]))
			}
		}
		data = data[min(align(length), len(data)):]
	}
	return false, nil
}

func align(n int) int { return (n + 3) &^ 3 }

// attributes calls f for each attribute.
func attributes(data []byte, f func(kind uint16, value []byte)) {
	for len(data) >= attrHeader {
		length := int(binary.NativeEndian.Uint16(data))
		if length < attrHeader || length > len(data) {
			return
		}
		f(binary.NativeEndian.Uint16(data[2:])&attrTypeMask, data[attrHeader:length])
		data = data[min(align(length), len(data)):]
	}
}

func parse(data []byte) entry {
	var e entry
	var to netip.Addr
	var port uint16
	attributes(data, func(kind uint16, value []byte) {
		switch kind {
		case attrTupleOrig:
			attributes(value, func(kind uint16, value []byte) {
				attributes(value, func(inner uint16, value []byte) {
					switch {
					case kind == attrTupleIP && (inner == attrDestV4 || inner == attrDestV6):
						to, _ = netip.AddrFromSlice(value)
					case kind == attrTupleProto && inner == attrProtoNum && len(value) > 0:
						e.protocol = value[0]
					case kind == attrTupleProto && inner == attrDestPort && len(value) > 1:
						port = binary.BigEndian.Uint16(value)
					}
				})
			})
		case attrStatus:
			if len(value) >= 4 {
				e.status = binary.BigEndian.Uint32(value)
			}
		case attrProtoInfo:
			attributes(value, func(kind uint16, value []byte) {
				attributes(value, func(inner uint16, value []byte) {
					if kind == attrTCP && inner == attrTCPState && len(value) > 0 {
						e.tcpState = value[0]
					}
				})
			})
		}
	})
	e.to = netip.AddrPortFrom(to, port)
	return e
}
