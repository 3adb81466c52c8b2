package prometheus

import (
	"encoding/json"
	"os"
	"strings"
)

// Dashboard is what is read of a Grafana dashboard.
type Dashboard struct {
	Title      string
	Panels     []Panel
	Templating struct{ List []Variable }
}

// Variable of a dashboard.
type Variable struct{ Name, Definition string }

// Panel of a dashboard.
type Panel struct {
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct {
		Defaults struct {
			Unit     string
			Min, Max *float64
		}
	}
}

// ReadDashboard reads one from its file.
func ReadDashboard(path string) (*Dashboard, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Dashboard{}
	return d, json.Unmarshal(data, d)
}

// Expand puts values in for Grafana's variables: every node, and how far back rates
// look.
func Expand(expr, interval string) string {
	return strings.NewReplacer("$__rate_interval", interval, "$node", ".*").Replace(expr)
}
