package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/precedence"
	"github.com/herald-lb/herald/relay/exchange"
)

// FlowPolicy is one that is accepted: the same on every node.
type FlowPolicy struct {
	// Name of the FlowPolicy, Learn its mode.
	Name  string
	Learn bool
	// protocols, in the order of flowProtocols.
	protocols [len(flowProtocols)]bool
	// pools by name; nil is all.
	pools map[string]bool
	// services and namespaces select Services, names says namespaces by name. Nil is
	// no restriction; either of the latter two will do.
	services, namespaces anyOf
	names                map[string]bool
}

type flowProtocol struct {
	name     v1alpha1.FlowProtocol
	wire     string
	ofPortOf corev1.Protocol
}

// flowProtocols are those whose connections can be preserved, and the Services'
// ports that they are of.
var flowProtocols = [...]flowProtocol{
	{v1alpha1.FlowProtocolTCP, exchange.TCP, corev1.ProtocolTCP},
	{v1alpha1.FlowProtocolQUIC, exchange.QUIC, corev1.ProtocolUDP},
}

// selects says whether an address of a Service, of a pool, is the policy's. Of a
// namespace that isn't known nothing but its name can be said.
func (p *FlowPolicy) selects(s Subject, pool string) bool {
	if p.pools != nil && !p.pools[pool] {
		return false
	}
	if p.names != nil || p.namespaces != nil {
		byLabel := p.namespaces != nil && s.Namespace != nil && p.namespaces.matches(s.Namespace.Labels)
		if !byLabel && !p.names[s.Service.Key.Namespace] {
			return false
		}
	}
	return p.services.matches(s.Service.Labels)
}

// agrees says whether it is all the same which of two holds.
func (p *FlowPolicy) agrees(other *FlowPolicy) bool {
	return p.Learn == other.Learn && (!p.Learn || p.protocols == other.protocols)
}

// acceptFlows takes in the FlowPolicies, the oldest first.
func (b *builder) acceptFlows(all []*v1alpha1.FlowPolicy) {
	for _, object := range precedence.Sorted(all) {
		ref := ObjectRef{Kind: kindFlowPolicy, Name: object.Name}
		spec := &object.Spec
		if missing := unknown(spec.IPAddressPools, func(name string) bool { return b.policy.Pools.Get(name) != nil }); missing != "" {
			b.refuse(ref, v1alpha1.ReasonPoolNotFound, fmt.Sprintf(
				"spec.ipAddressPools: no IPAddressPool is named %s: correct the name or create it; the rest of the policy holds", missing))
		}
		accepted := &FlowPolicy{
			Name:       object.Name,
			pools:      b.selectPools(ref, spec.IPAddressPools, spec.IPAddressPoolSelectors),
			services:   b.selectors(ref, "serviceSelectors", "Service", spec.ServiceSelectors),
			namespaces: b.selectors(ref, "namespaceSelectors", "namespace", spec.NamespaceSelectors),
		}
		for _, name := range spec.Namespaces {
			if accepted.names == nil {
				accepted.names = map[string]bool{}
			}
			accepted.names[string(name)] = true
		}
		if problem := accepted.read(spec); problem != "" {
			b.refuse(ref, v1alpha1.ReasonInvalidFlowPolicy, problem)
			continue
		}
		b.policy.Flows = append(b.policy.Flows, accepted)
	}
}

const kindFlowPolicy = "FlowPolicy"

// read takes in mode and protocols; a problem says what can't be read.
func (p *FlowPolicy) read(spec *v1alpha1.FlowPolicySpec) (problem string) {
	switch cmp.Or(spec.Mode, v1alpha1.FlowModeLearn) {
	case v1alpha1.FlowModeLearn:
		p.Learn = true
	case v1alpha1.FlowModeOff:
	default:
		return fmt.Sprintf("spec.mode %q is none: use Learn or Off; until then the policy selects nothing", spec.Mode)
	}
	if len(spec.Protocols) == 0 {
		p.protocols[0] = true
	}
	for i, name := range spec.Protocols {
		at := slices.IndexFunc(flowProtocols[:], func(known flowProtocol) bool { return known.name == name })
		if at < 0 {
			return fmt.Sprintf("spec.protocols[%d] %q is none: use TCP or QUIC; until then the policy selects nothing", i, name)
		}
		p.protocols[at] = true
	}
	return ""
}

// flows are what the relays do about one Service, the same on every node.
type flows struct {
	// addresses of pools that the Service has.
	addresses []netip.Addr
	// learn are the frontends whose connections are preserved.
	learn []exchange.Frontend
	// selecting are the policies that select it, by their index, the oldest first.
	selecting []int
	// conflicts are those of them that an older one overrules.
	conflicts []conflict
}

// conflict is that of two policies, by their index: the older one wins.
type conflict struct{ winner, loser int }

func (f flows) equal(other flows) bool {
	return slices.Equal(f.addresses, other.addresses) && slices.Equal(f.learn, other.learn) &&
		slices.Equal(f.selecting, other.selecting) && slices.Equal(f.conflicts, other.conflicts)
}

// Relays says whether a FlowPolicy preserves connections of a Service.
func (p *Policy) Relays(s Subject) bool { return len(p.flowsOf(s).learn) > 0 }

// flowsOf decides about one Service.
func (p *Policy) flowsOf(s Subject) flows {
	var f flows
	for _, address := range s.Service.Addresses {
		pool := p.Pools.Find(address)
		if pool == nil || !isHost(address) {
			continue
		}
		f.addresses = appendOnce(f.addresses, address)
		winner := -1
		for i, policy := range p.Flows {
			if !policy.selects(s, pool.Name) {
				continue
			}
			f.selecting = appendOnce(f.selecting, i)
			if winner < 0 {
				winner = i
			} else if !policy.agrees(p.Flows[winner]) {
				f.conflicts = appendOnce(f.conflicts, conflict{winner, i})
			}
		}
		if winner >= 0 && p.Flows[winner].Learn {
			f.learn = append(f.learn, p.Flows[winner].frontends(s, address)...)
		}
	}
	return f
}

func (p *FlowPolicy) frontends(s Subject, address netip.Addr) []exchange.Frontend {
	var frontends []exchange.Frontend
	for _, port := range s.Service.Ports {
		for i, protocol := range flowProtocols {
			if p.protocols[i] && port.Protocol == protocol.ofPortOf {
				frontends = append(frontends, exchange.Frontend{Address: address, Protocol: protocol.wire, Port: port.Port})
			}
		}
	}
	return frontends
}

func appendOnce[T comparable](to []T, one T) []T {
	if slices.Contains(to, one) {
		return to
	}
	return append(to, one)
}

func compareFrontends(a, b exchange.Frontend) int {
	return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port))
}
