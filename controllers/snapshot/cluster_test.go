package snapshot

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestAggregate(t *testing.T) {
	tests := map[string]struct{ in, want []string }{
		"halves join, up to the whole": {[]string{"10.0.3.0/24", "10.0.0.0/24", "10.0.2.0/24", "10.0.1.0/24"}, []string{"10.0.0.0/22"}},
		"neighbors of two wholes stay": {[]string{"10.0.1.0/24", "10.0.2.0/24"}, []string{"10.0.1.0/24", "10.0.2.0/24"}},
		"what is within goes":          {[]string{"10.1.0.0/16", "10.1.2.3/32", "10.1.0.0/16"}, []string{"10.1.0.0/16"}},
		"families stay apart":          {[]string{"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}, []string{"0.0.0.0/0", "::/0"}},
		"what joins swallows":          {[]string{"10.0.0.0/25", "10.0.0.128/25", "10.0.0.129/32"}, []string{"10.0.0.0/24"}},
		"nothing":                      {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var in []netip.Prefix
			for _, text := range test.in {
				in = append(in, netip.MustParsePrefix(text))
			}
			if got := Aggregate(in); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
