package migrate

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/snapshot"
)

// theirPeer is a peer of theirs that must leave a node before Herald's comes.
type theirPeer struct {
	ref compile.ObjectRef
	// selectors of nodes, as they are.
	selectors []any
}

// peer: BGPPeer of metallb.io/v1beta1 and v1beta2.
func (p *planner) peer(object map[string]any, spec *fields) {
	out := map[string]any{}
	copyNumbers(spec, out, "myASN", "peerASN")
	copyTexts(spec, out, "dynamicASN", "peerAddress", "interface", "sourceAddress", "routerID", "vrf")
	if port := spec.number("peerPort"); port != 0 && port != 179 {
		out["peerPort"] = port
	}
	p.session(spec, out)
	selectors := withoutCutOver(spec.list("nodeSelectors"))
	p.peers = append(p.peers, theirPeer{ref: p.ref, selectors: selectors})
	p.addPeer(p.ref.Name, object, spec, out, selectors)
}

func copyNumbers(from *fields, to map[string]any, names ...string) {
	for _, name := range names {
		if value := from.number(name); value != 0 {
			to[name] = value
		}
	}
}

func copyTexts(from *fields, to map[string]any, names ...string) {
	for _, name := range names {
		if value := from.text(name); value != "" {
			to[name] = value
		}
	}
}

// session is what a peer of MetalLB and a neighbor of frr-k8s have under the same
// names.
func (p *planner) session(from *fields, out map[string]any) {
	for _, name := range []string{"holdTime", "keepaliveTime", "connectTime"} {
		if text := from.text(name); text != "" {
			out[name] = p.seconds(from.path+"."+name, text)
		}
	}
	if profile := from.text("bfdProfile"); profile != "" {
		out["bfdProfile"] = p.nameOf("BFDProfile", profile)
	}
	if from.flag("enableGracefulRestart") {
		out["enableGracefulRestart"] = true
	}
	if from.flag("ebgpMultiHop") {
		if out["myASN"] == out["peerASN"] || out["dynamicASN"] == "internal" {
			p.remark("%s.ebgpMultiHop is left out: it has no effect over iBGP", from.path)
		} else {
			out["ebgpMultiHop"] = true
		}
	}
	p.families(from, out)
}

func (p *planner) families(from *fields, out map[string]any) {
	both, disabled := from.flag("dualStackAddressFamily"), from.flag("disableMP")
	switch {
	case both:
		out["addressFamilies"] = []any{"IPv4", "IPv6"}
	case disabled:
		p.remark("%s.disableMP is left out: a session of Herald carries the family of its address, unless addressFamilies says otherwise", from.path)
	case from.has("disableMP") && !from.has("dualStackAddressFamily"):
		p.remark("%s.disableMP is false, which made MetalLB's versions without dualStackAddressFamily send the routes of both families: set addressFamilies: [IPv4, IPv6] where the router relies on it", from.path)
	}
}

// seconds writes a time as whole seconds: BGP counts in seconds.
func (p *planner) seconds(path, text string) string {
	duration, err := time.ParseDuration(text)
	if err != nil {
		return text // what it is worth says lint
	}
	whole := (duration + time.Second - 1).Truncate(time.Second)
	if whole != duration {
		p.remark("%s %s is rounded up to whole seconds", path, text)
	}
	return fmt.Sprintf("%ds", int64(whole/time.Second))
}

// addPeer writes a peer, with its password and its nodes.
func (p *planner) addPeer(name string, object map[string]any, from *fields, out map[string]any, selectors []any) {
	if !p.options.AtOnce {
		selectors = cutOver(selectors, map[string]any{"key": CutOverLabel, "operator": "Exists"})
	}
	if len(selectors) > 0 {
		out["nodeSelectors"] = selectors
	}
	secret := p.password(name, from)
	if secret != "" {
		out["passwordSecret"] = map[string]any{"name": secret}
	}
	p.add("BGPPeer", name, object, out)
}

// withoutCutOver takes out what a step of the cut-over has put in.
func withoutCutOver(selectors []any) []any {
	var left []any
	for _, selector := range selectors {
		values, _ := selector.(map[string]any)
		next := maps.Clone(values)
		expressions, _ := next["matchExpressions"].([]any)
		kept := slices.DeleteFunc(slices.Clone(expressions), func(e any) bool {
			expression, _ := e.(map[string]any)
			return expression["key"] == CutOverLabel
		})
		if delete(next, "matchExpressions"); len(kept) > 0 {
			next["matchExpressions"] = kept
		}
		if len(next) > 0 || len(kept) == len(expressions) {
			left = append(left, next)
		}
	}
	return left
}

// cutOver adds a requirement to every selector; no selector is one that selects all.
func cutOver(selectors []any, requirement map[string]any) []any {
	if len(selectors) == 0 {
		selectors = []any{map[string]any{}}
	}
	var limited []any
	for _, selector := range selectors {
		next := map[string]any{}
		values, _ := selector.(map[string]any)
		maps.Copy(next, values)
		expressions, _ := next["matchExpressions"].([]any)
		next["matchExpressions"] = append(slices.Clone(expressions), requirement)
		limited = append(limited, next)
	}
	return limited
}

// password is the name of the Secret with the peer's password, "" for none. The
// Secret is written where the password is known.
func (p *planner) password(peer string, from *fields) string {
	inline := from.text("password")
	reference := from.part("passwordSecret")
	name, namespace := reference.text("name"), reference.text("namespace")
	if namespace == "" {
		namespace = p.ref.Namespace
	}
	switch {
	case inline != "":
		p.remark("%s.password is moved into the Secret %s/%s: keep this output as safe as the password", from.path, p.options.SecretsNamespace, peer)
		return p.addSecret(peer, map[string]any{"stringData": map[string]any{snapshot.PasswordKey: inline}})
	case name == "":
		return ""
	}
	known := p.secrets[compile.ObjectRef{Kind: "Secret", Namespace: namespace, Name: name}]
	if known == nil {
		p.remark("%s.passwordSecret: Secret %s/%s isn't given: copy it: kubectl -n %s create secret generic %s --type=kubernetes.io/basic-auth --from-literal=password=\"$(kubectl -n %s get secret %s -o jsonpath='{.data.password}' | base64 -d)\"",
			from.path, namespace, name, p.options.SecretsNamespace, name, namespace, name)
		return name
	}
	content := map[string]any{}
	for _, key := range []string{"data", "stringData"} {
		if known[key] != nil {
			content[key] = known[key]
		}
	}
	return p.addSecret(name, content)
}

// addSecret writes a Secret once, however many peers name it.
func (p *planner) addSecret(name string, content map[string]any) string {
	key := "Secret/" + name
	if _, there := p.names[key]; there {
		return name
	}
	p.names[key] = p.ref
	object := map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeBasicAuth),
		"metadata": map[string]any{"name": name, "namespace": p.options.SecretsNamespace},
	}
	maps.Copy(object, content)
	p.put(object)
	return name
}
