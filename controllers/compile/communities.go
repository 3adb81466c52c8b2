package compile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// community is a standard community, ASN in the upper half (RFC 1997).
type community uint32

// communityNames are the values that FRR prints by name ("show
// running-config", the same in 8.4.4 and 10.3): a rendered number would be a
// difference at every reload. IANA's registry of well-known communities.
var communityNames = map[community]string{
	0xFFFF0000: "graceful-shutdown", // RFC 8326
	0xFFFF0001: "accept-own",
	0xFFFF0002: "route-filter-translated-v4",
	0xFFFF0003: "route-filter-v4",
	0xFFFF0004: "route-filter-translated-v6",
	0xFFFF0005: "route-filter-v6",
	0xFFFF0006: "llgr-stale",
	0xFFFF0007: "no-llgr",
	0xFFFF0008: "accept-own-nexthop",
	0xFFFF029A: "blackhole", // RFC 7999
	0xFFFFFF01: "no-export",
	0xFFFFFF02: "no-advertise",
	0xFFFFFF03: "local-AS",
	0xFFFFFF04: "no-peer",
}

// wellKnown are the names that an advertisement may use.
var wellKnown = []string{"no-export", "no-advertise", "local-AS", "graceful-shutdown", "blackhole", "no-peer"}

// String is FRR's spelling.
func (c community) String() string {
	if name, found := communityNames[c]; found {
		return name
	}
	return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xFFFF)
}

// largeCommunity is a large community (RFC 8092): global administrator, local
// data 1 and 2.
type largeCommunity [3]uint32

// String is FRR's spelling, the canonical one of RFC 8092 section 5.
func (l largeCommunity) String() string { return fmt.Sprintf("%d:%d:%d", l[0], l[1], l[2]) }

func (l largeCommunity) compare(other largeCommunity) int { return slices.Compare(l[:], other[:]) }

// largePrefix may stand before a large community, as in other load balancers.
const largePrefix = "large:"

var errCommunity = errors.New("must be ASN:VALUE with each half from 0 to 65535 (RFC 1997), ASN:DATA1:DATA2 with each part from 0 to 4294967295 (RFC 8092), one of " +
	strings.Join(wellKnown, ", ") + ", or an alias in a Community")

// addCommunity parses one community that is no alias.
func (a *attributes) addCommunity(text string) error {
	if slices.Contains(wellKnown, text) {
		a.communities = append(a.communities, communityByName(text))
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(text, largePrefix), ":")
	size := 32
	if len(parts) == 2 && !strings.HasPrefix(text, largePrefix) {
		size = 16
	} else if len(parts) != 3 {
		return errCommunity
	}
	var numbers largeCommunity
	for i, part := range parts {
		number, err := parsePart(part, size)
		if err != nil {
			return errCommunity
		}
		numbers[i] = number
	}
	if len(parts) == 3 {
		a.large = append(a.large, numbers)
		return nil
	}
	if numbers[0] == 0 && numbers[1] == 0 {
		// FRR 8 prints 0:0 as "internet", FRR 10 as 0:0.
		return errors.New("is reserved (RFC 1997) and FRR's versions read it differently: use another value")
	}
	a.communities = append(a.communities, community(numbers[0]<<16|numbers[1]))
	return nil
}

// parsePart takes digits only: strconv would take a sign.
func parsePart(text string, bits int) (uint32, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" || len(text) > 1 && text[0] == '0' {
		return 0, errCommunity
	}
	n, err := strconv.ParseUint(text, 10, bits)
	return uint32(n), err
}

func communityByName(name string) community {
	for value, known := range communityNames {
		if known == name {
			return value
		}
	}
	return 0
}

// atMost keeps a message short: the first few of a list, and how many more.
func atMost(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(slices.Clone(list[:n]), fmt.Sprintf("and %d more", len(list)-n))
}

// united are the communities of several advertisements as FRR prints them: by
// value, each once.
func united(advertisements []*Advertisement) []community {
	var all []community
	for _, a := range advertisements {
		all = append(all, a.communities...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unitedLarge is the same of large communities.
func unitedLarge(advertisements []*Advertisement) []largeCommunity {
	var all []largeCommunity
	for _, a := range advertisements {
		all = append(all, a.large...)
	}
	slices.SortFunc(all, largeCommunity.compare)
	return slices.Compact(all)
}

// spell is FRR's spelling of communities; nil of none.
func spell[T fmt.Stringer](communities []T) []string {
	if len(communities) == 0 {
		return nil
	}
	text := make([]string, len(communities))
	for i, c := range communities {
		text[i] = c.String()
	}
	return text
}
