package v1alpha1

// Condition types. They are positive: True is good.
const (
	// ConditionAccepted says whether the object's own content can be used.
	ConditionAccepted = "Accepted"
	// ConditionEstablished (BGPPeer) says whether every selected node has the
	// session up.
	ConditionEstablished = "Established"
	// ConditionProgrammed (BGPNode) says whether FRR runs what the agent wants.
	ConditionProgrammed = "Programmed"
	// ConditionReady (BGPNode) says whether agent, reloader and FRR are alive.
	ConditionReady = "Ready"
	// ConditionDraining (BGPNode) says whether the node gives its routes up, or has.
	ConditionDraining = "Draining"
	// ConditionSafeToShutdown (BGPNode) says whether nothing is lost any more when a
	// draining node goes.
	ConditionSafeToShutdown = "SafeToShutdown"
	// ConditionRelayReady (BGPNode) says whether the node's relay does what it is to.
	ConditionRelayReady = "RelayReady"
	// ConditionAnnouncing (Herald) says whether nodes announce prefixes: then the
	// Herald object is not deleted by a slip.
	ConditionAnnouncing = "Announcing"
	// ConditionAllocated (Service) says whether the Service has its addresses.
	ConditionAllocated = GroupName + "/Allocated"
	// ConditionAnnounced (Service) says from which nodes it is announced.
	ConditionAnnounced = GroupName + "/Announced"
)

// Reasons of Accepted.
const (
	ReasonAccepted           = "Accepted"
	ReasonInvalidAddress     = "InvalidAddress"     // pool: malformed or reversed block
	ReasonOverlap            = "Overlap"            // pool: a block overlaps with another
	ReasonDisabled           = "Disabled"           // pool: accepted, and gives out nothing new
	ReasonInvalidSelector    = "InvalidSelector"    // a label selector that Kubernetes refuses
	ReasonInvalidPeer        = "InvalidPeer"        // peer: a value out of its range
	ReasonSecretNotFound     = "SecretNotFound"     // peer: the Secret does not exist
	ReasonSecretInvalid      = "SecretInvalid"      // peer: wrong type, no key, bad characters
	ReasonDuplicatePeer      = "DuplicatePeer"      // peer: an older one has the same address on this node
	ReasonASNConflict        = "ASNConflict"        // peer: an older one has another myASN on this node
	ReasonRouterIDConflict   = "RouterIDConflict"   // peer: an older one has another routerID on this node
	ReasonNodeValueMissing   = "NodeValueMissing"   // peer: a node has no value where a field ...From says
	ReasonNodeValueInvalid   = "NodeValueInvalid"   // peer: a node has a useless value there
	ReasonNoNodeAddress      = "NoNodeAddress"      // peer: a node has no address, or no interface, where a field ...From says
	ReasonNoDefaultGateway   = "NoDefaultGateway"   // peer: a node has no default gateway that can be used
	ReasonNoInterface        = "NoInterface"        // peer: a node has no interface of that name
	ReasonNoNextHop          = "NoNextHop"          // peer: routes of a family that it asks for have no next hop
	ReasonVRFNotFound        = "VRFNotFound"        // peer: a node has no device of its VRF
	ReasonBFDProfileNotFound = "BFDProfileNotFound" // peer: names a BFDProfile that does not exist or is refused
	ReasonInvalidBFDProfile  = "InvalidBFDProfile"  // BFD profile: a value out of its range
	ReasonInvalidCommunity   = "InvalidCommunity"   // advertisement
	ReasonUnknownCommunity   = "UnknownCommunity"   // advertisement: no Community has the alias
	ReasonDuplicateAlias     = "DuplicateAlias"     // community: an older one gives the name another value
	ReasonTooManyCommunities = "TooManyCommunities" // advertisement: more than FRR takes on one line
	ReasonPoolNotFound       = "PoolNotFound"       // advertisement: names a pool that does not exist
	ReasonPeerNotFound       = "PeerNotFound"       // advertisement: names a peer that does not exist
	ReasonPartiallyAccepted  = "PartiallyAccepted"  // refused on some nodes only
	ReasonOverruled          = "Overruled"          // advertisement, True: an older one sets another value of an attribute
	ReasonNoEffect           = "NoEffect"           // advertisement, True: a field does nothing here
	ReasonInvalidLocalPref   = "InvalidLocalPref"   // advertisement
	ReasonInvalidMED         = "InvalidMED"         // advertisement
	ReasonInvalidPrepend     = "InvalidPrepend"     // advertisement: asPathPrepend
	ReasonInvalidNextHop     = "InvalidNextHop"     // advertisement
	ReasonInvalidWeight      = "InvalidWeight"      // advertisement
	ReasonGateTimedOut       = "GateTimedOut"       // Service or Node: announced though its dataplane never answered
	ReasonGateRefused        = "GateRefused"        // Service: held back, kube-proxy doesn't listen at its health check port
	ReasonRelayPending       = "RelayPending"       // Node: Services are held back until its relay has its rules
	ReasonRelayTimedOut      = "RelayTimedOut"      // Node: Services are announced though its relay never said that it has

	// ReasonRefusedByFRR: peer, advertisement, BFD profile: a node's FRR refuses what
	// it becomes.
	ReasonRefusedByFRR = "RefusedByFRR"
	// ReasonInvalidAggregationLength: advertisement.
	ReasonInvalidAggregationLength = "InvalidAggregationLength"
	// ReasonAggregateExceedsPool: advertisement, an aggregate would hold other
	// addresses than those of the pool's block.
	ReasonAggregateExceedsPool = "AggregateExceedsPool"
	// ReasonAggregateNotForLocal: advertisement, True: host routes instead of
	// aggregates, for Services with externalTrafficPolicy: Local.
	ReasonAggregateNotForLocal = "AggregateNotForLocal"
)

