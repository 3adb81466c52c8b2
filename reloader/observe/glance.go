package observe

import (
	"encoding/json"
	"maps"
	"slices"
)

// glance is what "show bgp vrf all summary json" tells of each session, a tenth of what
// bgpd knows of it: all that changes by itself shows in it.
type glance map[key]summary

// summary of a session, the families together.
type summary struct {
	state          string
	opened, closed int64
	vrfMissing     bool
	// ipv4 and ipv6 are the prefixes of a family.
	ipv4, ipv6 prefixes
}

type prefixes struct{ sent, received int64 }

// parseSummary reads the answer: families in VRFs. nil: it says nothing that is known
// here, as where there is no BGP instance. FRR 8.4 and 10.3 agree in these names.
func parseSummary(output string) glance {
	var vrfs map[string]map[string]struct {
		VRF   int64 `json:"vrfId"`
		Peers map[string]struct {
			State    string `json:"state"`
			Opened   int64  `json:"connectionsEstablished"`
			Closed   int64  `json:"connectionsDropped"`
			Sent     int64  `json:"pfxSnt"`
			Received int64  `json:"pfxRcd"`
		} `json:"peers"`
	}
	if json.Unmarshal([]byte(output), &vrfs) != nil {
		return nil
	}
	all := glance{}
	// In order, so that the same answer is the same whatever it says.
	for _, vrf := range slices.Sorted(maps.Keys(vrfs)) {
		families := vrfs[vrf]
		if vrf == "default" {
			vrf = ""
		}
		for _, family := range slices.Sorted(maps.Keys(families)) {
			of := families[family]
			for name, peer := range of.Peers {
				k := key{vrf, name}
				seen := all[k]
				if seen.state == "" || peer.State != established {
					seen.state = peer.State
				}
				seen.opened, seen.closed, seen.vrfMissing = peer.Opened, peer.Closed, of.VRF < 0
				switch family {
				case "ipv4Unicast":
					seen.ipv4 = prefixes{peer.Sent, peer.Received}
				case "ipv6Unicast":
					seen.ipv6 = prefixes{peer.Sent, peer.Received}
				}
				all[k] = seen
			}
		}
	}
	return all
}

func (g glance) equal(other glance) bool { return maps.Equal(g, other) }

// up says whether all sessions are.
func (g glance) up() bool {
	for _, seen := range g {
		if seen.state != established {
			return false
		}
	}
	return true
}

// covers says whether all neighbors are in it, and no other: one without a family isn't.
func (g glance) covers(neighbors map[key]neighbor) bool {
	for k := range neighbors {
		if _, in := g[k]; !in {
			return false
		}
	}
	return g != nil && len(g) == len(neighbors)
}
