package router

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// bytesPerMbit: on the wire the link bandwidth is in bytes per second
// (draft-ietf-idr-link-bandwidth).
const bytesPerMbit = 125_000

// linkBandwidth is the sub-type of the extended community.
const linkBandwidth = 4

var (
	frrLinkBandwidth  = regexp.MustCompile(`LB:\d+:(\d+)`)
	birdLinkBandwidth = regexp.MustCompile(`\(unknown (0x[0-9a-f]+), \d+, (\d+)\)`)
)

// frrBandwidth reads "LB:64512:12500000 (100.000 Mbps)".
func frrBandwidth(text string) float64 {
	m := frrLinkBandwidth.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64) // digits
	return n / bytesPerMbit
}

// birdBandwidth reads "(unknown 0x4, 64512, 1262320640)": type and sub-type, the AS
// number, and the bits of a floating-point number.
func birdBandwidth(text string) float64 {
	for _, m := range birdLinkBandwidth.FindAllStringSubmatch(text, -1) {
		kind, _ := strconv.ParseUint(m[1], 0, 32)
		value, _ := strconv.ParseUint(m[2], 0, 32)
		if kind&0xff == linkBandwidth {
			return float64(math.Float32frombits(uint32(value))) / bytesPerMbit
		}
	}
	return 0
}

func (route *Route) setGoBGPBandwidth(value json.RawMessage) error {
	var all []struct {
		SubType   int     `json:"subtype"`
		Bandwidth float64 `json:"bandwidth"`
	}
	err := json.Unmarshal(value, &all)
	for _, c := range all {
		if c.SubType == linkBandwidth {
			route.Bandwidth = c.Bandwidth / bytesPerMbit
		}
	}
	return err
}

// KernelWeights are the weights of the next hops that a host's kernel has for a
// prefix.
func KernelWeights(ctx context.Context, box *sandbox.Box, p netip.Prefix) (map[netip.Addr]int, error) {
	family := "-4"
	if p.Addr().Is6() {
		family = "-6"
	}
	out, err := box.Run(ctx, "ip", family, "-json", "route", "show", "exact", p.String())
	if err != nil || strings.TrimSpace(out) == "" {
		return nil, err
	}
	var routes []kernelRoute
	if err := json.Unmarshal([]byte(out), &routes); err != nil {
		return nil, fmt.Errorf("%s: routes: %w", box.Name(), err)
	}
	weights := map[netip.Addr]int{}
	for _, r := range routes {
		for _, hop := range r.NextHops {
			if addr, err := netip.ParseAddr(hop.Gateway); err == nil {
				weights[addr] = hop.Weight
			}
		}
	}
	return weights, nil
}
