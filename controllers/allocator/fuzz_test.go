package allocator

import (
	"slices"
	"testing"
	"unicode/utf8"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// FuzzReadRequest: a request names at most one address of each family that the
// Service has, or says in few words what is wrong with it.
func FuzzReadRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "", ""}, {"203.0.113.7", "", ""}, {"203.0.113.7,2001:db8::7", "203.0.113.7", "public"}, {"203.0.113.7,203.0.113.8", "", ""},
		{"fe80::1%eth0", "", ""}, {"::ffff:203.0.113.7", "", ""}, {",", " ", "\n"}, {"1", "2", "3"}, {"", "\xff", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], true, true)
	}
	f.Fuzz(func(t *testing.T, ips, field, pool string, v4, v6 bool) {
		var families []frrtemplates.Family
		if v4 {
			families = append(families, frrtemplates.IPv4)
		}
		if v6 {
			families = append(families, frrtemplates.IPv6)
		}
		request := ReadRequest(Asked{IPs: ips, Pool: pool, LoadBalancerIP: field}, families)
		if request.Problem != "" {
			if len(request.Problem) > 1000 || !utf8.ValidString(request.Problem) || len(request.Addresses) > 0 {
				t.Errorf("%q beside %v", request.Problem, request.Addresses)
			}
			return
		}
		var seen []frrtemplates.Family
		for _, addr := range request.Addresses {
			family := frrtemplates.FamilyOf(addr)
			if addr.Zone() != "" || addr.Is4In6() || slices.Contains(seen, family) || !slices.Contains(families, family) {
				t.Errorf("%v of %v", request.Addresses, families)
			}
			seen = append(seen, family)
		}
	})
}
