package snippet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// context is a kind of block of FRR's configuration.
type context string

const (
	top      context = ""
	router   context = "router bgp"
	family   context = "address-family"
	vrf      context = "vrf"
	routeMap context = "route-map"
	bfd      context = "bfd"
	bfdPeer  context = "bfd profile or peer"
)

// allowed are the first words of commands by context, each with the words that
// may follow; nil: any. What isn't here is refused, so nothing that FRR will learn
// one day gets in by itself. An abbreviation is another word.
var allowed = map[context]map[string][]string{
	top: {
		"access-list": nil,
		"bfd":         {},
		"bgp":         topBGP,
		"ip":          {"access-list", "prefix-list", "protocol", "route"},
		"ipv6":        {"access-list", "prefix-list", "protocol", "route"},
		"route-map":   nil,
		"router":      {"bgp"},
		"vrf":         nil,
	},
	router: {
		"address-family": nil, "aggregate-address": nil, "bgp": nil, "distance": nil, "maximum-paths": nil,
		"neighbor": nil, "read-quanta": nil, "redistribute": nil, "table-map": nil, "timers": nil,
		"update-delay": nil, "write-quanta": nil,
	},
	family: {
		"aggregate-address": nil, "bgp": nil, "distance": nil, "export": nil, "exit-address-family": {}, "import": nil,
		"label": nil, "maximum-paths": nil, "neighbor": nil, "nexthop": nil, "rd": nil, "redistribute": nil,
		"rt": nil, "table-map": nil,
	},
	vrf:      {"exit-vrf": {}, "ip": {"route"}, "ipv6": {"route"}},
	routeMap: {"call": nil, "continue": nil, "description": nil, "match": nil, "on-match": nil, "set": nil},
	bfd:      {"peer": nil, "profile": nil},
	bfdPeer: {
		"detect-multiplier": nil, "echo": nil, "echo-interval": nil, "echo-mode": nil, "log-session-changes": nil,
		"minimum-ttl": nil, "passive-mode": nil, "receive-interval": nil, "shutdown": nil, "transmit-interval": nil,
	},
}

// topBGP are commands that begin with "bgp" and stand outside "router bgp".
var topBGP = []string{"as-path", "community", "community-list", "extcommunity-list", "large-community-list"}

// opens says which context a command of a context begins.
var opens = map[context]map[string]context{
	top:    {"bfd": bfd, "route-map": routeMap, "router": router, "vrf": vrf},
	router: {"address-family": family},
	bfd:    {"peer": bfdPeer, "profile": bfdPeer},
}

// closes are the commands that end their context, other than "exit".
var closes = map[string]context{"exit-address-family": family, "exit-vrf": vrf}

// Why a command is refused for what it is.
const (
	whyNetwork = `"network" lines are Herald's own: announce addresses by Services`
	whyMD5     = "a snippet is no Secret: use a BGPPeer with spec.passwordSecret"
	whyName    = `names that begin with "herald." or "herald_" are Herald's own: choose another`
	whyAlone   = `a snippet only adds: outside of blocks it can't hold "no"`
)

// bgpSettings of "router bgp" that are Herald's, or would break what it promises.
var bgpSettings = []string{"default", "ebgp-requires-policy", "graceful-shutdown", "network", "router-id", "shutdown", "suppress-fib-pending"}

// neighborSettings of Herald's own neighbors that say which routes go over the
// session, or whether there is one.
var neighborSettings = []string{
	"activate", "advertise-map", "default-originate", "distribute-list", "filter-list", "local-as", "peer-group",
	"prefix-list", "remote-as", "route-map", "send-community", "shutdown", "unsuppress-map",
}

// checker walks the commands of a snippet and knows which blocks are open.
type checker struct {
	owned Owned
	open  []context
	// vrf of the "router bgp" block that was opened last.
	vrf string
}

func (c *checker) context() context {
	if len(c.open) == 0 {
		return top
	}
	return c.open[len(c.open)-1]
}

