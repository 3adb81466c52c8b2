package migrate

import (
	"encoding/json"
	"fmt"
)

// steps are the commands of the cut-over. A router has one session with an address:
// of two speakers on one node it takes now the one and now the other. So each node
// has either theirs or Herald's, by a label, and the nodes change over one by one
// while the routers have the routes of the others.
func (p *planner) steps() {
	if p.options.AtOnce || len(p.peers) == 0 {
		return
	}
	say := func(format string, arguments ...any) {
		p.plan.Steps = append(p.plan.Steps, fmt.Sprintf(format, arguments...))
	}
	say("1. Keep the other load balancer from giving out addresses; its speakers go on announcing.")
	say("   kubectl -n metallb-system scale deployment controller --replicas=0")
	say("2. Make the other load balancer's peers and speakers leave nodes with the label %s. No session changes yet.", CutOverLabel)
	for _, peer := range p.peers {
		say("   %s", patch(peer))
	}
	say("   Each of its DaemonSets that run speakers or FRR (kubectl get daemonsets -A | grep -E 'speaker|frr-k8s'), with what manages them (operator, Helm, GitOps) held:")
	say("   kubectl -n NAMESPACE patch daemonset NAME --type=merge -p %s", shellQuoted(speakersLeave))
	say("   OnDelete keeps the speakers on all other nodes as they are.")
	say("3. Install Herald, and apply this file. Its BGPPeers are for nodes with the label only, so nothing is announced yet; and Herald's FRR waits where another one runs.")
	say("   kubectl apply -f FILE; then the commands under \"Services\"")
	say("   kubectl get services -A: no EXTERNAL-IP may have changed")
	say("4. Node by node: the router loses the node's routes and gets them back from Herald, within seconds.")
	say("   Connections through the node go to other nodes meanwhile. A Service with externalTrafficPolicy: Local whose pods are all on the node is not reachable meanwhile: move a pod first.")
	say("   kubectl label node NODE %s=herald", CutOverLabel)
	say("   kubectl wait --for=condition=Programmed bgpnode/NODE; kubectl get bgpsessions: Established; look at the routers")
	say("   Back: kubectl label node NODE %s-", CutOverLabel)
	say("5. When all nodes have the label: kubectl herald migrate --at-once makes the BGPPeers without it. Applying them resets no session.")
	say("6. Remove the other load balancer. Remove its finalizers and annotations from Services where it leaves any.")
}

// speakersLeave keeps their speakers off the nodes with the label: two FRRs on one
// node would take each other's routes for stale ones, so that Herald's refuses to
// start beside another. Without OnDelete the new template would restart them all.
const speakersLeave = `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null},"template":{"spec":{"affinity":{"nodeAffinity":` +
	`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"` + CutOverLabel + `","operator":"DoesNotExist"}]}]}}}}}}}`

// patch keeps a peer of theirs off the nodes with the label.
func patch(peer theirPeer) string {
	requirement := map[string]any{"key": CutOverLabel, "operator": "DoesNotExist"}
	selectors := cutOver(peer.selectors, requirement)
	spec := map[string]any{"nodeSelectors": selectors}
	resource := "bgppeers.metallb.io"
	if peer.ref.Kind == "FRRConfiguration" {
		spec = map[string]any{"nodeSelector": selectors[0]}
		resource = "frrconfigurations.frrk8s.metallb.io"
	}
	text, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return fmt.Sprintf("# %s: %v", peer.ref.Name, err) // maps of JSON always marshal
	}
	return fmt.Sprintf("kubectl -n %s patch %s %s --type=merge -p %s", peer.ref.Namespace, resource, peer.ref.Name, shellQuoted(string(text)))
}
