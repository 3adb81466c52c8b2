package migrate

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/reloader/snippet"
)

// frrConfiguration: FRRConfiguration of frrk8s.metallb.io/v1beta1.
func (p *planner) frrConfiguration(object map[string]any, spec *fields) {
	selector := spec.part("nodeSelector")
	labels, _ := selector.take("matchLabels").(map[string]any)
	selector.take("matchExpressions")
	bgp, raw := spec.part("bgp"), spec.part("raw")
	if p.ref.Name == fmt.Sprintf("metallb-%v", labels[corev1.LabelHostname]) {
		p.remark("left out: MetalLB makes it from its own objects")
		for _, part := range []*fields{bgp, raw} {
			part.values = nil
		}
		return
	}
	var selectors []any
	if len(selector.values) > 0 {
		selectors = withoutCutOver([]any{selector.values})
	}
	for _, profile := range bgp.each("bfdProfiles") {
		name := profile.text("name")
		p.renamed[compile.ObjectRef{Kind: "BFDProfile", Namespace: p.ref.Namespace, Name: name}] = p.add("BFDProfile", name, nil, profileSpec(profile))
	}
	p.peers = append(p.peers, theirPeer{ref: p.ref, selectors: selectors})
	neighbors := map[snippet.Neighbor]bool{}
	for _, router := range bgp.each("routers") {
		for _, neighbor := range p.router(object, router, selectors) {
			neighbors[snippet.Neighbor{VRF: router.text("vrf"), Name: endOf(neighbor)}] = true
		}
	}
	p.raw(object, raw, neighbors, selectors)
}

// router gives the neighbors that became peers.
func (p *planner) router(object map[string]any, router *fields, selectors []any) []*fields {
	if prefixes := router.list("prefixes"); len(prefixes) > 0 {
		p.remark("%s.prefixes are left out: Herald announces addresses of Services, not prefixes of the nodes", router.path)
	}
	if len(router.list("imports")) > 0 {
		p.remark("%s.imports is left out: Herald does not leak routes between VRFs", router.path)
	}
	asn, id, vrf := router.number("asn"), router.text("id"), router.text("vrf")
	neighbors := router.each("neighbors")
	for _, neighbor := range neighbors {
		out := map[string]any{"myASN": asn}
		if id != "" {
			out["routerID"] = id
		}
		if vrf != "" {
			out["vrf"] = vrf
		}
		p.neighbor(object, neighbor, out, selectors)
	}
	return neighbors
}

// theirNames of a neighbor's fields are other ones than a peer's.
var theirNames = map[string]string{"dynamicASN": "dynamicASN", "address": "peerAddress", "interface": "interface", "sourceaddress": "sourceAddress"}

func (p *planner) neighbor(object map[string]any, neighbor *fields, out map[string]any, selectors []any) {
	if asn := neighbor.number("asn"); asn != 0 {
		out["peerASN"] = asn
	}
	for theirs, ours := range theirNames {
		if text := neighbor.text(theirs); text != "" {
			out[ours] = text
		}
	}
	if port := neighbor.number("port"); port != 0 && port != 179 {
		out["peerPort"] = port
	}
	p.session(neighbor, out)
	p.receive(neighbor, out)
	p.advertise(neighbor)
	name := neighborName(p.ref, neighbor)
	p.addPeer(name, object, neighbor, out, selectors)
}

func neighborName(ref compile.ObjectRef, neighbor *fields) string {
	end := endOf(neighbor)
	return ref.Name + "-" + strings.Trim(strings.NewReplacer(":", "-", ".", "-", "_", "-", "%", "-").Replace(strings.ToLower(end)), "-")
}

// endOf is the address or interface of a neighbor.
func endOf(neighbor *fields) string {
	return cmp.Or(neighbor.text("address"), neighbor.text("interface"))
}

// receive: what the node takes from the router. Nothing is Herald's default, and
// was theirs.
func (p *planner) receive(neighbor *fields, out map[string]any) {
	allowed := neighbor.part("toReceive").part("allowed")
	mode := allowed.text("mode")
	var prefixes []any
	for _, prefix := range allowed.each("prefixes") {
		next := map[string]any{"cidr": prefix.text("prefix")}
		copyNumbers(prefix, next, "ge", "le")
		prefixes = append(prefixes, next)
	}
	switch {
	case mode == "all":
		out["receive"] = map[string]any{"mode": "All"}
	case len(prefixes) > 0:
		out["receive"] = map[string]any{"mode": "Filtered", "prefixes": prefixes}
	}
}

func (p *planner) advertise(neighbor *fields) {
	if !neighbor.has("toAdvertise") {
		return
	}
	advertise := neighbor.part("toAdvertise")
	allowed := advertise.part("allowed")
	allowed.take("mode")
	if len(allowed.list("prefixes"))+len(advertise.list("withLocalPref"))+len(advertise.list("withCommunity")) > 0 {
		p.remark("%s is left out: it chooses among the prefixes of the router; what Services' routes carry, and to whom they go, say BGPAdvertisements", advertise.path)
	}
}
