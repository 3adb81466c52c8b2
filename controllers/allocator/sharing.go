package allocator

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/btree"
)

// Sharing is what decides which Services may have one address.
type Sharing struct {
	// Key that both must have; "" shares with nobody.
	Key string
	// Ports of the Service, sorted, as "TCP/80": those of both must be disjoint.
	Ports []string
	// Local is externalTrafficPolicy: Local. A node that announces the address
	// must have endpoints of all its users, so both must be Local and have the
	// same pods.
	Local bool
	// Selector of a Local Service's pods, in one canonical form; "" for none.
	Selector string
}

// Port is a port as Sharing has it.
func Port(protocol string, number int32) string {
	return protocol + "/" + strconv.Itoa(int(number))
}

// with says why two Services can't have one address; "" if they can.
func (s *Sharing) with(other *Sharing) string {
	switch {
	case s.Key == "":
		return "this Service has no annotation herald-lb.io/sharing-key"
	case other.Key == "":
		return "that one has no annotation herald-lb.io/sharing-key"
	case s.Key != other.Key:
		return "the two have different sharing keys"
	case s.Local != other.Local:
		return "the two have different externalTrafficPolicies"
	case s.Local && (s.Selector == "" || s.Selector != other.Selector):
		return "with externalTrafficPolicy Local both must have the same pod selector"
	}
	for _, port := range s.Ports {
		if _, both := slices.BinarySearch(other.Ports, port); both {
			return "both use " + port
		}
	}
	return ""
}

func (s *Sharing) equal(other *Sharing) bool {
	return s.Key == other.Key && s.Local == other.Local && s.Selector == other.Selector && slices.Equal(s.Ports, other.Ports)
}

// holding is who has one address.
type holding struct {
	// users, in the order in which they came. With those that leave.
	users []*record
	// group that the address is found by; nil where no other could join.
	group *shareGroup
}

// shareGroup are the addresses of a space that are used alike: a Service that can
// join one of them can join all. It is what keeps the search independent of how
// many addresses are taken under one key.
type shareGroup struct {
	// sharing of all users of one of the addresses together.
	sharing   Sharing
	signature string
	addresses *btree.BTreeG[netip.Addr]
}

// shareIndex finds the groups of a space by key and by signature.
type shareIndex map[string]map[string]*shareGroup

// together is what the users of an address come to; false where they don't
// agree, as while one of them leaves: nobody can join them then.
func (h *holding) together() (Sharing, bool) {
	sum := h.users[0].demand.Sharing
	if sum.Key == "" || sum.Local && sum.Selector == "" {
		return sum, false
	}
	sum.Ports = slices.Clone(sum.Ports)
	for _, user := range h.users[1:] {
		if sum.with(&user.demand.Sharing) != "" {
			return sum, false
		}
		sum.Ports = append(sum.Ports, user.demand.Sharing.Ports...)
		slices.Sort(sum.Ports)
	}
	return sum, true
}

func (s *Sharing) signature() string {
	return strconv.FormatBool(s.Local) + " " + strconv.Quote(s.Selector) + " " + strings.Join(s.Ports, ",")
}

// index puts an address where those who could join find it.
func (s *space) index(addr netip.Addr, h *holding) {
	s.unindex(addr, h)
	sum, ok := h.together()
	if !ok {
		return
	}
	groups := s.shared[sum.Key]
	if groups == nil {
		groups = map[string]*shareGroup{}
		s.shared[sum.Key] = groups
	}
	signature := sum.signature()
	group := groups[signature]
	if group == nil {
		group = &shareGroup{sharing: sum, signature: signature, addresses: btree.NewG(treeDegree, netip.Addr.Less)}
		groups[signature] = group
	}
	group.addresses.ReplaceOrInsert(addr)
	h.group = group
}

func (s *space) unindex(addr netip.Addr, h *holding) {
	group := h.group
	if group == nil {
		return
	}
	h.group = nil
	group.addresses.Delete(addr)
	if group.addresses.Len() > 0 {
		return
	}
	delete(s.shared[group.sharing.Key], group.signature)
	if len(s.shared[group.sharing.Key]) == 0 {
		delete(s.shared, group.sharing.Key)
	}
}

// joinable is the lowest address whose users a Service can join.
func (s *space) joinable(sharing *Sharing) (lowest netip.Addr, found bool) {
	if sharing.Key == "" {
		return lowest, false
	}
	for _, group := range s.shared[sharing.Key] {
		addr, any := group.addresses.Min()
		if any && (!found || addr.Less(lowest)) && sharing.with(&group.sharing) == "" {
			lowest, found = addr, true
		}
	}
	return lowest, found
}

// obstacle says who keeps a Service from having an address, and why; nil where
// it is free or all its users would share it.
func (a *Allocator) obstacle(r *record, addr netip.Addr) (user *record, why string) {
	h := a.holdings[addr]
	if h == nil {
		return nil, ""
	}
	for _, user := range h.users {
		if user == r {
			continue
		}
		if why := r.demand.Sharing.with(&user.demand.Sharing); why != "" {
			return user, why
		}
	}
	return nil, ""
}

// join makes a Service, which has the right to it, a user of an address; false
// where no pool has the address.
func (a *Allocator) join(r *record, addr netip.Addr) bool {
	s := a.spaceOf(addr)
	if s == nil {
		return false
	}
	h := a.holdings[addr]
	switch {
	case h == nil && !s.take(addr):
		return false
	case h == nil:
		h = &holding{}
		a.holdings[addr] = h
	case slices.Contains(h.users, r):
		return true
	}
	h.users = append(h.users, r)
	s.index(addr, h)
	a.noteUse(s, addr, h)
	return true
}

// unuse takes a Service from the users of an address; the last one frees it.
func (a *Allocator) unuse(r *record, addr netip.Addr) {
	h, s := a.holdings[addr], a.spaceOf(addr)
	if h == nil || s == nil {
		return
	}
	s.unindex(addr, h)
	h.users = slices.DeleteFunc(h.users, func(user *record) bool { return user == r })
	if len(h.users) == 0 {
		delete(a.holdings, addr)
		s.release(addr)
	} else {
		s.index(addr, h)
	}
	a.noteUse(s, addr, h)
}

// noteUse notes that others could now have the address, or another one of its
// key.
func (a *Allocator) noteUse(s *space, addr netip.Addr, h *holding) {
	a.touched[s.pool.Name] = struct{}{}
	if len(h.users) == 0 || h.group != nil {
		a.events = append(a.events, addr)
	}
}

// setSharing changes what a Service shares, and takes from it the addresses that
// it has no right to any more.
func (a *Allocator) setSharing(r *record, sharing Sharing) {
	if r.demand.Sharing.equal(&sharing) {
		return
	}
	r.demand.Sharing = sharing
	for at, addr := range r.held {
		if !addr.IsValid() {
			continue
		}
		if user, _ := a.obstacle(r, addr); user != nil {
			a.leave(r, at)
		}
	}
	for _, addr := range r.uses() {
		if h, s := a.holdings[addr], a.spaceOf(addr); h != nil && s != nil {
			s.index(addr, h)
			a.noteUse(s, addr, h)
		}
	}
}
