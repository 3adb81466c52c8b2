package status

import (
	"cmp"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/report"
)

// Session is a BGPSession that should be.
type Session struct {
	Name   string
	Spec   v1alpha1.BGPSessionSpec
	Status v1alpha1.BGPSessionStatus
	// Messages are for metrics only; nil where FRR doesn't show the session.
	Messages *report.Messages
}

// Sessions are the BGPSessions of the node, one for each neighbor of the wanted
// configuration, by name. A neighbor that FRR does not show (yet) is Idle; while
// FRR or the reloader does not answer, every state is Unknown.
func Sessions(view View) []Session {
	if view.Result == nil {
		return nil
	}
	reported := reportedSessions(view)
	var sessions []Session
	for _, router := range view.Result.Config.Routers {
		for i := range router.Neighbors {
			neighbor := &router.Neighbors[i]
			key := compile.NeighborKey{VRF: router.VRF, End: neighbor.End}
			peer, found := view.Result.Origins.Peers[key]
			if !found {
				continue
			}
			session := Session{
				Name:   v1alpha1.SessionName(view.Node, peer),
				Spec:   v1alpha1.BGPSessionSpec{Node: view.Node, Peer: peer},
				Status: sessionStatus(view, &router, neighbor, reported[key]),
			}
			if seen := reported[key]; seen != nil {
				session.Messages = seen.Messages
			}
			sessions = append(sessions, session)
		}
	}
	slices.SortFunc(sessions, func(a, b Session) int { return cmp.Compare(a.Name, b.Name) })
	return sessions
}

func reportedSessions(view View) map[compile.NeighborKey]*report.Session {
	reported := map[compile.NeighborKey]*report.Session{}
	if view.Report == nil {
		return reported
	}
	for i := range view.Report.Sessions {
		session := &view.Report.Sessions[i]
		reported[compile.NeighborKey{VRF: session.VRF, End: endOf(session.Address)}] = session
	}
	return reported
}

// endOf reads FRR's name of a neighbor.
func endOf(name string) frrtemplates.End {
	if address, err := netip.ParseAddr(name); err == nil {
		return frrtemplates.End{Address: address.Unmap()}
	}
	return frrtemplates.End{Interface: name}
}

func sessionStatus(view View, router *frrtemplates.Router, neighbor *frrtemplates.Neighbor, seen *report.Session) v1alpha1.BGPSessionStatus {
	status := v1alpha1.BGPSessionStatus{
		Interface: neighbor.Interface,
		VRF:       router.VRF,
		LocalASN:  int64(router.ASN),
		RemoteASN: int64(neighbor.RemoteASN),
		State:     v1alpha1.SessionIdle,
	}
	if neighbor.Address.IsValid() {
		status.Address = neighbor.Address.String()
	}
	switch {
	case seen != nil && (view.running() || view.Fresh && seen.State == string(v1alpha1.SessionIdle)):
		// A bgpd that is gone has no sessions; one that hangs may well have.
		status.State = sessionState(seen.State)
	case !view.running():
		status.State = v1alpha1.SessionUnknown
	}
	if seen == nil {
		return status
	}
	if neighbor.Interface != "" {
		status.Address = seen.LinkLocal
	}
	status.Since = second(seen.Since)
	status.Flaps = &seen.Flaps
	status.Prefixes = v1alpha1.SessionPrefixes{IPv4: prefixCount(seen.IPv4), IPv6: prefixCount(seen.IPv6)}
	if seen.BFD != nil && seen.BFD.State != "" {
		status.BFD = &v1alpha1.SessionBFD{
			State: v1alpha1.BFDState(seen.BFD.State), Diagnostic: shorten(seen.BFD.Diagnostic, maxText), RemoteDiagnostic: shorten(seen.BFD.RemoteDiagnostic, maxText),
		}
	}
	status.GracefulRestart, status.RestartNeeded = negotiated(status.State, seen)
	if seen.LastResetReason != "" {
		status.LastReset = &v1alpha1.SessionReset{Reason: shorten(seen.LastResetReason, maxText), Time: second(seen.LastResetTime)}
	}
	if seen.RemoteASN != 0 && seen.LocalASN != 0 {
		status.LocalASN, status.RemoteASN = int64(seen.LocalASN), int64(seen.RemoteASN)
	}
	return status
}

// negotiated is what both ends agreed on when the session came up, and which
// fields of the peer have got another value since.
func negotiated(state v1alpha1.SessionState, seen *report.Session) (v1alpha1.GracefulRestart, []v1alpha1.SessionParameter) {
	if state != v1alpha1.SessionEstablished {
		return "", nil
	}
	var pending []v1alpha1.SessionParameter
	for _, parameter := range seen.Pending {
		if field, known := parameterFields[parameter]; known {
			pending = append(pending, field)
		}
	}
	if seen.GracefulRestart {
		return v1alpha1.GracefulRestartNegotiated, pending
	}
	return v1alpha1.GracefulRestartNotNegotiated, pending
}

var parameterFields = map[report.Parameter]v1alpha1.SessionParameter{
	report.HoldTime:        v1alpha1.ParameterHoldTime,
	report.KeepaliveTime:   v1alpha1.ParameterKeepaliveTime,
	report.GracefulRestart: v1alpha1.ParameterGracefulRestart,
}

// sessionState takes FRR's words; those beyond RFC 4271 ("Clearing", "Deleted")
// are on the way to Idle.
func sessionState(state string) v1alpha1.SessionState {
	switch s := v1alpha1.SessionState(state); s {
	case v1alpha1.SessionConnect, v1alpha1.SessionActive, v1alpha1.SessionOpenSent,
		v1alpha1.SessionOpenConfirm, v1alpha1.SessionEstablished, v1alpha1.SessionUnknown:
		return s
	default:
		return v1alpha1.SessionIdle
	}
}

func prefixCount(prefixes *report.Prefixes) *v1alpha1.PrefixCount {
	if prefixes == nil {
		return nil
	}
	return &v1alpha1.PrefixCount{Sent: prefixes.Sent, Accepted: prefixes.Accepted}
}

// SteadySession is the next status with the old one's times where they tell the
// same event.
func SteadySession(old, next v1alpha1.BGPSessionStatus) v1alpha1.BGPSessionStatus {
	if old.State == next.State || next.State == v1alpha1.SessionUnknown {
		next.Since = steadyTime(old.Since, next.Since)
	}
	if old.LastReset != nil && next.LastReset != nil && old.LastReset.Reason == next.LastReset.Reason {
		next.LastReset.Time = steadyTime(old.LastReset.Time, next.LastReset.Time)
	}
	return next
}

func steadyTime(old, next *metav1.Time) *metav1.Time {
	if old == nil || next == nil {
		return next
	}
	if difference := next.Sub(old.Time); difference > clockSlack || difference < -clockSlack {
		return next
	}
	return old
}

// CompareSession says how urgent it is to write the new status.
func CompareSession(old, next v1alpha1.BGPSessionStatus) Change {
	if equality.Semantic.DeepEqual(old, next) {
		return ChangeNone
	}
	if equality.Semantic.DeepEqual(urgentOfSession(old), urgentOfSession(next)) {
		return ChangeCounters
	}
	return ChangeTransition
}

// urgentOfSession leaves out counts of prefixes, and by how little a clock errs.
func urgentOfSession(status v1alpha1.BGPSessionStatus) v1alpha1.BGPSessionStatus {
	status.Prefixes = v1alpha1.SessionPrefixes{}
	status.Since = nil
	if status.LastReset != nil {
		status.LastReset = &v1alpha1.SessionReset{Reason: status.LastReset.Reason}
	}
	return status
}
