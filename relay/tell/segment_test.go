package tell

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
)

var (
	over4 = First{From: netip.MustParseAddrPort("198.51.100.2:40000"), To: netip.MustParseAddrPort("203.0.113.1:80"), Sequence: 0x01020304, Acknowledged: 0xfffffff0, Window: 512}
	over6 = First{From: netip.MustParseAddrPort("[2001:db8::2]:40000"), To: netip.MustParseAddrPort("[2001:db8:113::1]:443"), Sequence: 5, Acknowledged: 6, Window: 7}
)

// stamped has TCP's time stamps and 4 bytes of data.
const stamped = "4500003812344000400604e8" + "c6336402" + "cb007101" +
	"9c400050" + "01020304" + "fffffff0" + "8018020000000000" + "0101080a0000000100000002" + "64617461"

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	if got, ok := Parse(unhex(t, stamped)); !ok || got != over4 {
		t.Errorf("%+v, %t, want %+v", got, ok, over4)
	}
	// Cut off behind TCP's fixed header; and with options of IP's.
	if got, ok := Parse(unhex(t, stamped)[:40]); !ok || got != over4 {
		t.Errorf("cut off: %+v, %t", got, ok)
	}
	options := unhex(t, "46"+stamped[2:40]+"94040000"+stamped[40:])
	if got, ok := Parse(options); !ok || got != over4 {
		t.Errorf("with IP's options: %+v, %t", got, ok)
	}
	for _, f := range []First{over4, over6} {
		if got, ok := Parse(f.Segment()); !ok || got != f {
			t.Errorf("%+v, %t, want %+v", got, ok, f)
		}
	}
}

func TestNotParsed(t *testing.T) {
	change := func(of First, at int, to byte) []byte {
		p := of.Segment()
		p[at] = to
		return p
	}
	for what, packet := range map[string][]byte{
		"nothing":                        nil,
		"half of IP's header":            over4.Segment()[:19],
		"half of IPv6's header":          over6.Segment()[:39],
		"half of TCP's header":           over4.Segment()[:39],
		"half of TCP's header, IPv6":     over6.Segment()[:59],
		"a header longer than it is":     change(over4, 0, 0x4f)[:40],
		"a header shorter than it can":   change(over4, 0, 0x44),
		"another version":                change(over4, 0, 0x55),
		"UDP":                            change(over4, 9, 17),
		"UDP over IPv6":                  change(over6, 6, 17),
		"extension headers":              change(over6, 6, 0),
		"a first fragment":               change(over4, 6, 0x20),
		"another fragment":               change(over4, 7, 1),
		"a SYN":                          change(over4, 33, 0x02),
		"a SYN that acknowledges":        change(over4, 33, 0x12),
		"a reset":                        change(over4, 33, 0x04),
		"a reset that acknowledges":      change(over4, 33, 0x14),
		"one that acknowledges nothing":  change(over4, 33, 0x08),
		"a reset over IPv6":              change(over6, 53, 0x14),
		"an IPv4 address as one of IPv6": append(bytes.Clone(over6.Segment()[:8]), append(unhex(t, strings.Repeat("00", 10)+"ffffc6336402"), over6.Segment()[24:]...)...),
	} {
		if got, ok := Parse(packet); ok {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// sum is RFC 1071's over all: 0xffff where the checksum is right.
func sum(data []byte) uint32 {
	s := uint32(0)
	for i := 0; i+1 < len(data); i += 2 {
		s += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return s
}

func TestChecksums(t *testing.T) {
	p := over4.Segment()
	pseudo := append(bytes.Clone(p[12:20]), 0, 6, 0, 20)
	if len(p) != 40 || sum(p[:20]) != 0xffff || sum(append(pseudo, p[20:]...)) != 0xffff {
		t.Errorf("%x", p)
	}
	p = over6.Segment()
	pseudo = append(bytes.Clone(p[8:40]), 0, 0, 0, 20, 0, 0, 0, 6)
	if len(p) != 60 || sum(append(pseudo, p[40:]...)) != 0xffff {
		t.Errorf("%x", p)
	}
}

// A probe differs by its number alone, also where that begins anew, and is whole.
func TestProbe(t *testing.T) {
	for _, f := range []First{over4, over6, {From: over4.From, To: over4.To, Sequence: 0, Acknowledged: 1}} {
		want := f
		want.Sequence--
		p := f.Probe()
		if got, ok := Parse(p); !ok || got != want || !bytes.Equal(p, want.Segment()) {
			t.Errorf("%+v, %t, want %+v", got, ok, want)
		}
	}
}

func TestFrame(t *testing.T) {
	to, from := net.HardwareAddr{1, 2, 3, 4, 5, 6}, net.HardwareAddr{7, 8, 9, 10, 11, 12}
	for kind, f := range map[string]First{"0800": over4, "86dd": over6} {
		want := "08000000" + "123456" + "00" + "010203040506" + "0708090a0b0c" + kind + hex.EncodeToString(f.Segment())
		if got := hex.EncodeToString(Frame(0x123456, to, from, f.Segment())); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzParse: what is taken is told as it was, and taken again.
func FuzzParse(f *testing.F) {
	f.Add(unhex(f, stamped))
	f.Add(over4.Segment())
	f.Add(over6.Segment())
	f.Fuzz(func(t *testing.T, packet []byte) {
		first, ok := Parse(packet)
		if !ok {
			return
		}
		if got, ok := Parse(first.Segment()); !ok || got != first {
			t.Errorf("%+v, %t, want %+v", got, ok, first)
		}
	})
}
