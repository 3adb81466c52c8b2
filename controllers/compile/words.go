package compile

// words of a reason, with the remedy: where one node doesn't announce a Service, and
// where none does.
type words struct{ here, anywhere string }

var wordsOf = map[Why]words{
	WhyNoPool: {
		here:     "its address is in no IPAddressPool: add it to one, or let the Service have another",
		anywhere: "its address is in no IPAddressPool: add it to one",
	},
	WhyNoAdvertisement: {
		here:     "no BGPAdvertisement selects it on this node: widen the selectors of one (ipAddressPools, ipAddressPoolSelectors, serviceSelectors, namespaceSelectors, nodeSelectors), or make one",
		anywhere: "no accepted BGPAdvertisement selects it on any node: make one, or widen the selectors of one (ipAddressPools, serviceSelectors, namespaceSelectors, nodeSelectors)",
	},
	WhyNoPeer: {
		here:     "its advertisements reach no BGPPeer of its address's family on this node: look at their peers and peerSelectors, and at the nodeSelectors and addressFamilies of the BGPPeers",
		anywhere: "its advertisements reach no accepted BGPPeer of its address's family on any node: correct their peers and peerSelectors, or the nodeSelectors of BGPPeers, or add one",
	},
	WhyNodeExcluded: {
		here:     "the node has the label node.kubernetes.io/exclude-from-external-load-balancers: remove it to announce from here",
		anywhere: "every node that could announce it has the label node.kubernetes.io/exclude-from-external-load-balancers: remove it from one",
	},
	WhyNoNetwork: {
		here:     "the node's condition NetworkUnavailable is True: look at its CNI plugin",
		anywhere: "every node that could announce it has the condition NetworkUnavailable: look at the CNI plugin",
	},
	WhyNoEndpoint: {
		here:     "no endpoint of its address's family is ready anywhere: look at its pods, its selector and their readiness",
		anywhere: "no usable endpoint of its address's family on any node that could announce it: look at its pods, its selector and their readiness",
	},
	WhyNoLocalEndpoint: {
		here:     "externalTrafficPolicy is Local and no endpoint on this node is ready: that is as it should be where no pod runs here",
		anywhere: "externalTrafficPolicy is Local, and none of its usable endpoints is on a node that is given",
	},
	WhyNodeDrains: {
		here:     "the node drains, and other nodes announce it: to announce from here again, end the drain (kubectl herald undrain NODE)",
		anywhere: "every node that could announce it drains: end the drain of one (kubectl herald undrain NODE)",
	},
	WhyGateClosed: {
		here:     "the node's dataplane does not serve the Service yet, since its boot or the Service's creation: look at kube-proxy on the node, which says that it does at :10256/healthz, for externalTrafficPolicy Local at spec.healthCheckNodePort",
		anywhere: "no node's dataplane serves the Service yet: look at kube-proxy on the nodes",
	},
	WhyRelayPending: {
		here:     "a FlowPolicy selects it, and the node's relay doesn't have its rules yet, since the node's boot: it is announced as soon as it has, and without it within seconds; the condition RelayReady of the BGPNode says what the relay lacks",
		anywhere: "a FlowPolicy selects it, and no node's relay has its rules yet: it is announced within seconds all the same; the condition RelayReady of the BGPNodes says what the relays lack",
	},
}

// OnNode says why one node doesn't announce a Service, and what to do.
func (w Why) OnNode() string { return wordsOf[w].here }

// OnAll says why no node announces a Service, and what to do.
func (w Why) OnAll() string { return wordsOf[w].anywhere }
