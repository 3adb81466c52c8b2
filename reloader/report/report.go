// Package report is the schema of report.json, the reloader's answer to the
// agent. It is data only, and versioned: a reader refuses a version that it
// doesn't know.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Version of the schema.
const Version = 1

// MaxAge is how old a report may be before its reader takes the reloader for
// dead. The reloader rewrites it at least every RewriteInterval.
const (
	MaxAge          = 10 * time.Second
	RewriteInterval = 3 * time.Second
)

// ErrVersion says that the report was written by another version of Herald.
var ErrVersion = errors.New("unknown report version")

// Report is the state of FRR as the reloader sees it.
type Report struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// AttemptedHash is that of the last file that was tried, AppliedHash that
	// of the last one that FRR accepted whole and still runs.
	AttemptedHash string `json:"attemptedHash,omitempty"`
	AppliedHash   string `json:"appliedHash,omitempty"`
	LastApply     *Apply `json:"lastApply,omitempty"`
	// Applies counts the attempts since the reloader started.
	Applies []ApplyCount `json:"applies,omitempty"`
	// FileError says why the file now in the exchange directory is refused.
	FileError string    `json:"fileError,omitempty"`
	FRR       FRR       `json:"frr"`
	Sessions  []Session `json:"sessions,omitempty"`
	Drift     *Drift    `json:"drift,omitempty"`
	// Goroutines of the reloader when the report was written: a number that only
	// grows is a leak.
	Goroutines int `json:"goroutines,omitempty"`
	// Snippets of the attempted file, in its order.
	Snippets []Snippet `json:"snippets,omitempty"`
}

// Snippet is what became of a snippet of the file.
type Snippet struct {
	Name string `json:"name"`
	// Hash of its text, as the file has it.
	Hash  string       `json:"hash"`
	State SnippetState `json:"state"`
	// Line that is refused, counted from 1, and its text; 0: no single one.
	Line int    `json:"line,omitempty"`
	Text string `json:"text,omitempty"`
	// Error says why it is refused, in FRR's words, or why it couldn't be tried.
	Error string `json:"error,omitempty"`
}

// SnippetState says whether FRR takes a snippet.
type SnippetState string

// The states. What a snippet added before stays while it is pending.
const (
	SnippetAccepted SnippetState = "accepted"
	SnippetRefused  SnippetState = "refused"
	SnippetPending  SnippetState = "pending"
)

// Apply is one attempt to bring FRR to a file.
type Apply struct {
	// Steps that were taken, in order: "vty-remove", "vtysh-add", "frr-reload",
	// "vty-add", "clear-soft", "vtysh-cleanup"; after "put-back" those that
	// restored the last good configuration.
	Steps []string `json:"steps,omitempty"`
	// Duration in nanoseconds.
	Duration time.Duration `json:"durationNanoseconds"`
	// Error in FRR's own words; empty: applied.
	Error string    `json:"error,omitempty"`
	Time  time.Time `json:"time"`
}

// ApplyCount counts attempts that went one way and ended alike.
type ApplyCount struct {
	Path   ApplyPath `json:"path"`
	Failed bool      `json:"failed,omitempty"`
	Count  int64     `json:"count"`
	// Duration of all of them together, in nanoseconds.
	Duration time.Duration `json:"durationNanoseconds"`
}

// ApplyPath is how a configuration reached FRR: the heaviest of the steps.
type ApplyPath string

// The paths, the lightest first.
const (
	PathVty    ApplyPath = "vty"
	PathVtysh  ApplyPath = "vtysh"
	PathReload ApplyPath = "frr-reload"
)

// Path that an attempt took; what put the last good configuration back is none.
func (a *Apply) Path() ApplyPath {
	path := PathVty
	for _, step := range a.Steps {
		switch {
		case step == "put-back":
			return path
		case step == string(PathReload):
			path = PathReload
		case strings.HasPrefix(step, string(PathVtysh)) && path == PathVty:
			path = PathVtysh
		}
	}
	return path
}

// Counted are the counts with one attempt more, in a new slice.
func Counted(counts []ApplyCount, a *Apply) []ApplyCount {
	counts = slices.Clone(counts)
	at := slices.IndexFunc(counts, func(c ApplyCount) bool { return c.Path == a.Path() && c.Failed == (a.Error != "") })
	if at < 0 {
		at = len(counts)
		counts = append(counts, ApplyCount{Path: a.Path(), Failed: a.Error != ""})
	}
	counts[at].Count++
	counts[at].Duration += a.Duration
	return counts
}

// FRR is what answers behind the vty sockets.
type FRR struct {
	// Version, for example "8.4.4"; empty while bgpd does not answer.
	Version string `json:"version,omitempty"`
	// Daemons by name: whether each answers.
	Daemons map[string]bool `json:"daemons,omitempty"`
	// Unsupported says that the version is not one that Herald knows.
	Unsupported bool `json:"unsupported,omitempty"`
	// Error says why FRR can't be used, with the remedy.
	Error string `json:"error,omitempty"`
}