// Reasons of Accepted of FRRSnippets.
const (
	// ReasonInvalidSnippet: a line that no node's FRR is asked about.
	ReasonInvalidSnippet = "InvalidSnippet"
	// ReasonTooManySnippets: a node takes no more.
	ReasonTooManySnippets = "TooManySnippets"
	// ReasonSnippetRefused: by FRR, or for what FRR makes of it.
	ReasonSnippetRefused = "SnippetRefused"
	// ReasonSnippetPending: not tried yet, or it couldn't be.
	ReasonSnippetPending = "SnippetPending"
)

// Reasons of Accepted of FlowPolicies.
const (
	// ReasonInvalidFlowPolicy: a mode or protocol that there is not.
	ReasonInvalidFlowPolicy = "InvalidFlowPolicy"
	// ReasonConflict, True: an older one selects the same Services and says otherwise.
	ReasonConflict = "Conflict"
	// ReasonNoServiceSelected, True: it selects nothing.
	ReasonNoServiceSelected = "NoServiceSelected"
	// ReasonTooManyNodes: more nodes than packets can be copied to.
	ReasonTooManyNodes = "TooManyNodes"
)

// Reasons of Ready of FlowPolicies, and of RelayReady. Those of problems on nodes are
// the relay's own: KernelFeatureMissing, ReversePathFilter, ForeignDataplane,
// TunnelPortInUse, TunnelMTUTooSmall, TooManyNodes, Failed.
const (
	// ReasonLearning: every node preserves the connections.
	ReasonLearning = "Learning"
	// ReasonFlowsOff: the policy's mode.
	ReasonFlowsOff = "Off"
	// ReasonRelayNotReporting: nobody vouches for a node's relay.
	ReasonRelayNotReporting = "RelayNotReporting"
	// ReasonNoHerald: there is no Herald object, without which relays take their rules away.
	ReasonNoHerald = "NoHerald"
)

// Reasons of Established.
const (
	ReasonAllEstablished  = "AllEstablished"
	ReasonSomeEstablished = "SomeEstablished"
	ReasonNoneEstablished = "NoneEstablished"
	ReasonNoNodeSelected  = "NoNodeSelected"
	ReasonNotAccepted     = "NotAccepted"
)

// Reasons of Programmed and Ready.
const (
	ReasonApplied           = "Applied"
	ReasonPending           = "Pending"
	ReasonApplyFailed       = "ApplyFailed"
	ReasonReloaderNotReady  = "ReloaderNotReporting"
	ReasonFRRNotRunning     = "FRRNotRunning"
	ReasonFRRUnsupported    = "FRRUnsupported"
	ReasonReporting         = "Reporting"
	ReasonAgentNotReporting = "AgentNotReporting"
)

