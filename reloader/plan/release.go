package plan

import (
	"slices"
	"strings"
)

// FRR holds a neighbor that came with a file until the route-maps of that file are
// processed, which is when the delay timer ends that each line of a route-map starts
// anew: 5 s by default (bgpd, bgp_config_end: "config-pending hold"). Setting the timer
// to 0 lets what is pending be processed at once, and then only the one second remains
// that FRR holds neighbors anyway. Its default is what the file leaves.
const (
	delayTimer = "bgp route-map delay-timer"
	release    = delayTimer + " 0\nno " + delayTimer + "\n"
)

// Release ends a file for FRR, so that its neighbors needn't wait; empty where the
// configuration has a delay timer of its own.
func (c *Config) Release() string {
	if slices.ContainsFunc(c.Top, func(line string) bool { return strings.HasPrefix(line, delayTimer) }) {
		return ""
	}
	return release
}

// WithoutRelease is a file without its end.
func WithoutRelease(text string) string { return strings.TrimSuffix(text, release) }

// comes says whether any neighbor is wanted that doesn't run.
func (d *difference) comes() bool {
	return slices.ContainsFunc(d.routers, func(r routerDiff) bool {
		if r.want == nil {
			return false
		}
		running := map[string]bool{}
		if r.have != nil {
			for _, line := range r.have.Lines {
				running[neighborOf(line)] = true
			}
		}
		return slices.ContainsFunc(r.want.Lines, func(line string) bool {
			name := neighborOf(line)
			return name != "" && !running[name]
		})
	})
}
