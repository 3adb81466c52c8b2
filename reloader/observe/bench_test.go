package observe

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/report"
)

// benchSessions are as many as `make bench` lets a reloader observe.
const benchSessions = 8

// BenchmarkRest is a second of an observer at rest: eight sessions that are up, and
// nothing changes. The daemons are of this process, so that writing their answers is
// in it too, but not what FRR does to make them.
func BenchmarkRest(b *testing.B) {
	for _, version := range []string{"8.4", "10.3"} {
		b.Run(version, func(b *testing.B) {
			now := time.Unix(1795220569, 0)
			o := &Observer{
				RunDir: b.TempDir(), Daemons: []string{"zebra", "bgpd", "bfdd", "staticd"},
				Now: func() time.Time { return now }, Publish: func(change func(*report.Report)) { change(&report.Report{}) }, Changed: func(string) {},
			}
			frr := newDaemons(b, o)
			frr.answer("show version", "FRRouting "+version)
			frr.answer(showNeighbors, eight(b, "up-"+version, benchNeighbor, func(vrf map[string]any) map[string]any { return vrf }))
			frr.answer(showSummary, eight(b, "summary-up-"+version, benchNeighbor, func(vrf map[string]any) map[string]any {
				delete(vrf, "ipv6Unicast")
				return vrf["ipv4Unicast"].(map[string]any)["peers"].(map[string]any)
			}))
			o.begin()
			defer o.closeAll()
			for b.Loop() {
				for range time.Second / Interval {
					o.look(b.Context())
					now = now.Add(Interval)
				}
			}
		})
	}
}

// benchNeighbor is up in the answers of testdata.
const benchNeighbor = "10.10.0.1"

// eight are a real answer's one neighbor that is up, made eight; in says where in the
// default VRF neighbors are.
func eight(b *testing.B, name, up string, in func(map[string]any) map[string]any) string {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		b.Fatal(err)
	}
	var vrfs map[string]map[string]any
	if err := json.Unmarshal(text, &vrfs); err != nil {
		b.Fatal(err)
	}
	maps.DeleteFunc(vrfs, func(vrf string, _ map[string]any) bool { return vrf != "default" })
	fields := in(vrfs["default"])
	neighbor := fields[up]
	maps.DeleteFunc(fields, func(name string, _ any) bool { return strings.ContainsAny(name, ".:") })
	for i := range benchSessions {
		fields[fmt.Sprintf("10.10.0.%d", i+1)] = neighbor
	}
	text, err = json.MarshalIndent(vrfs, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
