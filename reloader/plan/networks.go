package plan

import "net/netip"

// networkDiff is one address family's difference in "network" lines.
type networkDiff struct {
	removed, added []Network
}

func (d networkDiff) empty() bool { return len(d.removed)+len(d.added) == 0 }

// diffNetworks compares the lines of one family. A line whose route-map differs
// is only added: FRR replaces it in place. Both sides are mostly the same lines
// in the same order, so equal heads and tails are skipped before any map is made.
func diffNetworks(want, have []Network) networkDiff {
	want, have = skipEqual(want, have)
	if len(want) == 0 && len(have) == 0 {
		return networkDiff{}
	}
	rest := make(map[string]string, len(have))
	for _, n := range have {
		rest[canonical(n.Prefix)] = n.Rest
	}
	var d networkDiff
	for _, n := range want {
		key := canonical(n.Prefix)
		old, runs := rest[key]
		if !runs || old != n.Rest {
			d.added = append(d.added, n)
		}
		delete(rest, key)
	}
	for _, n := range have {
		if _, unwanted := rest[canonical(n.Prefix)]; unwanted {
			d.removed = append(d.removed, n)
		}
	}
	return d
}

func skipEqual(a, b []Network) ([]Network, []Network) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// canonical spelling: FRR prints IPv6 with inet_ntop, which differs from RFC
// 5952 for a few addresses.
func canonical(prefix string) string {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return prefix
	}
	return p.Masked().String()
}

// Batch is a run of "network" commands for one family of one router.
type Batch struct {
	Router, Family string
	Commands       []string
}

// Commands enters each batch's context, runs it, and leaves it again; for
// configuration mode.
func Commands(batches []Batch) []string {
	var all []string
	for _, b := range batches {
		all = append(all, b.Router, familyPrefix+b.Family)
		all = append(all, b.Commands...)
		all = append(all, exitFamily, exit)
	}
	return all
}

// Touched is a prefix that a plan changes and what must be there afterwards.
type Touched struct {
	// VRF is "" for the default VRF; Family is as FRR writes it.
	VRF, Family, Prefix string
	// Present says whether bgpd must originate it, with Tag ("" is not checked).
	Present bool
	Tag     string
}
