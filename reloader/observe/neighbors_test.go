package observe

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/reloader/report"
)

// answers are what FRR printed: a session up (IPv4), one without a family's
// policy reached yet, one to nobody; then the first one shut by its router.
func answer(t *testing.T, name string) map[key]neighbor {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	neighbors, err := parseNeighbors(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return neighbors
}

func TestSessionsOfBothReleases(t *testing.T) {
	for _, version := range []string{"8.4", "10.3"} {
		t.Run(version, func(t *testing.T) {
			o := &Observer{}
			now := time.Unix(1795220569, 0)
			since := time.Unix(1795220564, 0)
			up := o.sessions(answer(t, "up-"+version), now)
			if len(up) != 3 || up[0].Address != "10.10.0.1" || up[1].Address != "10.10.0.99" || up[2].Address != "fd00::1" {
				t.Fatalf("%+v", up)
			}
			up[0].LastResetReason, up[0].LastResetTime = "", nil // only 8.4 tells one before the first session
			want := report.Session{
				Address: "10.10.0.1", LocalASN: 64512, RemoteASN: 64500, State: "Established", Since: &since,
				IPv4: &report.Prefixes{Sent: 1}, Opened: &report.Parameters{HoldTime: 180, KeepaliveTime: 60},
				Messages: &report.Messages{
					Sent:     report.MessageCount{Open: 1, Update: 1, Keepalive: 1, RouteRefresh: 1},
					Received: report.MessageCount{Open: 1, Keepalive: 1},
				},
			}
			if diff := cmp.Diff(want, up[0]); diff != "" {
				t.Error(diff)
			}
			if up[1].State == "Established" || up[1].Since != nil || up[2].IPv6 == nil || up[2].IPv4 != nil {
				t.Errorf("%+v", up[1:])
			}
			later := now.Add(500 * time.Millisecond)
			down := o.sessions(answer(t, "down-"+version), later)[0]
			want = report.Session{
				Address: "10.10.0.1", LocalASN: 64512, RemoteASN: 64500, State: "Idle", Since: &later, Flaps: 1,
				LastResetReason: "BGP Notification received: Cease/Administrative Shutdown", LastResetTime: &later,
				IPv4: &report.Prefixes{}, Messages: &report.Messages{
					Sent:     report.MessageCount{Open: 1, Update: 1, Keepalive: 1, RouteRefresh: 1},
					Received: report.MessageCount{Open: 1, Keepalive: 1, Notification: 2},
				},
			}
			if diff := cmp.Diff(want, down); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FRR tells ages; the same moment must not come out anew at each look.
func TestMomentsAreSteady(t *testing.T) {
	o := &Observer{}
	neighbors := answer(t, "down-10.3")
	first := o.sessions(neighbors, time.Unix(1000, 0))
	again := o.sessions(neighbors, time.Unix(1001, 500))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	if much := o.sessions(neighbors, time.Unix(1100, 0)); much[0].LastResetTime.Equal(*first[0].LastResetTime) {
		t.Error("another reset was missed")
	}
}

func TestAnswersWithoutNeighbors(t *testing.T) {
	for _, text := range []string{`{}`, `{"default":{"vrfId":0,"vrfName":"default"}}`, `{"red":{"vrfId":-1,"vrfName":"red"}}`} {
		if got, err := parseNeighbors(text); err != nil || len(got) != 0 {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	if _, err := parseNeighbors(`{"default":`); err == nil {
		t.Error("a truncated answer was taken")
	}
}

// A session in a VRF that the kernel doesn't have says so, and no more once it does.
func TestVRFThatIsMissing(t *testing.T) {
	o := &Observer{}
	for _, c := range []struct {
		id, reason string
		missing    bool
	}{{"-1", `the node has no VRF device "red"`, true}, {"7", "No AFI/SAFI activated for peer", false}} {
		neighbors, err := parseNeighbors(`{"red":{"vrfId":` + c.id + `,"10.0.0.1":{"bgpState":"Idle","lastResetDueTo":"No AFI/SAFI activated for peer"}}}`)
		if err != nil {
			t.Fatal(err)
		}
		got := o.sessions(neighbors, time.Now())
		if len(got) != 1 || got[0].VRFMissing != c.missing || got[0].LastResetReason != c.reason || got[0].State != "Idle" {
			t.Errorf("%+v", got)
		}
	}
}

func TestVRFs(t *testing.T) {
	got, err := parseNeighbors(`{"default":{"vrfId":0,"10.0.0.1":{"bgpState":"Idle"}},"red":{"vrfId":5,"10.0.0.1":{"bgpState":"Established"}}}`)
	if err != nil || got[key{"red", "10.0.0.1"}].State != "Established" || got[key{"", "10.0.0.1"}].State != "Idle" {
		t.Errorf("%v %v", got, err)
	}
}
