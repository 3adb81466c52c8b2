package main

import (
	"fmt"
	"math"
	"slices"
)

// Places in the plots.
const (
	plotWidth  = 760
	plotLeft   = 190
	plotRight  = 740
	plotTop    = 34
	rowHeight  = 30
	barHeight  = 13
	plotBottom = 44
)

// plots by the name of their file.
func (r *Report) plots() map[string]string {
	return map[string]string{"bench-single.svg": r.plotSingle(), "bench-ways.svg": r.plotWays()}
}

// plotSingle shows each run of one Service's endpoints becoming ready, and targets.
func (r *Report) plotSingle() string {
	var rows []Result
	for _, result := range r.Results {
		if result.What == whatReady+atRouter && result.Way == "" {
			rows = append(rows, result)
		}
	}
	bottom := plotTop + rowHeight*float64(len(rows))
	d := newDrawing(plotWidth, bottom+plotBottom, "Endpoints ready → update at the router: each run, median and 99th percentile")
	a := axis{left: plotLeft, right: plotRight, from: 0, to: 250, by: func(v float64) float64 { return v }}
	d.ticks(a, plotTop, bottom, []float64{0, 50, 100, 150, 200, 250}, func(v float64) string { return fmt.Sprintf("%g ms", v) })
	for _, limit := range []struct {
		at   float64
		word string
	}{{readyTarget.median, "target of the median"}, {readyTarget.p99, "of the 99th percentile"}} {
		d.line(a.at(limit.at), plotTop, a.at(limit.at), bottom, targetColour, `stroke-width="1.5"`)
		d.text(a.at(limit.at), bottom+32, "middle", fmt.Sprintf(`fill="%s"`, targetColour), limit.word)
	}
	for i, row := range rows {
		y := plotTop + rowHeight*(float64(i)+0.5)
		colour := colours[slices.Index(r.versions(), row.FRR)%len(colours)]
		d.text(plotLeft-10, y+4, "end", "", fmt.Sprintf("FRR %s, %s Services", row.FRR, thousands(row.Present)))
		for _, sample := range row.Samples {
			d.dot(a.at(sample), y, colour)
		}
		d.line(a.at(row.Median), y-10, a.at(row.Median), y+10, colour, `stroke-width="3"`)
		d.line(a.at(row.P99), y-10, a.at(row.P99), y+10, colour, `stroke-width="1.5"`)
	}
	return d.end()
}

// plotWays compares the ways of bringing FRR to the same intent.
func (r *Report) plotWays() string {
	type group struct{ version, what string }
	var groups []group
	medians := map[group]map[string]float64{}
	for _, result := range r.compared() {
		g := group{result.FRR, result.What}
		if medians[g] == nil {
			groups, medians[g] = append(groups, g), map[string]float64{}
		}
		medians[g][result.Way] = result.Median
	}
	groupHeight := barHeight*float64(len(ways)) + 12
	bottom := plotTop + 20 + groupHeight*float64(len(groups))
	d := newDrawing(plotWidth, bottom+plotBottom, fmt.Sprintf("From the file to the router, %s Services: median, logarithmic", thousands(comparedAt)))
	a := axis{left: plotLeft + 80, right: plotRight - 60, from: 10, to: 100_000, by: math.Log10}
	d.ticks(a, plotTop+20, bottom, []float64{10, 100, 1000, 10_000, 100_000}, duration)
	for i, w := range ways {
		x := a.left + 150*float64(i)
		d.bar(x, plotTop+2, 10, 10, colours[i])
		d.text(x+15, plotTop+11, "start", "", w.name)
	}
	for i, g := range groups {
		y := plotTop + 26 + groupHeight*float64(i)
		d.text(a.left-10, y+groupHeight/2-2, "end", `font-size="11"`, fmt.Sprintf("FRR %s: %s", g.version, shortened(g.what)))
		for j, w := range ways {
			median, known := medians[g][w.name]
			if !known {
				continue
			}
			d.bar(a.left, y+barHeight*float64(j), a.at(median)-a.left, barHeight-2, colours[j])
			d.text(a.at(median)+5, y+barHeight*float64(j)+10, "start", `font-size="11"`, duration(median))
		}
	}
	return d.end()
}

// compared are the results of ways that were given the same files.
func (r *Report) compared() []Result {
	var all []Result
	for _, result := range r.Results {
		if slices.ContainsFunc(ways, func(w way) bool { return w.name == result.Way }) {
			all = append(all, result)
		}
	}
	return all
}

// versions of FRR in the order of the results.
func (r *Report) versions() []string {
	var all []string
	for _, result := range r.Results {
		if !slices.Contains(all, result.FRR) {
			all = append(all, result.FRR)
		}
	}
	return all
}

// shortened: a plot says once that it is about the router.
func shortened(what string) string { return what[:len(what)-len(atRouter)] }

// duration of so many milliseconds.
func duration(ms float64) string {
	switch {
	case ms < 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.2g s", ms/1000)
	default:
		return fmt.Sprintf("%.0f s", ms/1000)
	}
}

// thousands are set apart: 10,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
