package wire

import (
	"bytes"
	"encoding/binary"
)

// stream puts one direction of a TCP connection together and cuts it into
// messages. Where it begins in the middle of a connection it waits for a segment
// that begins with a message.
type stream struct {
	synced bool
	next   uint32
	early  map[uint32][]byte
	data   []byte
}

var marker = bytes.Repeat([]byte{0xff}, markerLength)

// open begins anew: a SYN was seen.
func (s *stream) open(sequence uint32) {
	*s = stream{synced: true, next: sequence + 1}
}

// add takes a segment's payload and returns the messages that are complete now.
func (s *stream) add(sequence uint32, payload []byte) [][]byte {
	if len(payload) == 0 {
		return nil
	}
	if !s.synced {
		if !bytes.HasPrefix(payload, marker) {
			return nil
		}
		s.synced, s.next = true, sequence
	}
	s.take(sequence, payload)
	for {
		waiting, ok := s.early[s.next]
		if !ok {
			return s.cut()
		}
		delete(s.early, s.next)
		s.take(s.next, waiting)
	}
}

// take appends what is new of a segment, or keeps it for later if one before it
// is missing. Sequence numbers wrap around.
func (s *stream) take(sequence uint32, payload []byte) {
	ahead := int32(sequence - s.next)
	if ahead > 0 {
		if s.early == nil {
			s.early = map[uint32][]byte{}
		}
		s.early[sequence] = bytes.Clone(payload)
		return
	}
	if known := int(-ahead); known < len(payload) {
		s.data = append(s.data, payload[known:]...)
		s.next += uint32(len(payload) - known)
	}
}

// cut takes the complete messages off the data. What isn't BGP ends the sync.
func (s *stream) cut() [][]byte {
	var messages [][]byte
	for len(s.data) >= headerLength {
		length := int(binary.BigEndian.Uint16(s.data[markerLength:]))
		if !bytes.HasPrefix(s.data, marker) || length < headerLength {
			*s = stream{}
			break
		}
		if len(s.data) < length {
			break
		}
		messages = append(messages, bytes.Clone(s.data[:length]))
		s.data = s.data[length:]
	}
	return messages
}
