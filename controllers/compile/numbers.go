package compile

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Sequences 1 to maxSequence are the classes'; denySequence ends every outbound
// map.
const (
	maxSequence  = 65000
	denySequence = math.MaxUint16
)

// numbers are the tags of classes, by name, and the sequences of tags.
type numbers struct {
	tags      map[string]frrtemplates.Tag
	sequences map[frrtemplates.Tag]uint16
}

// appliedNumbers are those of the last accepted file.
func appliedNumbers(applied *snapshot.Applied) numbers {
	if applied == nil {
		return numbers{}
	}
	return numbers{tags: applied.Tags, sequences: applied.Sequences}
}

func (n numbers) equal(other numbers) bool {
	return maps.Equal(n.tags, other.tags) && maps.Equal(n.sequences, other.sequences)
}

// numberTags gives each class, named by its route-map, its tag: the one that the
// running configuration has, else a hash of the name, else the next free one in
// the order of names. A tag that is still in the running configuration is given
// to no other class.
func numberTags(names []string, applied map[string]frrtemplates.Tag) map[string]frrtemplates.Tag {
	names = slices.Sorted(slices.Values(names))
	taken := map[uint64]bool{}
	tags := make(map[string]frrtemplates.Tag, len(names))
	for _, name := range slices.Sorted(maps.Keys(applied)) {
		tag := applied[name]
		if tag == 0 || taken[uint64(tag)] {
			continue
		}
		taken[uint64(tag)] = true
		if _, wanted := slices.BinarySearch(names, name); wanted {
			tags[name] = tag
		}
	}
	for _, name := range names {
		if _, found := tags[name]; found {
			continue
		}
		if n := nextFree(hash(name), math.MaxUint32, taken); n != 0 {
			tags[name] = frrtemplates.Tag(n)
		}
	}
	return tags
}

// numberSequences gives each tag its sequence number in all outbound maps, by
// the same rule, in the order of tags.
func numberSequences(tags map[string]frrtemplates.Tag, applied map[frrtemplates.Tag]uint16) map[frrtemplates.Tag]uint16 {
	names := make(map[frrtemplates.Tag]string, len(tags))
	for name, tag := range tags {
		names[tag] = name
	}
	taken := map[uint64]bool{}
	sequences := make(map[frrtemplates.Tag]uint16, len(tags))
	for _, tag := range slices.Sorted(maps.Keys(applied)) {
		sequence := applied[tag]
		if sequence == 0 || sequence > maxSequence || taken[uint64(sequence)] {
			continue
		}
		taken[uint64(sequence)] = true
		if names[tag] != "" {
			sequences[tag] = sequence
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(names)) {
		if _, found := sequences[tag]; found {
			continue
		}
		if n := nextFree(hash(names[tag]), maxSequence, taken); n != 0 {
			sequences[tag] = uint16(n)
		}
	}
	return sequences
}

// nextFree is the first number from 1 + start mod limit on, around the end, that
// isn't taken, and takes it; 0 where all are.
func nextFree(start, limit uint64, taken map[uint64]bool) uint64 {
	if uint64(len(taken)) >= limit {
		return 0
	}
	n := 1 + start%limit
	for taken[n] {
		n = 1 + n%limit
	}
	taken[n] = true
	return n
}

func hash(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.BigEndian.Uint64(sum[:])
}
