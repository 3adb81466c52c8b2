package observe

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/reloader/report"
)

func TestBFDOfBothReleases(t *testing.T) {
	for _, version := range []string{"8.4", "10.3"} {
		text, err := os.ReadFile(filepath.Join("testdata", "bfd-"+version+".json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseBFD(string(text))
		want := map[key]*report.BFD{{"", "10.0.0.2"}: {State: "Up"}}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(key{})); err != nil || diff != "" {
			t.Errorf("%s: %v %s", version, err, diff)
		}
	}
}

func TestBFDDown(t *testing.T) {
	got, err := parseBFD(`[{"peer":"fd00::1","vrf":"red","status":"down","diagnostic":"control detection time expired","remote-diagnostic":"ok"},
		{"peer":"10.0.0.3","vrf":"default","status":"shutdown"}]`)
	want := map[key]*report.BFD{
		{"red", "fd00::1"}: {State: "Down", Diagnostic: "control detection time expired"},
		{"", "10.0.0.3"}:   {State: "AdminDown"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(key{})); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := parseBFD(`[{"peer":`); err == nil {
		t.Error("a truncated answer was taken")
	}
}

// bgpd says which sessions BFD watches: one that bfdd doesn't know is down.
func TestWatchedSessions(t *testing.T) {
	o := &Observer{}
	sessions := []report.Session{{Address: "10.0.0.1"}, {Address: "10.0.0.2"}}
	if err := o.addBFD(sessions, map[key]bool{{"", "10.0.0.2"}: true}); err != nil {
		t.Fatal(err)
	}
	if sessions[0].BFD != nil || sessions[1].BFD == nil || sessions[1].BFD.State != "Down" {
		t.Errorf("%+v", sessions)
	}
}
