package observe

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/reloader/report"
)

// up is what bgpd says of a session that came up at second 1000.
func up(t *testing.T, flaps, epoch int, rest string) map[key]neighbor {
	t.Helper()
	text := fmt.Sprintf(`{"default":{"10.0.0.1":{"bgpState":"Established","connectionsDropped":%d,"bgpTimerUpEstablishedEpoch":%d,%s}}}`, flaps, epoch, rest)
	neighbors, err := parseNeighbors(text)
	if err != nil {
		t.Fatal(err)
	}
	return neighbors
}

func parameters(configuredHold, configuredKeepalive, hold, keepalive int, local, remote string) string {
	return fmt.Sprintf(`"bgpTimerConfiguredHoldTimeMsecs":%d,"bgpTimerConfiguredKeepAliveIntervalMsecs":%d,`+
		`"bgpTimerHoldTimeMsecs":%d,"bgpTimerKeepAliveIntervalMsecs":%d,"gracefulRestartInfo":{"localGrMode":%q,"remoteGrMode":%q}`,
		configuredHold*1000, configuredKeepalive*1000, hold*1000, keepalive*1000, local, remote)
}

func TestPendingParameters(t *testing.T) {
	timersOnly := func(hold, keepalive int64) report.Parameters {
		return report.Parameters{HoldTime: hold, KeepaliveTime: keepalive}
	}
	graceful := report.Parameters{HoldTime: 180, KeepaliveTime: 60, GracefulRestart: true}
	for name, c := range map[string]struct {
		opened report.Parameters
		now    string
		want   []report.Parameter
	}{
		"nothing configured":                    {timersOnly(180, 60), `"bgpTimerHoldTimeMsecs":180000,"bgpTimerKeepAliveIntervalMsecs":60000`, nil},
		"as negotiated":                         {timersOnly(30, 10), parameters(30, 10, 30, 10, "Helper*", "Helper"), nil},
		"shorter":                               {timersOnly(30, 10), parameters(12, 4, 30, 10, "Helper*", "Helper"), []report.Parameter{report.HoldTime, report.KeepaliveTime}},
		"longer":                                {timersOnly(30, 10), parameters(90, 30, 30, 10, "Helper*", "Helper"), []report.Parameter{report.HoldTime, report.KeepaliveTime}},
		"longer than the router's, which holds": {timersOnly(30, 10), parameters(90, 30, 9, 3, "Helper*", "Helper"), nil},
		"shorter than the router's":             {timersOnly(30, 10), parameters(6, 2, 9, 3, "Helper*", "Helper"), []report.Parameter{report.HoldTime, report.KeepaliveTime}},
		"keepalive only":                        {timersOnly(30, 10), parameters(30, 5, 30, 10, "Helper*", "Helper"), []report.Parameter{report.KeepaliveTime}},
		"keepalives off":                        {timersOnly(30, 10), parameters(0, 0, 30, 10, "Helper*", "Helper"), []report.Parameter{report.HoldTime, report.KeepaliveTime}},
		"the router has keepalives off":         {timersOnly(30, 10), parameters(90, 30, 0, 0, "Helper*", "Helper"), nil},
		"graceful restart on":                   {timersOnly(180, 60), parameters(180, 60, 180, 60, "Restart", "Helper"), []report.Parameter{report.GracefulRestart}},
		"graceful restart off":                  {graceful, parameters(180, 60, 180, 60, "Helper*", "Helper"), []report.Parameter{report.GracefulRestart}},
		"graceful restart sent unasked":         {timersOnly(180, 60), parameters(180, 60, 180, 60, "Disable", "Helper") + `,"neighborCapabilities":{"gracefulRestart":"advertisedAndReceived"}`, []report.Parameter{report.GracefulRestart}},
		"graceful restart of the router's":      {timersOnly(180, 60), parameters(180, 60, 180, 60, "Disable", "NotApplicable") + `,"neighborCapabilities":{"gracefulRestart":"received"}`, nil},
		"graceful restart as before":            {graceful, parameters(180, 60, 180, 60, "Restart", "Helper"), nil},
	} {
		n := up(t, 0, 1000, c.now)[key{"", "10.0.0.1"}]
		if diff := cmp.Diff(c.want, n.pending(c.opened)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What was configured when the session came up is what holds: FRR 8.4 shows the
// mode that is configured now, and the capability of a mere helper looks the same.
func TestGracefulRestartIsThatOfTheOpen(t *testing.T) {
	o := &Observer{}
	look := func(flaps, epoch int, local, remote string) report.Session {
		t.Helper()
		return o.sessions(up(t, flaps, epoch, parameters(180, 60, 180, 60, local, remote)), time.Unix(int64(epoch)+60, 0))[0]
	}
	expect := func(what string, got report.Session, negotiated bool, pending ...report.Parameter) {
		t.Helper()
		if got.GracefulRestart != negotiated || !cmp.Equal(got.Pending, pending) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	expect("a helper", look(0, 1000, "Helper*", "Helper"), false)
	expect("switched on under the session", look(0, 1001, "Restart", "Helper"), false, report.GracefulRestart)

	// Another reloader comes, and has what this one reported.
	reported := o.sessions(up(t, 0, 1000, parameters(180, 60, 180, 60, "Restart", "Helper")), time.Unix(1070, 0))
	data, err := json.Marshal(reported)
	if err != nil {
		t.Fatal(err)
	}
	var before []report.Session
	if err := json.Unmarshal(data, &before); err != nil {
		t.Fatal(err)
	}
	o = &Observer{}
	o.recall(before)
	expect("seen by another reloader", look(0, 999, "Restart", "Helper"), false, report.GracefulRestart)

	expect("the next session", look(1, 1002, "Restart", "Helper"), true)
	expect("switched off again", look(1, 1002, "Helper*", "Helper"), true, report.GracefulRestart)
	expect("and the next", look(2, 2000, "Helper*", "Helper"), false)
	expect("a router that doesn't help", look(3, 3000, "Restart", "NotApplicable"), false)
	expect("a bgpd that is new", look(0, 4000, "Restart", "Restart"), true)
}

// A session that another reloader saw up, and that is down now, is down since
// its last reset, not since this reloader came.
func TestDownSinceTheLastReset(t *testing.T) {
	o := &Observer{}
	o.recall([]report.Session{{Address: "10.0.0.1", State: established, Since: &time.Time{}, Opened: &report.Parameters{}}})
	neighbors, err := parseNeighbors(`{"default":{"10.0.0.1":{"bgpState":"Active","connectionsDropped":1,"lastResetTimerMsecs":5000}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := o.sessions(neighbors, time.Unix(1000, 0))[0]
	if got.Since == nil || !got.Since.Equal(time.Unix(995, 0)) || got.Opened != nil || got.GracefulRestart {
		t.Errorf("%+v", got)
	}
}
