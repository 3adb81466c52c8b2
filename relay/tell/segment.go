package tell

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// First is what is kept of a searched connection's first packet.
type First struct {
	From, To               netip.AddrPort
	Sequence, Acknowledged uint32
	Window                 uint16
}

// Lengths and offsets of headers (RFC 791, RFC 8200, RFC 9293).
const (
	length4, length6, lengthTCP = 20, 40, 20
	flagsAt                     = 13
	flagSYN, flagRST, flagACK   = 0x02, 0x04, 0x10
	fragment                    = 0x3fff // more fragments, or not the first
	hops                        = 64
)

// Parse reads IP's and TCP's header. The packet may be cut off behind them. Not taken are
// fragments, IPv6 with extension headers, and what isn't answered by a reset that its
// client believes: SYN, RST, and what acknowledges nothing.
func Parse(packet []byte) (First, bool) {
	from, to, tcp, ok := parseIP(packet)
	if !ok || len(tcp) < lengthTCP || tcp[flagsAt]&(flagSYN|flagRST|flagACK) != flagACK {
		return First{}, false
	}
	return First{
		From: netip.AddrPortFrom(from, binary.BigEndian.Uint16(tcp)), To: netip.AddrPortFrom(to, binary.BigEndian.Uint16(tcp[2:])),
		Sequence: binary.BigEndian.Uint32(tcp[4:]), Acknowledged: binary.BigEndian.Uint32(tcp[8:]), Window: binary.BigEndian.Uint16(tcp[14:]),
	}, true
}

func parseIP(p []byte) (from, to netip.Addr, tcp []byte, ok bool) {
	switch {
	case len(p) >= length4 && p[0]>>4 == 4:
		header := int(p[0]&0xf) * 4
		if header < length4 || len(p) < header || p[9] != unix.IPPROTO_TCP || binary.BigEndian.Uint16(p[6:])&fragment != 0 {
			return from, to, nil, false
		}
		return netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), p[header:], true
	case len(p) >= length6 && p[0]>>4 == 6 && p[6] == unix.IPPROTO_TCP:
		from, to = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		// The kernel takes no such address for IPv6's, nor does the rest of this package.
		return from, to, p[length6:], !from.Is4In6() && !to.Is4In6()
	}
	return from, to, nil, false
}

// Segment is an empty segment of the connection that acknowledges what the first did:
// an IP packet.
func (f First) Segment() []byte {
	tcp := make([]byte, lengthTCP)
	binary.BigEndian.PutUint16(tcp, f.From.Port())
	binary.BigEndian.PutUint16(tcp[2:], f.To.Port())
	binary.BigEndian.PutUint32(tcp[4:], f.Sequence)
	binary.BigEndian.PutUint32(tcp[8:], f.Acknowledged)
	tcp[12], tcp[flagsAt] = lengthTCP/4<<4, flagACK
	binary.BigEndian.PutUint16(tcp[14:], f.Window)
	from, to := f.From.Addr().AsSlice(), f.To.Addr().AsSlice()
	binary.BigEndian.PutUint16(tcp[16:], checksum(from, to, []byte{0, unix.IPPROTO_TCP, 0, lengthTCP}, tcp))
	return append(f.header(from, to), tcp...)
}

// Probe is the same with the number before: of no use to a server that has the connection,
// which answers so (RFC 9293, section 3.10.7.4). Of the segment itself it would say nothing.
func (f First) Probe() []byte {
	f.Sequence--
	return f.Segment()
}

func (f First) header(from, to []byte) []byte {
	if f.From.Addr().Is6() {
		h := make([]byte, length6)
		h[0], h[5], h[6], h[7] = 6<<4, lengthTCP, unix.IPPROTO_TCP, hops
		copy(h[8:], from)
		copy(h[24:], to)
		return h
	}
	h := make([]byte, length4)
	h[0], h[3], h[8], h[9] = 4<<4|length4/4, length4+lengthTCP, hops, unix.IPPROTO_TCP
	h[6] = 0x40 // don't fragment: the identification is then nobody's (RFC 6864)
	copy(h[12:], from)
	copy(h[16:], to)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return h
}

// checksum of parts of even length (RFC 1071).
func checksum(parts ...[]byte) uint16 {
	sum := uint32(0)
	for _, part := range parts {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// Frame is a packet in an Ethernet frame in VXLAN (RFC 7348, section 5): what follows
// UDP's header.
func Frame(vni uint32, to, from net.HardwareAddr, packet []byte) []byte {
	const haveVNI = 0x08
	f := []byte{haveVNI, 0, 0, 0, byte(vni >> 16), byte(vni >> 8), byte(vni), 0}
	f = append(append(f, to...), from...)
	kind := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		kind = unix.ETH_P_IPV6
	}
	return append(binary.BigEndian.AppendUint16(f, kind), packet...)
}
