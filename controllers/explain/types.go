package explain

// State of an announcement, as far as the API tells.
type State string

// The states.
const (
	Announced    State = "Announced"
	NotAnnounced State = "NotAnnounced"
	// Unknown: nobody vouches for the node. What it announced last stays.
	Unknown State = "Unknown"
)

// Verdict is a state with its reason and what to do about it.
type Verdict struct {
	State State `json:"state"`
	// Reason is empty where all is well.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Explanation of one Service.
type Explanation struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Pools     []string `json:"pools,omitempty"`
	// Policy is its externalTrafficPolicy.
	Policy string `json:"externalTrafficPolicy,omitempty"`
	// Verdict over all nodes: Announced where one is.
	Verdict `json:",inline"`
	Nodes   []Node `json:"nodes"`
}

// Node says what one node does with the Service.
type Node struct {
	Name    string `json:"name"`
	Verdict `json:",inline"`
	Routes  []Route `json:"routes,omitempty"`
	// Notes are what the node refuses of peers and advertisements.
	Notes []string `json:"notes,omitempty"`
}

// RouteList is what nodes announce.
type RouteList struct {
	Routes []Route `json:"routes"`
	// Unnamed are the nodes of which more is announced, or less, than the routes say.
	Unnamed []Unnamed `json:"unnamed,omitempty"`
}

// Unnamed counts the Services that a node reports without naming them.
type Unnamed struct {
	Node string `json:"node"`
	// Kept: the node drains, and goes on announcing so many more Services, as no other
	// node can. Routes has nothing of them.
	Kept int `json:"kept,omitempty"`
	// HeldBack: the node's dataplane doesn't serve so many more Services yet. Routes has
	// them as if they were announced.
	HeldBack int `json:"heldBack,omitempty"`
}

// Route is one prefix and one peer of a node.
type Route struct {
	Node   string `json:"node"`
	Prefix string `json:"prefix"`
	Peer   string `json:"peer"`
	VRF    string `json:"vrf,omitempty"`
	// Address and Session as the node's agent reports them.
	Address    string `json:"address,omitempty"`
	Session    string `json:"session"`
	Verdict    `json:",inline"`
	Attributes Attributes `json:"attributes"`
	// Services that need the prefix.
	Services []string `json:"services,omitempty"`
}

// Attributes that the peer gets the prefix with, but for what FRR sets by itself.
type Attributes struct {
	Communities      []string `json:"communities,omitempty"`
	LargeCommunities []string `json:"largeCommunities,omitempty"`
	LocalPref        *uint32  `json:"localPref,omitempty"`
	MED              *uint32  `json:"med,omitempty"`
	// Prepend is how many times the own AS number is put before the AS path.
	Prepend int    `json:"asPathPrepend,omitempty"`
	NextHop string `json:"nextHop,omitempty"`
	// Bandwidth in Mbit/s of the link bandwidth extended community.
	Bandwidth int `json:"bandwidthMbit,omitempty"`
}
