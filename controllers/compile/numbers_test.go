package compile

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

func TestTagsOfRunningClassesStay(t *testing.T) {
	fresh := numberTags([]string{"a", "b"}, nil)
	applied := map[string]frrtemplates.Tag{"a": 7, "gone": fresh["b"]}
	tags := numberTags([]string{"b", "a"}, applied)
	if tags["a"] != 7 {
		t.Errorf("a running class got another tag: %v", tags)
	}
	if tags["b"] != fresh["b"]+1 {
		t.Errorf("want b to move on from %d, which still runs: %v", fresh["b"], tags)
	}
}

func TestTagsCollideInTheOrderOfNames(t *testing.T) {
	taken := map[uint64]bool{}
	first, second, third := nextFree(41, 50, taken), nextFree(41, 50, taken), nextFree(49, 50, taken)
	around := nextFree(49, 50, taken)
	if got := []uint64{first, second, third, around}; !slices.Equal(got, []uint64{42, 43, 50, 1}) {
		t.Error(got)
	}
	if n := nextFree(3, 4, map[uint64]bool{1: true, 2: true, 3: true, 4: true}); n != 0 {
		t.Error("a number where all are taken:", n)
	}
}

func TestNumbersAreInRangeAndDiffer(t *testing.T) {
	names := make([]string, 20_000) // many sequences collide among 65,000
	for i := range names {
		names[i] = fmt.Sprint("herald.", i)
	}
	tags := numberTags(names, nil)
	sequences := numberSequences(tags, nil)
	seen := map[uint16]bool{}
	for tag, sequence := range sequences {
		if tag == 0 || sequence == 0 || sequence > maxSequence || seen[sequence] {
			t.Fatalf("tag %d, sequence %d, seen %t", tag, sequence, seen[sequence])
		}
		seen[sequence] = true
	}
	if len(tags) != len(names) || len(sequences) != len(names) {
		t.Errorf("%d tags and %d sequences of %d", len(tags), len(sequences), len(names))
	}
	slices.Reverse(names)
	if again := numberTags(names, nil); !maps.Equal(again, tags) || !maps.Equal(numberSequences(again, nil), sequences) {
		t.Error("the order of names matters")
	}
	if !maps.Equal(numberTags(names[:100], tags), only(tags, names[:100])) {
		t.Error("a class changed its number when others went")
	}
}

func only(tags map[string]frrtemplates.Tag, names []string) map[string]frrtemplates.Tag {
	part := map[string]frrtemplates.Tag{}
	for _, name := range names {
		part[name] = tags[name]
	}
	return part
}

func TestSequencesRunOut(t *testing.T) {
	names := make([]string, maxSequence+10)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	if got := len(numberSequences(numberTags(names, nil), nil)); got != maxSequence {
		t.Errorf("%d sequences", got)
	}
}

func TestImpossibleAppliedNumbersAreIgnored(t *testing.T) {
	tags := numberTags([]string{"a", "b"}, map[string]frrtemplates.Tag{"a": 0, "b": 9})
	if tags["a"] == 0 || tags["b"] != 9 {
		t.Error(tags)
	}
	sequences := numberSequences(tags, map[frrtemplates.Tag]uint16{9: math.MaxUint16, tags["a"]: 5})
	if sequences[9] == math.MaxUint16 || sequences[9] == 0 || sequences[tags["a"]] != 5 {
		t.Error(sequences)
	}
}

func TestParseAppliedPassesOverWhatItDoesNotKnow(t *testing.T) {
	applied := ParseApplied([]byte(`! herald x
garbage
route-map herald.a permit 1
 set tag 12
 set tag
 set tag 99999999999
 match tag 3
exit
route-map foreign permit 1
 set tag 13
exit
route-map herald_out_tor-a_ipv4 permit 70000
 match tag 14
exit
route-map herald_out_tor-a_ipv4 permit 7
 match tag 12
 set tag 15
exit
 set tag 16
router bgp 1
 bgp graceful-restart preserve-fw-state
  network 203.0.113.7/32 route-map herald.a
  network 203.0.113.777/32 route-map herald.a
  network 203.0.113.8/32
  network 2001:db8::1/128 route-map herald.a`))
	if !reflect.DeepEqual(applied.Tags, map[string]frrtemplates.Tag{"herald.a": 12}) ||
		!reflect.DeepEqual(applied.Sequences, map[frrtemplates.Tag]uint16{12: 7}) || len(applied.Prefixes) != 2 || !applied.PreservesForwarding {
		t.Errorf("%+v", applied)
	}
}

func FuzzParseApplied(f *testing.F) {
	f.Add([]byte("route-map herald.a permit 1\n set tag 1\nexit\n"))
	f.Add([]byte("  network 1.2.3.4/32 route-map x\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if applied := ParseApplied(body); applied.Tags == nil || applied.Prefixes == nil || applied.Sequences == nil {
			t.Error("nil")
		}
	})
}

func FuzzParseCommunity(f *testing.F) {
	for _, seed := range []string{"1:2", "no-export", "0:0", "65535:65535", "01:2", ":", "1:2:3", "large:1:2:3", "large:1:2", "1:2:4294967296"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var parsed attributes
		if parsed.addCommunity(text) != nil {
			return
		}
		if len(parsed.large) == 1 && len(parsed.communities) == 0 {
			if spelled := parsed.large[0].String(); text != spelled && text != largePrefix+spelled {
				t.Errorf("%q was read as %s", text, spelled)
			}
			return
		}
		if len(parsed.communities) != 1 || len(parsed.large) != 0 {
			t.Fatalf("%q was read as %+v", text, parsed)
		}
		c := parsed.communities[0]
		number := fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xFFFF)
		if text != c.String() && text != number {
			t.Errorf("%q was read as %s (%s)", text, c, number)
		}
	})
}