// Reasons of Draining, beside the stages of DrainStatus, and of SafeToShutdown.
const (
	// ReasonNotDraining: nothing drains the node.
	ReasonNotDraining = "NotDraining"
	// ReasonRoutesAnnounced: the routes are not withdrawn yet.
	ReasonRoutesAnnounced = "RoutesAnnounced"
	// ReasonNotConfirmed: FRR hasn't confirmed that it has withdrawn the routes.
	ReasonNotConfirmed = "NotConfirmed"
	// ReasonConverging: routers may not have seen the withdrawal yet.
	ReasonConverging = "Converging"
	// ReasonLastHolder: no other node can announce some Services.
	ReasonLastHolder = "LastHolder"
	// ReasonConnectionsLeft: the node owns connections.
	ReasonConnectionsLeft = "ConnectionsLeft"
	// ReasonConnectionsNotCounted: nobody counts the node's connections, and their
	// time limit isn't over.
	ReasonConnectionsNotCounted = "ConnectionsNotCounted"
	// ReasonNoConnections, True: the node owns none any more.
	ReasonNoConnections = "NoConnections"
	// ReasonTimeLimit, True: the time limit of connections is over.
	ReasonTimeLimit = "TimeLimit"
)

// Reasons of the Herald object.
const (
	// ReasonAnotherInstallation, True: another manager runs in the cluster, and
	// refuses to work.
	ReasonAnotherInstallation = "AnotherInstallation"
	// ReasonNoImage: nothing says which image the agents have.
	ReasonNoImage = "NoImage"
	// ReasonInstallFailed: the API server does not take the DaemonSets.
	ReasonInstallFailed = "InstallFailed"
	// ReasonDeletionRefused: it is being deleted while prefixes are announced.
	ReasonDeletionRefused = "DeletionRefused"
	// ReasonDeleting: what it made is being removed.
	ReasonDeleting = "Deleting"
	// ReasonContainersFailing: containers on nodes don't run.
	ReasonContainersFailing = "ContainersFailing"
	// ReasonNodesNotReady: of Ready.
	ReasonNodesNotReady = "NodesNotReady"
	// ReasonPrefixesAnnounced and ReasonNothingAnnounced: of Announcing.
	ReasonPrefixesAnnounced = "PrefixesAnnounced"
	ReasonNothingAnnounced  = "NothingAnnounced"
)

// Reasons of Allocated, and of the events about allocation.
const (
	ReasonAllocated       = "Allocated"
	ReasonPoolExhausted   = "PoolExhausted"
	ReasonNoPool          = "NoPool"
	ReasonForeignAddress  = "ForeignAddress"
	ReasonAddressReplaced = "AddressReplaced"
	ReasonInvalidRequest  = "InvalidRequest"
	ReasonReleased        = "Released"
	ReasonAddressConflict = "AddressConflict"
	// ReasonNotInPool: no pool holds the requested address, or there is no pool
	// of the requested name.
	ReasonNotInPool = "NotInPool"
	// ReasonNotAllowed: the requested pool does not serve this Service.
	ReasonNotAllowed = "NotAllowed"
	// ReasonAddressTaken: another Service has the requested address.
	ReasonAddressTaken = "AddressTaken"
	// ReasonAddressKept: what the Service asks for can't be given, and it keeps
	// the address that it has.
	ReasonAddressKept = "AddressKept"
)

// Reasons of Announced.
const (
	ReasonAllNodes        = "AllNodes"
	ReasonSomeNodes       = "SomeNodes"
	ReasonNoNode          = "NoNode"
	ReasonNoAddress       = "NoAddress"
	ReasonNoAdvertisement = "NoAdvertisement"
	ReasonNoEndpoint      = "NoEndpoint"
	ReasonNoPeer          = "NoPeer"
	// Every node that could is excluded by its label, or lacks its network.
	ReasonNodesExcluded      = "NodesExcluded"
	ReasonNetworkUnavailable = "NetworkUnavailable"
	// Every node that could drains.
	ReasonNodesDraining = "NodesDraining"
)
