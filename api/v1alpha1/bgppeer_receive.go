package v1alpha1

// ReceiveMode is which routes of a router are taken.
// +kubebuilder:validation:Enum=None;Filtered;All
type ReceiveMode string

// Which routes are taken.
const (
	ReceiveNone     ReceiveMode = "None"
	ReceiveFiltered ReceiveMode = "Filtered"
	ReceiveAll      ReceiveMode = "All"
)

// ReceivePolicy is which of a router's routes the nodes take. Never taken, nor
// anything more specific: the addresses of nodes, the CIDRs of pods and Services,
// the addresses of all IPAddressPools, and loopback and link-local addresses; nor a
// default route that prefixes doesn't list by itself.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Filtered' || has(self.prefixes)",message="mode Filtered needs prefixes: list what may be received"
// +kubebuilder:validation:XValidation:rule="self.mode != 'None' || !has(self.prefixes)",message="prefixes needs mode Filtered or All: with None nothing is received"
// +kubebuilder:validation:XValidation:rule="self.mode != 'All' || !has(self.prefixes) || self.prefixes.all(p, p.cidr in ['0.0.0.0/0', '::/0'] && !has(p.ge) && !has(p.le))",message="with mode All prefixes lists default routes only, 0.0.0.0/0 and ::/0 without ge and le: everything else is received anyway"
type ReceivePolicy struct {
	// mode is None: nothing; Filtered: what prefixes lists; All: everything. Never
	// what is protected. Default: None.
	// +optional
	// +kubebuilder:default=None
	Mode ReceiveMode `json:"mode,omitempty"`

	// prefixes that may be received with mode Filtered. A default route is received
	// only where it is listed by itself, without ge and le; with mode All that is all
	// that may be listed. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Prefixes []ReceivePrefix `json:"prefixes,omitempty"`
}

// ReceivePrefix is a prefix, or those within it whose length lies in a range.
//
// +kubebuilder:validation:XValidation:rule="!isCIDR(self.cidr) || (!has(self.ge) || self.ge >= cidr(self.cidr).prefixLength()) && (!has(self.le) || self.le >= cidr(self.cidr).prefixLength()) && (!has(self.ge) || !has(self.le) || self.ge <= self.le)",message="ge and le must not be shorter than cidr, nor le than ge: write for example {cidr: 10.0.0.0/8, ge: 16, le: 24}"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self.cidr) || cidr(self.cidr).ip().family() == 6 || (!has(self.ge) || self.ge <= 32) && (!has(self.le) || self.le <= 32)",message="ge and le must not be longer than 32 for IPv4"
type ReceivePrefix struct {
	// cidr is the prefix, in canonical form. Without ge and le exactly this one.
	// +required
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self) == cidr(self).masked() && string(cidr(self)) == self",message="must be a CIDR in canonical form, for example 10.0.0.0/8 or 2001:db8::/32"
	CIDR string `json:"cidr"`

	// ge is the least length of prefixes within cidr. Default: cidr's own. 1 to 32,
	// for IPv6 1 to 128.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	GE *int32 `json:"ge,omitempty"`

	// le is the greatest length of prefixes within cidr. Default: cidr's own; with
	// ge any. 1 to 32, for IPv6 1 to 128.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	LE *int32 `json:"le,omitempty"`
}