// Session is one BGP session.
type Session struct {
	// Address of the neighbor as FRR is told it: for one behind an interface, the
	// interface's name. VRF "" is the default VRF.
	Address string `json:"address"`
	VRF     string `json:"vrf,omitempty"`
	// LinkLocal address that FRR found behind the interface; empty: none yet.
	LinkLocal string `json:"linkLocal,omitempty"`
	// ExtendedNextHop says that both ends agreed on IPv4 routes with IPv6 next hops
	// (RFC 8950).
	ExtendedNextHop bool `json:"extendedNextHop,omitempty"`
	// VRFMissing says that the node's kernel has no such VRF.
	VRFMissing bool   `json:"vrfMissing,omitempty"`
	LocalASN   uint32 `json:"localASN"`
	RemoteASN  uint32 `json:"remoteASN"`
	// State of RFC 4271 section 8.2.2, for example "Established".
	State string `json:"state"`
	// Since is when it entered or left Established.
	Since *time.Time `json:"since,omitempty"`
	// LastResetReason and time, in FRR's words.
	LastResetReason string     `json:"lastResetReason,omitempty"`
	LastResetTime   *time.Time `json:"lastResetTime,omitempty"`
	// Flaps counts how often it left Established since bgpd started.
	Flaps int64 `json:"flaps"`
	// IPv4 and IPv6 prefixes; absent where the session doesn't carry the family.
	IPv4 *Prefixes `json:"ipv4,omitempty"`
	IPv6 *Prefixes `json:"ipv6,omitempty"`
	// Messages since bgpd started. A change of these alone is not worth a report.
	Messages *Messages `json:"messages,omitempty"`
	// BFD is absent where it doesn't watch the session.
	BFD *BFD `json:"bfd,omitempty"`
	// GracefulRestart says that the router keeps this node's routes while FRR
	// restarts: both ends agreed on it when the session came up.
	GracefulRestart bool `json:"gracefulRestart,omitempty"`
	// Opened is what FRR was configured with when the session came up; absent
	// while it is down.
	Opened *Parameters `json:"opened,omitempty"`
	// Pending are the parameters of which FRR has another value now, which holds
	// from the next OPEN on.
	Pending []Parameter `json:"pending,omitempty"`
}

// Parameters of a session that are negotiated in the OPEN and that FRR changes
// without closing the session.
type Parameters struct {
	// HoldTime and KeepaliveTime in seconds.
	HoldTime        int64 `json:"holdTime"`
	KeepaliveTime   int64 `json:"keepaliveTime"`
	GracefulRestart bool  `json:"gracefulRestart"`
}

// Parameter names one of Parameters.
type Parameter string

// The names.
const (
	HoldTime        Parameter = "hold-time"
	KeepaliveTime   Parameter = "keepalive-time"
	GracefulRestart Parameter = "graceful-restart"
)

// BFD is the state of the path of a session.
type BFD struct {
	// State of RFC 5880 section 6.2: "AdminDown", "Down", "Init" or "Up".
	State string `json:"state"`
	// Diagnostic and RemoteDiagnostic in FRR's words; empty for "ok".
	Diagnostic       string `json:"diagnostic,omitempty"`
	RemoteDiagnostic string `json:"remoteDiagnostic,omitempty"`
}

// Messages counts BGP messages by direction.
type Messages struct {
	Sent     MessageCount `json:"sent"`
	Received MessageCount `json:"received"`
}

// MessageCount counts messages by type (RFC 4271 section 4.1, RFC 2918).
type MessageCount struct {
	Open         int64 `json:"open"`
	Update       int64 `json:"update"`
	Notification int64 `json:"notification"`
	Keepalive    int64 `json:"keepalive"`
	RouteRefresh int64 `json:"routeRefresh"`
}

// Prefixes counts one family's routes.
type Prefixes struct {
	Sent     int64 `json:"sent"`
	Accepted int64 `json:"accepted"`
}

// Drift is a difference between FRR and the applied file that nobody asked for.
type Drift struct {
	// Time when it was found, and the lines that were wrong ("+" missing in
	// FRR, "-" unexpected in FRR), at most 20, passwords redacted.
	Time  time.Time `json:"time"`
	Lines []string  `json:"lines"`
	// Repaired says whether it is gone.
	Repaired bool `json:"repaired"`
}

// Encode is the report as JSON.
func (r Report) Encode() ([]byte, error) {
	r.Version = Version
	return json.MarshalIndent(r, "", "  ")
}

// Decode reads a report. A report of another version is ErrVersion.
func Decode(data []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	if r.Version != Version {
		return Report{}, fmt.Errorf("report: %w %d, want %d: agent and reloader are of different releases", ErrVersion, r.Version, Version)
	}
	return r, nil
}
