package observe

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/herald-lb/herald/reloader/report"
)

// established is the only state in which routes are exchanged (RFC 4271
// section 8.2.2).
const established = "Established"

// neighbor is what is read of "show bgp vrf all neighbors json". FRR 8.4 and
// 10.3 agree in these names.
type neighbor struct {
	// Address is the neighbor's; of one behind an interface what was found there.
	Address          string `json:"bgpNeighborAddr"`
	RemoteAS         uint32 `json:"remoteAs"`
	LocalAS          uint32 `json:"localAs"`
	State            string `json:"bgpState"`
	EstablishedEpoch int64  `json:"bgpTimerUpEstablishedEpoch"`
	Dropped          int64  `json:"connectionsDropped"`
	// LastResetMsecs ago, absent if it never was up.
	LastResetMsecs   *int64 `json:"lastResetTimerMsecs"`
	LastResetDueTo   string `json:"lastResetDueTo"`
	NotificationText string `json:"lastNotificationReason"`
	// VRFMissing: the kernel has no such VRF.
	VRFMissing bool `json:"-"`
	// BFD is absent where bgpd doesn't use it for the neighbor.
	BFD *struct{} `json:"peerBfdInfo"`
	timers
	GracefulRestart gracefulRestart `json:"gracefulRestartInfo"`
	Capabilities    struct {
		ExtendedNextHop string `json:"extendedNexthop"`
		GracefulRestart string `json:"gracefulRestart"`
	} `json:"neighborCapabilities"`
	Messages *messages `json:"messageStats"`
	Families map[string]struct {
		Sent     int64 `json:"sentPrefixCounter"`
		Accepted int64 `json:"acceptedPrefixCounter"`
	} `json:"addressFamilyInfo"`
}

// messages by type; bgpd counts those of ROUTE-REFRESH too (RFC 2918).
type messages struct {
	OpensSent         int64 `json:"opensSent"`
	OpensRecv         int64 `json:"opensRecv"`
	UpdatesSent       int64 `json:"updatesSent"`
	UpdatesRecv       int64 `json:"updatesRecv"`
	NotificationsSent int64 `json:"notificationsSent"`
	NotificationsRecv int64 `json:"notificationsRecv"`
	KeepalivesSent    int64 `json:"keepalivesSent"`
	KeepalivesRecv    int64 `json:"keepalivesRecv"`
	RouteRefreshSent  int64 `json:"routeRefreshSent"`
	RouteRefreshRecv  int64 `json:"routeRefreshRecv"`
}

func (m *messages) counted() *report.Messages {
	if m == nil {
		return nil
	}
	return &report.Messages{
		Sent: report.MessageCount{
			Open: m.OpensSent, Update: m.UpdatesSent, Notification: m.NotificationsSent, Keepalive: m.KeepalivesSent, RouteRefresh: m.RouteRefreshSent,
		},
		Received: report.MessageCount{
			Open: m.OpensRecv, Update: m.UpdatesRecv, Notification: m.NotificationsRecv, Keepalive: m.KeepalivesRecv, RouteRefresh: m.RouteRefreshRecv,
		},
	}
}

// key of a session.
type key struct{ vrf, address string }

// noVRF is the vrfId of an instance whose VRF the kernel does not have. FRR 8.4 and
// 10.3 agree.
const noVRF = "-1"

// parseNeighbors reads the answer: VRFs, and in each some fields of its own
// (vrfId, vrfName) beside one object per neighbor.
func parseNeighbors(output string) (map[key]neighbor, error) {
	var vrfs map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(output), &vrfs); err != nil {
		return nil, fmt.Errorf("bgpd's neighbors: %w", err)
	}
	all := map[key]neighbor{}
	for vrf, fields := range vrfs {
		if vrf == "default" {
			vrf = ""
		}
		for name, raw := range fields {
			if len(raw) == 0 || raw[0] != '{' {
				continue
			}
			var n neighbor
			if err := json.Unmarshal(raw, &n); err != nil {
				return nil, fmt.Errorf("bgpd's neighbor %s: %w", name, err)
			}
			n.VRFMissing = vrf != "" && string(fields["vrfId"]) == noVRF
			all[key{vrf, name}] = n
		}
	}
	return all, nil
}

