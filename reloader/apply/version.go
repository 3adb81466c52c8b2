package apply

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/herald-lb/herald/reloader/plan"
)

// Version of FRR as its daemons tell it, for example 8.4.4.
type Version struct {
	Major, Minor int
	Text         string
}

// oldest supported: route-map entries change their action in place, and bgpd
// prints "exit" after each block.
var oldest = Version{Major: 8, Minor: 4}

// parseVersion reads the first line of "show version": "FRRouting 8.4.4 (host) …".
func parseVersion(output string) (Version, error) {
	f := strings.Fields(output)
	if len(f) < 2 || !strings.HasPrefix(f[0], "FRR") {
		return Version{}, fmt.Errorf("no FRR version in %.80q", output)
	}
	numbers := strings.FieldsFunc(f[1], func(r rune) bool { return r < '0' || r > '9' })
	v := Version{Text: f[1]}
	if len(numbers) < 2 {
		return Version{}, fmt.Errorf("no FRR version in %.80q", output)
	}
	var err error
	if v.Major, err = strconv.Atoi(numbers[0]); err == nil {
		v.Minor, err = strconv.Atoi(numbers[1])
	}
	return v, err
}

// Less compares major and minor.
func (v Version) Less(o Version) bool {
	return v.Major < o.Major || v.Major == o.Major && v.Minor < o.Minor
}

func (v Version) String() string { return v.Text }

func (v Version) quirks() plan.Quirks {
	return plan.Quirks{
		// FRR pull request 14162, first released with 9.1.
		ResolveViaDefault: !v.Less(Version{Major: 9, Minor: 1}),
		HoldsForBFD:       !v.Less(Version{Major: 10}),
	}
}

// UnsupportedError says that FRR is not one that Herald can configure.
type UnsupportedError struct{ Version Version }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("FRR %s is not supported: use an FRR image of version %d.%d or later (spec.frr.image of the Herald object)",
		e.Version, oldest.Major, oldest.Minor)
}
