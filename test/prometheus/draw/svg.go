package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	herald "github.com/herald-lb/herald/test/prometheus"
)

// Sizes in pixels: one of Grafana's 24 columns, one of its rows, the gap between.
const (
	column, line, gap = 48, 27, 4
	step              = 2 * time.Second
	// rates look back as far as Grafana would have them, at this interval of scrapes.
	rates = "15s"
)

// Colours that are told apart by those who don't see red and green too.
var colours = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#b8a800"}

func draw(d *herald.Dashboard, world *herald.World, end time.Time) (string, error) {
	engine := herald.NewEngine()
	var body strings.Builder
	height := 0
	for _, panel := range d.Panels {
		x, y := panel.GridPos.X*column, panel.GridPos.Y*line
		w, h := panel.GridPos.W*column-gap, panel.GridPos.H*line-gap
		height = max(height, y+h+gap)
		fmt.Fprintf(&body, "<g transform=\"translate(%d,%d)\">\n", x, y)
		if panel.Type == "row" {
			fmt.Fprintf(&body, "<text class=\"row\" x=\"4\" y=\"18\">%s</text>\n", html.EscapeString(panel.Title))
		} else {
			p := plot{panel: panel, w: float64(w), h: float64(h), end: end}
			for _, target := range panel.Targets {
				matrix, err := world.AskRange(engine, herald.Expand(target.Expr, rates), time.UnixMilli(0), end, step)
				if err != nil {
					return "", err
				}
				for _, s := range matrix {
					p.add(legend(target.LegendFormat, s.Metric), s.Floats)
				}
			}
			p.draw(&body)
		}
		body.WriteString("</g>\n")
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">
<title>The dashboard %s, drawn from its queries on data of the lab</title>
<style>.row{font-weight:bold;font-size:14px;fill:#333}.box{fill:#fff;stroke:#ccc}.title{font-weight:bold;fill:#333}.axis{fill:#666;font-size:10px}.grid{stroke:#eee}.none{fill:#999}.big{font-size:40px;font-weight:bold}</style>
<rect width="100%%" height="100%%" fill="#f4f5f5"/>
%s</svg>
`, 24*column, height, html.EscapeString(d.Title), body.String()), nil
}

var part = regexp.MustCompile(`\{\{ *([a-z_]+) *\}\}`)

func legend(format string, metric labels.Labels) string {
	return part.ReplaceAllStringFunc(format, func(found string) string {
		return metric.Get(part.FindStringSubmatch(found)[1])
	})
}

// plot is one panel.
type plot struct {
	panel  herald.Panel
	w, h   float64
	end    time.Time
	curves []curve
}

type curve struct {
	name   string
	points []promql.FPoint
}

func (p *plot) add(name string, points []promql.FPoint) {
	points = slices.DeleteFunc(slices.Clone(points), func(f promql.FPoint) bool { return math.IsNaN(f.F) || math.IsInf(f.F, 0) })
	if len(points) > 0 {
		p.curves = append(p.curves, curve{name, points})
	}
}

func (p *plot) draw(out *strings.Builder) {
	fmt.Fprintf(out, "<rect class=\"box\" width=\"%g\" height=\"%g\" rx=\"2\"/>\n<text class=\"title\" x=\"8\" y=\"16\">%s</text>\n", p.w, p.h, html.EscapeString(p.panel.Title))
	switch {
	case len(p.curves) == 0:
		fmt.Fprintf(out, "<text class=\"none\" x=\"%g\" y=\"%g\" text-anchor=\"middle\">No data</text>\n", p.w/2, p.h/2)
	case p.panel.Type == "stat":
		points := p.curves[0].points
		fmt.Fprintf(out, "<text class=\"big\" x=\"%g\" y=\"%g\" text-anchor=\"middle\">%s</text>\n", p.w/2, p.h/2+24, p.unit(points[len(points)-1].F))
	default:
		slices.SortFunc(p.curves, func(a, b curve) int { return cmp.Compare(a.name, b.name) })
		p.lines(out)
	}
}

func (p *plot) lines(out *strings.Builder) {
	const left, top, right, row = 48, 26, 10, 13
	places, rows := p.legends()
	bottom := float64(31 + row*rows)
	width, height := p.w-left-right, p.h-top-bottom
	most := 0.0
	for _, c := range p.curves {
		for _, f := range c.points {
			most = max(most, f.F)
		}
	}
	most = round(most)
	if limit := p.panel.FieldConfig.Defaults.Max; limit != nil {
		most = *limit
	}
	for i := range 5 {
		v := most * float64(i) / 4
		y := top + height - height*float64(i)/4
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"axis\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left, left+width, y, y, left-4, y+3, p.unit(v))
	}
	for minute := 0; time.Duration(minute)*time.Minute <= p.end.Sub(time.UnixMilli(0)); minute++ {
		x := left + width*float64(minute*60000)/float64(p.end.UnixMilli())
		fmt.Fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%d min</text>\n", x, top+height+13, minute)
	}
	for i, c := range p.curves {
		colour := colours[i%len(colours)]
		var path strings.Builder
		for j, f := range c.points {
			verb := "L"
			if j == 0 || f.T-c.points[j-1].T > step.Milliseconds() {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", verb, left+width*float64(f.T)/float64(p.end.UnixMilli()), top+height-height*min(f.F/most, 1))
		}
		fmt.Fprintf(out, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", path.String(), colour)
		x, y := places[i].x, p.h-8-float64(row*(rows-1-places[i].row))
		fmt.Fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"10\" height=\"3\" fill=\"%s\"/><text class=\"axis\" x=\"%g\" y=\"%g\">%s</text>\n", x, y-5, colour, x+13, y, html.EscapeString(c.name))
	}
}

// place of a curve's legend.
type place struct {
	x   float64
	row int
}

// legends of all curves in as many rows as they take.
func (p *plot) legends() (places []place, rows int) {
	at := place{x: 8}
	for _, c := range p.curves {
		wide := 26 + 5.6*float64(len(c.name))
		if at.x > 8 && at.x+wide > p.w {
			at = place{x: 8, row: at.row + 1}
		}
		places = append(places, at)
		at.x += wide
	}
	return places, at.row + 1
}

// round to the next value that makes a good axis.
func round(v float64) float64 {
	if v <= 0 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 5, 8, 10} {
		if v <= m*scale {
			return m * scale
		}
	}
	return v
}

func (p *plot) unit(v float64) string {
	switch text := fmt.Sprintf("%.3g", v); p.panel.FieldConfig.Defaults.Unit {
	case "s":
		if v > 0 && v < 1 {
			return fmt.Sprintf("%.3g ms", 1000*v)
		}
		return text + " s"
	case "percentunit":
		return fmt.Sprintf("%.3g %%", 100*v)
	case "ops", "mps":
		return text + "/s"
	default:
		return text
	}
}