// history is what is remembered of a session from look to look: FRR tells ages
// in whole seconds, from which the same moment would come out anew each time.
type history struct {
	established      bool
	since, lastReset *time.Time
	flaps            int64
	// opened is what was configured when the session came up.
	opened *report.Parameters
	// recalled: another reloader saw it.
	recalled bool
}

// jitter of moments computed from ages.
const jitter = 2500 * time.Millisecond

// sessions turns neighbors into the report's sessions, sorted, and remembers.
func (o *Observer) sessions(neighbors map[key]neighbor, now time.Time) []report.Session {
	next := make(map[key]history, len(neighbors))
	list := make([]report.Session, 0, len(neighbors))
	for k, n := range neighbors {
		old, known := o.seen[k]
		h := remember(n, old, known, now)
		next[k] = h
		list = append(list, session(k, n, h))
	}
	o.seen = next
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return a.VRF < b.VRF || a.VRF == b.VRF && a.Address < b.Address
	})
	return list
}

func remember(n neighbor, old history, known bool, now time.Time) history {
	h := history{established: n.State == established, since: old.since, flaps: n.Dropped}
	if n.LastResetMsecs != nil {
		h.lastReset = steady(old.lastReset, now.Add(-time.Duration(*n.LastResetMsecs)*time.Millisecond))
	}
	switch {
	case h.established && n.EstablishedEpoch > 0:
		h.since = steady(old.since, time.Unix(n.EstablishedEpoch, 0))
	case h.established && !old.established:
		h.since = &now
	case !h.established && (!known || old.recalled):
		if h.since = nil; n.Dropped > 0 {
			h.since = h.lastReset
		}
	case !h.established && old.established:
		h.since = &now
	}
	if h.established {
		if h.opened = old.opened; !h.sameSession(old) {
			opened := n.configured()
			h.opened = &opened
		}
	}
	return h
}

// sameSession says whether a session that is up is the one that was up before.
func (h history) sameSession(before history) bool {
	return before.opened != nil && h.flaps == before.flaps && h.since == before.since
}

// recall takes over what the reloader before this one saw.
func (o *Observer) recall(sessions []report.Session) {
	o.seen = make(map[key]history, len(sessions))
	for _, s := range sessions {
		o.seen[key{s.VRF, s.Address}] = history{
			established: s.State == established, since: s.Since, lastReset: s.LastResetTime,
			flaps: s.Flaps, opened: s.Opened, recalled: true,
		}
	}
}

func steady(old *time.Time, computed time.Time) *time.Time {
	if old != nil && old.Sub(computed).Abs() < jitter {
		return old
	}
	return &computed
}

func session(k key, n neighbor, h history) report.Session {
	s := report.Session{
		Address: k.address, VRF: k.vrf, LocalASN: n.LocalAS, RemoteASN: n.RemoteAS,
		State: n.State, Since: h.since, Flaps: n.Dropped,
		LastResetReason: resetReason(n), LastResetTime: h.lastReset, Messages: n.Messages.counted(),
	}
	s.LinkLocal = n.linkLocal(k.address)
	s.ExtendedNextHop = n.State == established && n.Capabilities.ExtendedNextHop == bothEnds
	if n.VRFMissing {
		s.VRFMissing, s.LastResetReason = true, fmt.Sprintf("the node has no VRF device %q", k.vrf)
	}
	if h.opened != nil {
		s.Opened, s.Pending = h.opened, n.pending(*h.opened)
		s.GracefulRestart = h.opened.GracefulRestart && n.helps()
	}
	for family, counts := range n.Families {
		prefixes := &report.Prefixes{Sent: counts.Sent, Accepted: counts.Accepted}
		switch family {
		case "ipv4Unicast":
			s.IPv4 = prefixes
		case "ipv6Unicast":
			s.IPv6 = prefixes
		}
	}
	return s
}

// bothEnds have sent a capability.
const bothEnds = "advertisedAndReceived"

// linkLocal is the address that was found behind an interface, if the neighbor is
// known by that.
func (n *neighbor) linkLocal(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	address, err := netip.ParseAddr(n.Address)
	if err != nil || !address.IsLinkLocalUnicast() {
		return ""
	}
	return address.String()
}

// resetReason adds what the NOTIFICATION said (RFC 4271 section 4.5).
func resetReason(n neighbor) string {
	if n.NotificationText == "" || !strings.Contains(strings.ToLower(n.LastResetDueTo), "notification") {
		return n.LastResetDueTo
	}
	return n.LastResetDueTo + ": " + n.NotificationText
}
