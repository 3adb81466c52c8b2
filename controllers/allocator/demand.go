package allocator

import (
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/controllers/pools"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Demand is what a Service asks for, and what it has.
type Demand struct {
	Service types.NamespacedName
	// Created orders the Services that wait for an address: oldest first.
	Created time.Time
	// HeldSince orders the claims of Services that have the same address in
	// their status: who holds it longer keeps it. Zero: not known to hold it.
	HeldSince time.Time
	// Families wanted, one address each, in the order in which they are written.
	Families []frrtemplates.Family
	// AnyFamily: an address of some of the families will do
	// (ipFamilyPolicy: PreferDualStack). Otherwise it is all or none.
	AnyFamily bool
	// Asker is what pools look at to say whether they serve the Service.
	Asker pools.Asker
	// Request is which address or pool the Service asks for.
	Request Request
	// Sharing is whom it would share an address with.
	Sharing Sharing
	// Version orders what is seen of one Service; 0: not known.
	Version uint64
	// Current are the addresses in the Service's status.
	Current []netip.Addr
	// OtherIngress: the status also has entries that are not addresses.
	OtherIngress bool
	// Known: the Service's status has Herald's condition.
	Known bool
	// Owned: that condition says that Current is Herald's.
	Owned bool
}

// Outcome is what a Decision comes to.
type Outcome uint8

// The outcomes.
const (
	// Untouched: nothing may be written, Herald has no say in this Service.
	Untouched Outcome = iota
	// Foreign: someone else wrote the address, and it is in no pool: only the
	// condition may be written.
	Foreign
	// Pending: the Service lacks what it asks for. It keeps what it had before,
	// if it had something.
	Pending
	// Allocated: the Service has what it asks for.
	Allocated
)

// Decision is what the allocator has decided for a Service.
type Decision struct {
	Outcome Outcome
	// Addresses that the Service holds, in the order of the demanded families.
	Addresses []netip.Addr
	// Reason is one of the reasons of the condition Allocated (api/v1alpha1).
	Reason string
	// Message: cause and remedy.
	Message string
}

// Conflict is an address that two Services had in their status.
type Conflict struct {
	Address netip.Addr
	// Holder keeps the address, Loser gets another one.
	Holder, Loser types.NamespacedName
}
