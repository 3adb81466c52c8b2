package flow

import (
	"encoding/binary"
	"errors"
)

// Sizes on the wire, in bytes.
const (
	// idBytes of a connection ID.
	idBytes = 8
	// messageBytes of a TCP message: its number, and ballast.
	messageBytes = 64
	// quicVersion stands in long headers; none that is given to anybody.
	quicVersion = 0xfa1a2a3a
)

// Forms of QUIC-like packets, by their first byte: RFC 9000 section 17.
const (
	longHeader  = 0xc0
	shortHeader = 0x40
	// reset has the form of a short header, as a stateless reset has, and says so
	// by its second byte, where others have the connection ID's first.
	resetMark = 0xff
)

var errForm = errors.New("not a packet of these")

// packet is a QUIC-like datagram.
type packet struct {
	long, reset bool
	id          [idBytes]byte
	number      uint64
}

func (p packet) encode() []byte {
	switch {
	case p.reset:
		return append([]byte{shortHeader, resetMark}, p.id[:]...)
	case p.long:
		b := binary.BigEndian.AppendUint32([]byte{longHeader}, quicVersion)
		b = append(append(b, idBytes), p.id[:]...)
		b = append(b, 0) // no source connection ID
		return binary.BigEndian.AppendUint64(b, p.number)
	default:
		b := append([]byte{shortHeader, 0}, p.id[:]...)
		return binary.BigEndian.AppendUint64(b, p.number)
	}
}

func decode(b []byte) (packet, error) {
	var p packet
	const longBytes, shortBytes = 7 + idBytes + 8, 2 + idBytes + 8
	switch {
	case len(b) >= longBytes && b[0] == longHeader:
		p.long = true
		copy(p.id[:], b[6:])
		p.number = binary.BigEndian.Uint64(b[7+idBytes:])
	case len(b) >= 2+idBytes && b[0] == shortHeader && b[1] == resetMark:
		p.reset = true
		copy(p.id[:], b[2:])
	case len(b) >= shortBytes && b[0] == shortHeader:
		copy(p.id[:], b[2:])
		p.number = binary.BigEndian.Uint64(b[2+idBytes:])
	default:
		return p, errForm
	}
	return p, nil
}
