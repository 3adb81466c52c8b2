package migrate

import (
	"fmt"
	"net/netip"
	"strings"
)

// pool: IPAddressPool of metallb.io/v1beta1.
func (p *planner) pool(object map[string]any, spec *fields) {
	p.add("IPAddressPool", p.ref.Name, object, p.poolSpec(spec))
}

func (p *planner) poolSpec(spec *fields) map[string]any {
	out := map[string]any{"addresses": p.addresses(spec)}
	if assign, set := spec.take("autoAssign").(bool); set && !assign {
		out["autoAssign"] = false
	}
	if spec.flag("avoidBuggyIPs") {
		out["avoidBuggyIPs"] = true
	}
	if !spec.has("serviceAllocation") {
		return out
	}
	from, to := spec.part("serviceAllocation"), map[string]any{}
	if priority := from.number("priority"); priority > 0 {
		to["priority"] = priority
	}
	for _, name := range []string{"namespaces", "namespaceSelectors", "serviceSelectors"} {
		if list := from.list(name); len(list) > 0 {
			to[name] = list
		}
	}
	if len(to) > 0 {
		out["serviceAllocation"] = to
	}
	return out
}

// addresses are the blocks as Herald writes them: a CIDR without bits behind its
// length, for which MetalLB takes the whole network too.
func (p *planner) addresses(spec *fields) []any {
	var blocks []any
	for _, value := range spec.list("addresses") {
		text := strings.TrimSpace(fmt.Sprint(value))
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix != prefix.Masked() {
			p.remark("spec.addresses: %s is written %s, the network that it means", text, prefix.Masked())
			text = prefix.Masked().String()
		}
		blocks = append(blocks, text)
	}
	return blocks
}

// addressPool: AddressPool of metallb.io/v1beta1 and v1alpha1, a pool with its
// advertisements.
func (p *planner) addressPool(object map[string]any, spec *fields) {
	out := p.poolSpec(spec)
	pool := p.add("IPAddressPool", p.ref.Name, object, out)
	protocol := spec.text("protocol")
	advertisements := spec.each("bgpAdvertisements")
	if protocol != "bgp" {
		p.remark("spec.protocol %s: Herald announces by BGP only; the pool has no BGPAdvertisement of its own, and those that name no pool announce it too", protocol)
		return
	}
	if len(advertisements) == 0 {
		p.add("BGPAdvertisement", pool, nil, map[string]any{"ipAddressPools": []any{pool}})
	}
	for i, advertisement := range advertisements {
		out := p.attributes(advertisement)
		out["ipAddressPools"] = []any{pool}
		name := pool
		if i > 0 {
			name = fmt.Sprintf("%s-%d", pool, i+1)
		}
		p.add("BGPAdvertisement", name, nil, out)
	}
}
