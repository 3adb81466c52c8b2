package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Type is the type of a BGP message (RFC 4271 section 4.1).
type Type uint8

// The types of messages.
const (
	Open         Type = 1
	Update       Type = 2
	Notification Type = 3
	Keepalive    Type = 4
)

// Message is one BGP message.
type Message struct {
	At       time.Time
	From, To netip.Addr
	Type     Type
	// Announced and Withdrawn prefixes of an Update, IPv4 and IPv6 unicast.
	Announced, Withdrawn []netip.Prefix
	// Communities of the announced prefixes, as "64512:100", in the order sent.
	Communities []string
	// Capabilities of an Open, by their codes (RFC 5492), in the order sent.
	Capabilities []uint8
}

// GracefulRestart is the code of a capability (RFC 4724 section 3).
const GracefulRestart uint8 = 64

// headerLength of a message (RFC 4271 section 4.1): a marker of 16 octets, all
// ones, the length and the type.
const (
	markerLength = 16
	headerLength = 19
)

// Path attributes that are read, and their flag for a length of two octets
// (RFC 4271 section 4.3, RFC 1997, RFC 4760).
const (
	attrCommunities = 8
	attrMPReach     = 14
	attrMPUnreach   = 15
	extendedLength  = 0x10
	afiIPv6         = 2
	safiUnicast     = 1
)

// An OPEN's fields of fixed place, in octets, and the parameter that is read.
const (
	openFixed             = 9
	parameterCapabilities = 2
)

var errShort = errors.New("it ends too early")

// octets takes fields off the front of a message.
type octets []byte

func (o *octets) take(n int) (octets, error) {
	if n < 0 || len(*o) < n {
		return nil, errShort
	}
	field := (*o)[:n]
	*o = (*o)[n:]
	return field, nil
}

func (o *octets) uint8() (int, error) {
	field, err := o.take(1)
	if err != nil {
		return 0, err
	}
	return int(field[0]), nil
}

func (o *octets) uint16() (int, error) {
	field, err := o.take(2)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(field)), nil
}

// parse reads a message whose header was checked.
func parse(raw []byte) (Message, error) {
	m := Message{Type: Type(raw[headerLength-1])}
	switch m.Type {
	case Open:
		if err := m.parseOpen(raw[headerLength:]); err != nil {
			return m, fmt.Errorf("BGP open of %d octets: %w", len(raw), err)
		}
	case Update:
		if err := m.parseUpdate(raw[headerLength:]); err != nil {
			return m, fmt.Errorf("BGP update of %d octets: %w", len(raw), err)
		}
	case Notification, Keepalive: // nothing is read of their bodies
	}
	return m, nil
}

// parseOpen reads the body of an OPEN (RFC 4271 section 4.2, RFC 5492 section 4):
// version, AS number, hold time and identifier, then the optional parameters.
func (m *Message) parseOpen(body octets) error {
	if _, err := body.take(openFixed); err != nil {
		return err
	}
	length, err := body.uint8()
	if err != nil {
		return err
	}
	parameters, err := body.take(length)
	if err != nil {
		return err
	}
	return parameters.each(func(kind int, value octets) error {
		if kind != parameterCapabilities {
			return nil
		}
		return value.each(func(code int, _ octets) error {
			m.Capabilities = append(m.Capabilities, uint8(code))
			return nil
		})
	})
}

// each takes items of a type and a length of one octet each, and a value.
func (o *octets) each(f func(kind int, value octets) error) error {
	for len(*o) > 0 {
		kind, err := o.uint8()
		if err != nil {
			return err
		}
		length, err := o.uint8()
		if err != nil {
			return err
		}
		value, err := o.take(length)
		if err != nil {
			return err
		}
		if err := f(kind, value); err != nil {
			return err
		}
	}
	return nil
}

// parseUpdate reads the body of an UPDATE (RFC 4271 section 4.3).
func (m *Message) parseUpdate(body octets) error {
	withdrawn, err := body.lengthPrefixed()
	if err != nil {
		return err
	}
	attributes, err := body.lengthPrefixed()
	if err != nil {
		return err
	}
	if m.Withdrawn, err = prefixes(withdrawn, 4); err != nil {
		return err
	}
	if m.Announced, err = prefixes(body, 4); err != nil {
		return err
	}
	for len(attributes) > 0 {
		if err := m.parseAttribute(&attributes); err != nil {
			return err
		}
	}
	return nil
}

// lengthPrefixed takes a field that begins with its length.
func (o *octets) lengthPrefixed() (octets, error) {
	n, err := o.uint16()
	if err != nil {
		return nil, err
	}
	return o.take(n)
}

func (m *Message) parseAttribute(attributes *octets) error {
	flags, err := attributes.uint8()
	if err != nil {
		return err
	}
	kind, err := attributes.uint8()
	if err != nil {
		return err
	}
	length := attributes.uint8
	if flags&extendedLength != 0 {
		length = attributes.uint16
	}
	n, err := length()
	if err != nil {
		return err
	}
	value, err := attributes.take(n)
	if err != nil {
		return err
	}
	switch kind {
	case attrCommunities:
		return m.parseCommunities(value)
	case attrMPReach:
		return m.parseReach(value)
	case attrMPUnreach:
		return m.parseUnreach(value)
	}
	return nil
}

func (m *Message) parseCommunities(value octets) error {
	for len(value) > 0 {
		high, err := value.uint16()
		if err != nil {
			return err
		}
		low, err := value.uint16()
		if err != nil {
			return err
		}
		m.Communities = append(m.Communities, fmt.Sprintf("%d:%d", high, low))
	}
	return nil
}

// isIPv6Unicast takes AFI and SAFI.
func (o *octets) isIPv6Unicast() (bool, error) {
	afi, err := o.uint16()
	if err != nil {
		return false, err
	}
	safi, err := o.uint8()
	return afi == afiIPv6 && safi == safiUnicast, err
}

// parseReach reads MP_REACH_NLRI (RFC 4760 section 3).
func (m *Message) parseReach(value octets) error {
	if ok, err := value.isIPv6Unicast(); !ok {
		return err
	}
	hop, err := value.uint8()
	if err != nil {
		return err
	}
	if _, err := value.take(hop + 1); err != nil { // and a reserved octet
		return err
	}
	announced, err := prefixes(value, 16)
	m.Announced = append(m.Announced, announced...)
	return err
}

// parseUnreach reads MP_UNREACH_NLRI (RFC 4760 section 4).
func (m *Message) parseUnreach(value octets) error {
	if ok, err := value.isIPv6Unicast(); !ok {
		return err
	}
	withdrawn, err := prefixes(value, 16)
	m.Withdrawn = append(m.Withdrawn, withdrawn...)
	return err
}

// prefixes reads a list of prefixes of addresses with size octets.
func prefixes(list octets, size int) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for len(list) > 0 {
		bits, err := list.uint8()
		if err != nil {
			return nil, err
		}
		if bits > 8*size {
			return nil, fmt.Errorf("a prefix of %d bits", bits)
		}
		significant, err := list.take((bits + 7) / 8)
		if err != nil {
			return nil, err
		}
		address := make([]byte, size)
		copy(address, significant)
		addr, _ := netip.AddrFromSlice(address) // 4 or 16 octets
		out = append(out, netip.PrefixFrom(addr, bits))
	}
	return out, nil
}
