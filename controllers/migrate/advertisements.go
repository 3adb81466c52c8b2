package migrate

import "fmt"

// advertisement: BGPAdvertisement of metallb.io/v1beta1.
func (p *planner) advertisement(object map[string]any, spec *fields) {
	out := p.attributes(spec)
	for _, name := range []string{"ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"} {
		if list := spec.list(name); len(list) > 0 {
			out[name] = list
		}
	}
	if list := spec.list("ipAddressPools"); len(list) > 0 {
		out["ipAddressPools"] = p.currentNames("IPAddressPool", list)
	}
	if list := spec.list("peers"); len(list) > 0 {
		out["peers"] = p.currentNames("BGPPeer", list)
	}
	p.add("BGPAdvertisement", p.ref.Name, object, out)
}

// attributes are what an advertisement and a part of an old AddressPool have both.
func (p *planner) attributes(from *fields) map[string]any {
	out := map[string]any{}
	for name, usual := range map[string]int64{"aggregationLength": 32, "aggregationLengthV6": 128} {
		if length := from.number(name); length != 0 && length != usual {
			out[name] = length
		}
	}
	// 0 is unset there; here it would be a value.
	if preference := from.number("localPref"); preference != 0 {
		out["localPref"] = preference
	}
	if list := from.list("communities"); len(list) > 0 {
		out["communities"] = list
	}
	return out
}

// currentNames are what objects of theirs are called now.
func (p *planner) currentNames(kind string, list []any) []any {
	var now []any
	for _, name := range list {
		now = append(now, p.nameOf(kind, fmt.Sprint(name)))
	}
	return now
}

// profile: BFDProfile of metallb.io/v1beta1, and the profiles of frr-k8s.
func (p *planner) profile(object map[string]any, spec *fields) {
	p.add("BFDProfile", p.ref.Name, object, profileSpec(spec))
}

func profileSpec(spec *fields) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"receiveInterval", "transmitInterval", "detectMultiplier", "echoInterval", "minimumTtl"} {
		if value := spec.number(name); value != 0 {
			out[name] = value
		}
	}
	for _, name := range []string{"echoMode", "passiveMode"} {
		if spec.flag(name) {
			out[name] = true
		}
	}
	return out
}

// community: Community of metallb.io/v1beta1.
func (p *planner) community(object map[string]any, spec *fields) {
	var aliases []any
	for _, alias := range spec.each("communities") {
		aliases = append(aliases, map[string]any{"name": alias.text("name"), "value": alias.text("value")})
	}
	if len(aliases) == 0 {
		p.remark("left out: it has no alias")
		return
	}
	p.add("Community", p.ref.Name, object, map[string]any{"communities": aliases})
}
