// Package grammar knows every line that Herald writes into frr.conf. Tests ask it
// whether a user's text became a line, or part of one, where it has no business:
// a new line of a template is added here.
package grammar

import (
	"regexp"
	"strings"
	"sync"
)

// Words of the lines.
const (
	number  = `[0-9]+`
	v4      = `[0-9]{1,3}(?:\.[0-9]{1,3}){3}`
	v6      = `[0-9a-f:]*:[0-9a-f:.]*`
	address = `(?:` + v4 + `|` + v6 + `)`
	prefix  = address + `/[0-9]{1,3}`
	// name of a route-map, a BFD profile and such: names.go makes no others.
	name = `herald[A-Za-z0-9._-]*`
	// profile of BFD has the object's name, which is made harmless.
	profile = `[a-z0-9._-]+`
	// device is the name of a VRF or an interface.
	device = `[A-Za-z0-9][A-Za-z0-9._-]{0,14}`
	// end is what FRR calls a neighbor.
	end = `(?:` + address + `|` + device + `)`
	// community and large, as FRR spells them.
	community = `(?:[0-9]+:[0-9]+|[a-zA-Z][A-Za-z0-9-]*)`
	large     = `[0-9]+:[0-9]+:[0-9]+`
)

// lines by block; those of a block are indented by its depth.
var lines = []string{
	`!`, `exit`, ` !`, ` exit`,
	`(?:no )?ip(?:v6)? forwarding`,
	` ?ip(?:v6)? nht resolve-via-default`,
	` ?ip(?:v6)? route ` + prefix + ` blackhole 254`,
	`vrf ` + device, `exit-vrf`,
	`ip(?:v6)? prefix-list ` + name + ` seq ` + number + ` permit ` + prefix + `(?: ge ` + number + `)?(?: le ` + number + `)?`,
	` match ip(?:v6)? address prefix-list ` + name,
	// bfd
	`bfd`, ` profile ` + profile,
	`  (?:detect-multiplier|transmit-interval|receive-interval|minimum-ttl) ` + number,
	`  passive-mode`, `  echo-mode`, `  echo (?:transmit|receive)-interval ` + number,
	// route-map
	`route-map ` + name + ` (?:permit|deny) ` + number,
	` (?:match|set) tag ` + number,
	` set as-path prepend ` + number + `(?: ` + number + `)*`,
	` set community ` + community + `(?: ` + community + `)*`,
	` set extcommunity (?:bandwidth ` + number + `|none)`,
	` set large-community ` + large + `(?: ` + large + `)*`,
	` set ip next-hop ` + v4, ` set ipv6 next-hop global ` + v6,
	` set local-preference ` + number, ` set metric ` + number,
	`interface ` + device, ` ipv6 nd ra-lifetime 0`,
	// router bgp
	`router bgp ` + number + `(?: vrf ` + device + `)?`,
	` bgp router-id ` + v4,
	` no bgp default ipv4-unicast`, ` coalesce-time 0`, ` no bgp network import-check`,
	` bgp graceful-restart preserve-fw-state`,
	` neighbor (?:` + address + `|` + device + ` interface v6only) remote-as (?:` + number + `|internal|external)`,
	` neighbor ` + end + ` local-as ` + number + ` no-prepend replace-as`,
	` neighbor ` + end + ` bfd(?: profile ` + profile + `)?`,
	` neighbor ` + end + ` password [!-~]+`,
	` neighbor ` + end + ` (?:port|ebgp-multihop|ttl-security hops|timers connect) ` + number,
	` neighbor ` + end + ` timers ` + number + ` ` + number,
	` neighbor ` + end + ` (?:disable-connected-check|graceful-restart(?:-disable)?|capability extended-nexthop)`,
	` neighbor ` + end + ` update-source ` + address,
	` address-family ipv[46] unicast`, ` exit-address-family`,
	`  network ` + prefix + ` route-map ` + name,
	`  neighbor ` + end + ` activate`,
	`  neighbor ` + end + ` maximum-prefix ` + number + ` restart 5`,
	`  neighbor ` + end + ` route-map ` + name + ` (?:in|out)`,
}

var known = regexp.MustCompile(`^(?:` + strings.Join(lines, `|`) + `)$`)

// matched are lines that were asked for before: the expression is a slow one.
var matched sync.Map

// Foreign are the lines of a configuration that no template writes.
func Foreign(body string) []string {
	var foreign []string
	for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		if _, seen := matched.Load(line); seen {
			continue
		}
		if !known.MatchString(line) {
			foreign = append(foreign, line)
			continue
		}
		matched.Store(line, true)
	}
	return foreign
}

// Hostile are texts that would do harm in frr.conf, in vtysh or in a template if
// they got there as they are: none but the last few could be a user's intention.
func Hostile() []string {
	return []string{
		"\n neighbor 192.0.2.66 remote-as 666", "a\nexit\nrouter bgp 666", "\nno router bgp", "\r\nexit", "\n", "\r", "\x00", "a\x00b",
		"!", "#", "exit", "end", "no", " ", "a b", "\t", "?", `"`, "'", "`id`", "$(id)", "\\", "|", ";", "%s%n", "{{.}}", "*", "/", "..",
		"ä", "漢字", "\u2028", "\u202e", "\xff", "-1", "0", "4294967296", "permit 1", "any", "le 32",
		strings.Repeat("x", 63), strings.Repeat("x", 253), strings.Repeat("x", 4096), strings.Repeat("1:", 3000),
	}
}
