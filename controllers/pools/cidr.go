package pools

import "net/netip"

// CIDRs are the fewest CIDRs that make up the block, by address: one where it was
// written as such, more where it is a range.
func (b Block) CIDRs() []netip.Prefix {
	var all []netip.Prefix
	for first := b.First; b.Contains(first); {
		whole := b.cidrFrom(first)
		all = append(all, whole)
		if first = blockOf(whole).Last.Next(); !first.IsValid() {
			break // the end of the family
		}
	}
	return all
}

// cidrFrom is the largest CIDR of the block that begins with an address of it.
func (b Block) cidrFrom(first netip.Addr) netip.Prefix {
	best := netip.PrefixFrom(first, first.BitLen())
	for bits := first.BitLen() - 1; bits >= 0; bits-- {
		wider := netip.PrefixFrom(first, bits)
		if wider != wider.Masked() || !b.Contains(blockOf(wider).Last) {
			break
		}
		best = wider
	}
	return best
}

// Holds says whether all addresses of a prefix lie in one block of the pool: none
// is excluded, or somebody else's.
func (p *Pool) Holds(prefix netip.Prefix) bool {
	at := p.search(prefix.Masked().Addr())
	return at < len(p.Blocks) && p.Blocks[at].Contains(prefix.Masked().Addr()) && p.Blocks[at].Contains(blockOf(prefix).Last)
}
