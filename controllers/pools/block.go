package pools

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
)

// Block is a range of addresses of one family, both ends included. It may be as
// large as a family is.
type Block struct {
	First, Last netip.Addr
}

// reserved are the addresses that no Service can have: the kernel or the
// routers treat them specially (RFC 6890, RFC 1112, RFC 4291 section 2.4).
var reserved = []struct {
	block Block
	name  string
}{
	{blockOf(netip.MustParsePrefix("0.0.0.0/8")), "\"this network\""},
	{blockOf(netip.MustParsePrefix("127.0.0.0/8")), "loopback"},
	{blockOf(netip.MustParsePrefix("169.254.0.0/16")), "link-local"},
	{blockOf(netip.MustParsePrefix("224.0.0.0/4")), "multicast"},
	{blockOf(netip.MustParsePrefix("255.255.255.255/32")), "broadcast"},
	{blockOf(netip.MustParsePrefix("::/127")), "unspecified and loopback"},
	{blockOf(netip.MustParsePrefix("::ffff:0:0/96")), "IPv4-mapped"},
	{blockOf(netip.MustParsePrefix("fe80::/10")), "link-local"},
	{blockOf(netip.MustParsePrefix("ff00::/8")), "multicast"},
}

// ParseBlock reads a CIDR in canonical form or an inclusive range "first-last".
// The error says what is wrong and how to mend it.
func ParseBlock(text string) (Block, error) {
	block, err := parseBounds(text)
	if err != nil {
		return Block{}, err
	}
	for _, r := range reserved {
		if block.Overlaps(r.block) {
			return Block{}, fmt.Errorf("holds %s addresses (%s), which no Service can have: leave them out", r.name, r.block)
		}
	}
	return block, nil
}

func parseBounds(text string) (Block, error) {
	if first, last, isRange := strings.Cut(text, "-"); isRange {
		return parseRange(strings.TrimSpace(first), strings.TrimSpace(last))
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return Block{}, errors.New("is neither a CIDR such as 203.0.113.0/24 nor a range such as 203.0.113.10-203.0.113.20")
	}
	if prefix != prefix.Masked() {
		return Block{}, fmt.Errorf("has bits set behind the prefix length: write %s", prefix.Masked())
	}
	return blockOf(prefix), nil
}

func parseRange(first, last string) (Block, error) {
	var block Block
	var err error
	if block.First, err = parseEnd(first); err != nil {
		return Block{}, err
	}
	if block.Last, err = parseEnd(last); err != nil {
		return Block{}, err
	}
	if block.First.BitLen() != block.Last.BitLen() {
		return Block{}, errors.New("mixes IPv4 and IPv6: both ends of a range must be of the same family")
	}
	if block.Last.Less(block.First) {
		return Block{}, fmt.Errorf("is reversed, its first address comes after its last: write %s-%s", last, first)
	}
	return block, nil
}

func parseEnd(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, fmt.Errorf("has a malformed end %q: write a range such as 203.0.113.10-203.0.113.20", text)
	}
	if addr.Zone() != "" {
		return addr, fmt.Errorf("has an end with a zone %q: leave the zone out", text)
	}
	return addr, nil
}

// blockOf is the block of a prefix's addresses, first and last included.
func blockOf(prefix netip.Prefix) Block {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return Block{First: prefix.Masked().Addr(), Last: last}
}

// Contains says whether an address lies in the block.
func (b Block) Contains(addr netip.Addr) bool {
	return addr.BitLen() == b.First.BitLen() && !addr.Less(b.First) && !b.Last.Less(addr)
}

// Overlaps says whether the blocks have an address in common.
func (b Block) Overlaps(other Block) bool {
	return b.First.BitLen() == other.First.BitLen() && !b.Last.Less(other.First) && !other.Last.Less(b.First)
}

// Size is the number of the block's addresses, up to 2^128.
func (b Block) Size() *big.Int {
	first := new(big.Int).SetBytes(b.First.AsSlice())
	size := new(big.Int).SetBytes(b.Last.AsSlice())
	return size.Sub(size, first).Add(size, big.NewInt(1))
}

// String is the block as a range, "first-last".
func (b Block) String() string { return b.First.String() + "-" + b.Last.String() }

// IsBuggy says whether some old devices take an address for that of a network or
// a broadcast: IPv4 that ends in .0 or .255.
func IsBuggy(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	last := addr.As4()[3]
	return last == 0 || last == 255
}

// CountBuggy is how many addresses of the block IsBuggy holds for.
func (b Block) CountBuggy() int64 {
	if !b.First.Is4() {
		return 0
	}
	return buggyUpTo(b.Last) - buggyUpTo(b.First) + btoi(IsBuggy(b.First))
}

// buggyUpTo counts from 0.0.0.0 to addr.
func buggyUpTo(addr netip.Addr) int64 {
	bytes := addr.As4()
	networks := int64(bytes[0])<<16 | int64(bytes[1])<<8 | int64(bytes[2])
	return 2*networks + 1 + btoi(bytes[3] == 255)
}

func btoi(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// without is what is left of the block, by address. The others are sorted by
// their first address and may overlap.
func (b Block) without(others []Block) []Block {
	var left []Block
	for _, other := range others {
		if !b.Overlaps(other) {
			continue
		}
		if b.First.Less(other.First) {
			left = append(left, Block{First: b.First, Last: other.First.Prev()})
		}
		if !other.Last.Less(b.Last) {
			return left
		}
		b.First = other.Last.Next()
	}
	return append(left, b)
}
