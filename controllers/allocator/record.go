package allocator

import (
	"net/netip"
	"slices"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// record is what the allocator knows of one Service.
type record struct {
	demand Demand
	// held addresses by family; the zero Addr where there is none.
	held [len(families)]netip.Addr
	// begun is the version of the Service that a write of its status is based on.
	// It ends in a newer version, which is seen.
	begun uint64
	// leaving are addresses that the Service no longer has but that may still
	// stand in its status: nobody else gets them until they don't.
	leaving []left
	// ours: Herald gave the Service addresses, even if its status, as it was last
	// seen, doesn't say so yet.
	ours bool
	// written: the Service's status was seen to have what is held. Until then an
	// address that a former leader wrote late can be taken over.
	written bool
	// lost is the address of the last conflict that the Service lost.
	lost netip.Addr
	// candidates are the spaces that may give the Service an address, by family,
	// in the order in which they are asked.
	candidates [len(families)][]*space
	waits      waits
	decision   Decision
}

// left is an address that is being left.
type left struct {
	addr netip.Addr
	// version of the Service when it was left.
	version uint64
}

func (r *record) holdsAny() bool {
	return slices.ContainsFunc(r.held[:], netip.Addr.IsValid)
}

// addresses held, in the order of the demanded families.
func (r *record) addresses() []netip.Addr {
	var held []netip.Addr
	for _, family := range r.demand.Families {
		if addr := r.held[index(family)]; addr.IsValid() {
			held = append(held, addr)
		}
	}
	return held
}

// uses are the addresses held and those being left.
func (r *record) uses() []netip.Addr {
	var all []netip.Addr
	for _, addr := range r.held {
		if addr.IsValid() {
			all = append(all, addr)
		}
	}
	for _, l := range r.leaving {
		all = append(all, l.addr)
	}
	return all
}

func (r *record) isLeaving(addr netip.Addr) bool {
	return slices.ContainsFunc(r.leaving, func(l left) bool { return l.addr == addr })
}

// noteWritten notes that the Service's status has what is held.
func (r *record) noteWritten() {
	held := r.addresses()
	if len(held) == 0 || len(held) != len(r.demand.Current) {
		return
	}
	for _, addr := range held {
		if !slices.Contains(r.demand.Current, addr) {
			return
		}
	}
	r.written = true
}

// hold gives an address of a pool to a Service that has none of its family and
// the right to it.
func (a *Allocator) hold(r *record, addr netip.Addr) {
	if !a.join(r, addr) {
		return
	}
	at := index(frrtemplates.FamilyOf(addr))
	r.held[at] = addr
	r.leaving = slices.DeleteFunc(r.leaving, func(l left) bool { return l.addr == addr })
	r.ours = true
}

// leave takes the address of one family from a Service. As long as the address
// stands in the Service's status, or may, nobody else gets it, also if its pool
// goes and comes back meanwhile.
func (a *Allocator) leave(r *record, at int) {
	addr := r.held[at]
	r.held[at], r.written = netip.Addr{}, false
	version := r.demand.Version
	mayStand := slices.Contains(r.demand.Current, addr) || version != 0 && version <= r.begun
	if mayStand {
		r.leaving = append(r.leaving, left{addr: addr, version: version})
		return
	}
	a.unuse(r, addr)
}

// settle releases what was left and no longer stands in the Service's status.
func (a *Allocator) settle(r *record) {
	r.leaving = slices.DeleteFunc(r.leaving, func(l left) bool {
		version := r.demand.Version
		if slices.Contains(r.demand.Current, l.addr) || version != 0 && version <= l.version {
			return false
		}
		a.unuse(r, l.addr)
		return true
	})
}