// command takes one command, or says why it is refused.
func (c *checker) command(words []string) (why string) {
	if words[0] == "exit" {
		if len(c.open) == 0 || len(words) > 1 {
			return `there is no block that this "exit" could end`
		}
		c.open = c.open[:len(c.open)-1]
		return ""
	}
	no := words[0] == "no"
	if no {
		words = words[1:]
	}
	if len(words) == 0 {
		return `"no" of what?`
	}
	if words[0] == "network" {
		return whyNetwork
	}
	if !c.find(words) {
		return fmt.Sprintf("%q is not a command that a snippet may hold here; write it in full, and see the list in the Kind's documentation", strings.Join(words[:min(2, len(words))], " "))
	}
	if slices.ContainsFunc(words, isHeralds) {
		return whyName
	}
	if why := c.setting(words, no); why != "" {
		return why
	}
	if closes[words[0]] != "" {
		c.open = c.open[:len(c.open)-1]
	} else if next, ok := opens[c.context()][words[0]]; ok {
		c.open = append(c.open, next)
		if next == router {
			c.vrf = vrfOf(words)
		}
	}
	return ""
}

// vrfOf is the VRF of the instance in "router bgp ASN vrf NAME". FRR takes an
// abbreviated "vrf", and "default" for the default VRF; of "view", the other word with
// a "v", Herald has none.
func vrfOf(words []string) string {
	if len(words) < 5 || !strings.HasPrefix(words[3], "v") || words[4] == "default" {
		return ""
	}
	return words[4]
}

// find looks for the context of a command as FRR does: in the block that is open,
// then in those around it, which ends the inner ones.
func (c *checker) find(words []string) bool {
	for depth := len(c.open); depth >= 0; depth-- {
		at := top
		if depth > 0 {
			at = c.open[depth-1]
		}
		if isAllowed(at, words) {
			c.open = c.open[:depth]
			return true
		}
	}
	return false
}

func isAllowed(at context, words []string) bool {
	next, found := allowed[at][words[0]]
	if !found || at == router && words[0] == "bgp" && len(words) > 1 && slices.Contains(topBGP, words[1]) {
		return false
	}
	if next == nil {
		return len(words) > 1 || at == bfdPeer
	}
	if len(next) == 0 {
		return len(words) == 1
	}
	return len(words) > 1 && slices.Contains(next, words[1])
}

func isHeralds(word string) bool {
	lower := strings.ToLower(strings.Trim(word, `"'`))
	return strings.HasPrefix(lower, "herald.") || strings.HasPrefix(lower, "herald_")
}

// setting refuses what is allowed in general and isn't with these words.
func (c *checker) setting(words []string, no bool) string {
	at := c.context()
	_, block := opens[at][words[0]]
	switch {
	case no && at == top:
		return whyAlone
	case no && (block || closes[words[0]] != ""):
		return "a snippet only adds: it can't remove a block"
	case at == router && words[0] == "bgp":
		return bgpSetting(words)
	case (at == router || at == family) && words[0] == "neighbor":
		return c.neighbor(words, no)
	}
	return ""
}

func bgpSetting(words []string) string {
	if slices.Contains(bgpSettings, words[1]) || words[len(words)-1] == "preserve-fw-state" {
		return fmt.Sprintf(`"bgp %s" is Herald's own to set`, strings.Join(words[1:], " "))
	}
	return ""
}

// spelled is a neighbor as FRR prints it.
func spelled(neighbor string) string {
	if address, err := netip.ParseAddr(neighbor); err == nil {
		return address.String()
	}
	return neighbor
}

func (c *checker) neighbor(words []string, no bool) string {
	if slices.Contains(words[2:], "password") {
		return whyMD5
	}
	if !c.owned.Neighbors[Neighbor{VRF: c.vrf, Name: spelled(words[1])}] {
		return ""
	}
	switch {
	case len(words) == 2 && no:
		return fmt.Sprintf("neighbor %s is that of a BGPPeer: delete the BGPPeer, or set its spec.nodeSelectors", words[1])
	case len(words) > 2 && slices.Contains(neighborSettings, words[2]):
		return fmt.Sprintf("neighbor %s is that of a BGPPeer: its %q is Herald's own; use the BGPPeer's and BGPAdvertisements' fields", words[1], words[2])
	}
	return ""
}
