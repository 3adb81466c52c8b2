package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const conf = `no ip forwarding
!
route-map herald.all permit 1
 set tag 11
exit
!
route-map herald.gold permit 1
 set tag 22
exit
!
route-map herald_deny deny 65535
exit
!
route-map herald_out_tor-a_ipv4 permit 7
 match tag 11
 set community 64512:1
exit
!
route-map herald_out_tor-a_ipv4 permit 9
 match tag 22
exit
!
router bgp 64512
 address-family ipv4 unicast
  network 10.64.0.1/32 route-map herald.all
  network 10.64.0.2/32 route-map herald.gold
  network 10.64.0.0/32 route-map herald.all
  neighbor 10.10.0.101 activate
 exit-address-family
exit
!
`

func TestWithPrefixListsSaysTheSame(t *testing.T) {
	got := withPrefixLists(conf)
	for _, want := range []string{
		"ip prefix-list herald_out_tor-a_ipv4-permit-7 seq 5 permit 10.64.0.0/32\nip prefix-list herald_out_tor-a_ipv4-permit-7 seq 10 permit 10.64.0.1/32\n" +
			"ip prefix-list herald_out_tor-a_ipv4-permit-9 seq 5 permit 10.64.0.2/32\n!\n",
		"route-map herald_out_tor-a_ipv4 permit 7\n match ip address prefix-list herald_out_tor-a_ipv4-permit-7\n set community 64512:1\n",
		"  network 10.64.0.1/32\n  network 10.64.0.2/32\n  network 10.64.0.0/32\n  neighbor 10.10.0.101 activate\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing:\n%s\nin:\n%s", want, got)
		}
	}
	if strings.Contains(got, "match tag") {
		t.Error("a tag is matched")
	}
}

func TestWithNetworks(t *testing.T) {
	got := withNetworks(conf, []string{"10.64.0.9/32"})
	if want := []string{"10.64.0.9/32"}; !slices.Equal(networks(got), want) || !strings.Contains(got, "10.64.0.9/32 route-map herald.all\n") {
		t.Error(got)
	}
	if got := withNetworks(conf, nil); len(networks(got)) > 0 || !strings.Contains(got, "neighbor 10.10.0.101 activate") {
		t.Error(got)
	}
	if got := lastOf(netip.MustParsePrefix("10.64.0.0/14")); got.String() != "10.67.255.255" {
		t.Error(got)
	}
}

func TestSummary(t *testing.T) {
	var samples []float64
	for i := range 200 {
		samples = append(samples, float64(200-i))
	}
	r := summary("x", "ms", samples, target{median: 101, p99: 198})
	if r.Median != 101 || r.P99 != 199 || r.verdict() != "not met" || samples[0] != 200 {
		t.Errorf("%+v", r)
	}
	if r := summary("x", "ms", []float64{3, 1, 2}, target{median: 2}); r.Median != 2 || r.P99 != 3 || r.verdict() != "met" {
		t.Errorf("%+v", r)
	}
}

// example is a report with something in each table and plot.
func example() *Report {
	r := &Report{Processors: 2, Processor: "A & B", Load: "0.1 0.2 0.3"}
	for i, version := range []string{"10.3", "8.4"} {
		for _, present := range []int{0, 1000, 10000} {
			for _, result := range []Result{
				summary(whatReady+atRouter, "ms", []float64{60, 61, 75.5, float64(101 * (i + 1))}, readyTarget),
				summary(whatBurst, "ms", []float64{900}, manyTarget),
				{What: whatReady + atRouter, Way: byFRRReload[0], Ratio: 7.9, Median: 480, P99: 500, Unit: "ms", Runs: 3},
			} {
				result.FRR, result.Present = version, present
				r.Results = append(r.Results, result)
			}
		}
		for j, w := range ways {
			for _, what := range []string{whatOneMore, whatOneLess, whatFewer, whatCold} {
				result := summary(what+atRouter, "ms", []float64{50 * math.Pow(10, float64(j))}, noTarget)
				result.FRR, result.Present, result.Way, result.Ratio = version, comparedAt, w.name, math.Pow(10, float64(j))
				r.Results = append(r.Results, result)
			}
		}
	}
	return r
}

func TestPlotsAreWholeAndReadableOnWhiteAndDark(t *testing.T) {
	for name, svg := range example().plots() {
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, svg)
			}
		}
		for _, word := range []string{"<title>", "viewBox", "10.3", "8.4"} {
			if !strings.Contains(svg, word) {
				t.Errorf("%s: no %s", name, word)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: not a number:\n%s", name, svg)
		}
	}
	// WCAG 2.1, success criteria 1.4.3 and 1.4.11: 3:1 for graphics and 4.5:1 for text;
	// 4:1 is the most that one grey can have on both of these backgrounds.
	for _, background := range []string{"#ffffff", "#0d1117"} {
		for colour, least := range map[string]float64{textColour: 4, lineColour: 1.5, colours[0]: 3, colours[1]: 3, colours[2]: 3, targetColour: 3} {
			if got := contrast(colour, background); got < least {
				t.Errorf("%s on %s: contrast %.2f, want %.1f", colour, background, got, least)
			}
		}
	}
}

// contrast of two colours (WCAG 2.1, "contrast ratio").
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(colour string) float64 {
	var rgb [3]int
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		panic(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestTablesGoBetweenTheMarkers(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, pageName)
	before := "# Title\n\n" + beginMark("bench") + "\nold\n" + endMark("bench") + "\n\nafter\n"
	if err := os.WriteFile(page, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := example().document(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	for _, want := range []string{
		"# Title\n", "\nafter\n", "A & B", "| from → to | runs | target | 0 Services | 1,000 Services | 10,000 Services |", "| 76 / 101 ms | 76 / 101 ms |", "**not met**", "×10.0", "images/bench-single.svg",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "old") {
		t.Error("the old tables are still there")
	}
	for _, name := range []string{"bench-single.svg", "bench-ways.svg"} {
		if _, err := os.Stat(filepath.Join(dir, "images", name)); err != nil {
			t.Error(err)
		}
	}
	if err := example().document(t.TempDir()); err == nil {
		t.Error("a missing page is no error")
	}
}
