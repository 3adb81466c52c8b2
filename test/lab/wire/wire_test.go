package wire

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// message puts a header before a body.
func message(kind Type, body ...byte) []byte {
	length := headerLength + len(body)
	return slices.Concat(marker, []byte{byte(length >> 8), byte(length), byte(kind)}, body)
}

var (
	announce = message(Update,
		0, 0, // nothing withdrawn
		0, 11, 0xc0, 8, 8, 0xfc, 0, 0, 100, 0xff, 0xff, 0xff, 1,
		32, 203, 0, 113, 7, 24, 198, 51, 100)
	withdraw  = message(Update, 0, 5, 32, 203, 0, 113, 7, 0, 0)
	withdraw6 = message(Update,
		0, 0, 0, 9, 0x90, 15, 0, 5, 0, 2, 1, 8, 0x20)
	announce6 = message(Update,
		0, 0, 0, 26, 0x80, 14, 23, 0, 2, 1, 16,
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0, 8, 0x20)
	// One capability of IPv4 unicast in a parameter, two in another: graceful restart
	// with one family, route refresh.
	open4 = message(Open,
		4, 0xfc, 0, 0, 90, 10, 10, 0, 11, 20,
		2, 6, 1, 4, 0, 1, 0, 1,
		2, 10, 64, 6, 0, 120, 0, 1, 1, 0x80, 2, 0)
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		want Message
	}{
		"keepalive": {message(Keepalive), Message{Type: Keepalive}},
		"open":      {open4, Message{Type: Open, Capabilities: []uint8{1, GracefulRestart, 2}}},
		"announced": {announce, Message{
			Type:        Update,
			Announced:   []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("198.51.100.0/24")},
			Communities: []string{"64512:100", "65535:65281"},
		}},
		"withdrawn":       {withdraw, Message{Type: Update, Withdrawn: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}}},
		"announced, IPv6": {announce6, Message{Type: Update, Announced: []netip.Prefix{netip.MustParsePrefix("2000::/8")}}},
		"withdrawn, IPv6": {withdraw6, Message{Type: Update, Withdrawn: []netip.Prefix{netip.MustParsePrefix("2000::/8")}}},
		"end of RIB":      {message(Update, 0, 0, 0, 0), Message{Type: Update}},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := parse(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(have, c.want) {
				t.Errorf("have %+v, want %+v", have, c.want)
			}
		})
	}
}

func TestParseSaysWhatIsCutOff(t *testing.T) {
	for cut := headerLength; cut < len(announce6)-2; cut++ {
		if _, err := parse(announce6[:cut]); err == nil {
			t.Errorf("the first %d octets of an update were taken for a whole one", cut)
		}
	}
	for cut := headerLength; cut < len(open4); cut++ {
		if _, err := parse(open4[:cut]); err == nil {
			t.Errorf("the first %d octets of an open were taken for a whole one", cut)
		}
	}
}

func TestStream(t *testing.T) {
	all := slices.Concat(announce, withdraw)
	const first = uint32(0xfffffff0) // wraps around
	at := func(n int) uint32 { return first + uint32(n) }
	for name, segments := range map[string][][2]int{
		"whole":          {{0, len(all)}},
		"halves":         {{0, 30}, {30, len(all)}},
		"out of order":   {{0, 10}, {40, len(all)}, {10, 40}},
		"repeated":       {{0, 40}, {0, 40}, {20, len(all)}},
		"single octets":  octetwise(len(all)),
		"begun too late": {{5, 10}, {0, len(all)}},
	} {
		t.Run(name, func(t *testing.T) {
			var s stream
			if name != "begun too late" {
				s.open(first - 1)
			}
			var have [][]byte
			for _, segment := range segments {
				have = append(have, s.add(at(segment[0]), all[segment[0]:segment[1]])...)
			}
			if want := [][]byte{announce, withdraw}; !reflect.DeepEqual(have, want) {
				t.Errorf("have %x, want %x", have, want)
			}
		})
	}
}

func octetwise(n int) [][2]int {
	var segments [][2]int
	for i := range n {
		segments = append(segments, [2]int{i, i + 1})
	}
	return segments
}
