package prometheus

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// The dashboard asks for series and labels that exist, its legends for labels that
// are left, and no two panels lie upon each other.
func TestDashboard(t *testing.T) {
	d, err := ReadDashboard(filepath.Join(root, "config", "prometheus", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	known := existing(t)
	for _, variable := range d.Templating.List {
		if series, label, found := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(variable.Definition, "label_values("), ")"), ", "); found {
			checkExpr(t, "variable "+variable.Name, "count by ("+label+") ("+series+")", known)
		}
	}
	taken := map[[2]int]string{}
	asked := 0
	for _, panel := range d.Panels {
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies upon %q, or outside", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		for _, target := range panel.Targets {
			asked++
			expr := Expand(target.Expr, "1m")
			checkExpr(t, panel.Title, expr, known)
			checkLegend(t, panel.Title, expr, target.LegendFormat)
		}
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%q asks for nothing", panel.Title)
		}
	}
	if asked < 20 {
		t.Errorf("only %d queries were read", asked)
	}
}

// checkLegend: what a sum is not by, it has no label of.
func checkLegend(t *testing.T, where, text, legend string) {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.AggregateExpr:
			for _, name := range node.Grouping {
				left[name] = true
			}
		case *parser.VectorSelector:
			if len(left) == 0 {
				left["node"] = true // nothing sums it up
			}
		}
		return nil
	})
	for _, part := range strings.Split(legend, "{{")[1:] {
		if name, _, _ := strings.Cut(part, "}}"); !left[name] {
			t.Errorf("%s: the legend has %s, which %s doesn't have", where, name, text)
		}
	}
}
