package frrtemplates

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// MaxCommunities is how many communities a line may have. FRR splits a line into
// at most 256 words, so that it takes 253 (measured on 8.4.4 and 10.3); but then
// frr-reload could not take the line away, which needs one word more.
const MaxCommunities = 252

// MaxLargeCommunities is how many large communities a line may have: a line of
// 4096 characters or more hangs vtysh (measured on 8.4.4 and 10.3), and one
// community takes up to 33. 120 make 3,980, and frr-reload can take them away.
const MaxLargeCommunities = 120

// MaxBandwidth is the largest link bandwidth that FRR takes, in Mbit/s.
const MaxBandwidth = 25600

// HelpMark ends no password: vtysh -c, and so frr-reload, reads a line that ends
// with it as a question and does nothing (measured on 8.4.4 and 10.3).
const HelpMark = '?'

// maxTTL is printed with its number by FRR 8 and without by FRR 10.
const maxTTL = 255

// MaxPasswordLength is the longest key of TCP MD5 (Linux TCP_MD5SIG_MAXKEYLEN).
const MaxPasswordLength = 80

var (
	errWord      = errors.New("is empty or holds a blank, a control or a non-ASCII character")
	errAddress   = errors.New("is not an address without zone")
	errHostBits  = errors.New("has host bits")
	errInterface = fmt.Errorf("is not an interface's name that FRR takes: want 1 to %d letters, digits, \"-\", \"_\" and \".\", a letter or digit first, and neither an address nor a number", maxInterface)
	errVRF       = fmt.Errorf("is not a VRF's name that FRR takes: want 1 to %d letters, digits, \"-\", \"_\" and \".\", a letter or digit first, and not %q or %q", maxVRF, defaultVRF, allVRFs)
)

// Names of VRFs: as long as a Linux interface's, and not one of FRR's own words.
const (
	maxVRF     = 15
	defaultVRF = "default"
	allVRFs    = "all"
)

// maxInterface is as long as the name of an interface of Linux can be (IFNAMSIZ).
const maxInterface = 15

// CheckVRF says why FRR would read a VRF's name as anything else.
func CheckVRF(name string) error {
	if !isDevice(name, maxVRF) || name == defaultVRF || name == allVRFs {
		return errVRF
	}
	return nil
}

// CheckInterface says why FRR would read an interface's name as anything else.
// Linux allows more: an address, and a number, which FRR takes for an AS number.
func CheckInterface(name string) error {
	if !isDevice(name, maxInterface) || isAddress(name) || strings.Trim(name, "0123456789") == "" {
		return errInterface
	}
	return nil
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func isDevice(name string, longest int) bool {
	if name == "" || len(name) > longest || name[0] < '0' || name[0] == '_' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !isNameRune(r) && (r < 'A' || r > 'Z') && r != '_'
	})
}

// checkWord refuses what could end a word or a line of frr.conf. It is the last
// defence: compile has refused it before, with an Issue.
func checkWord(text string) error {
	if text == "" {
		return errWord
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return errWord
		}
	}
	return nil
}

func checkAddress(addr netip.Addr) error {
	if !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
		return errAddress
	}
	return nil
}

// checkConfig refuses a Config that would render to something that FRR refuses,
// reads differently, or reads as more lines than it is.
func checkConfig(config *Config) error {
	profiles := make(map[string]bool, len(config.BFDProfiles))
	for _, profile := range config.BFDProfiles {
		if err := checkWord(profile.Name); err != nil {
			return fmt.Errorf("BFD profile %q: name %w", profile.Name, err)
		}
		profiles[profile.Name] = true
	}
	lists, err := checkPrefixLists(config.PrefixLists)
	if err != nil {
		return err
	}
	defined := make(map[string]bool, len(config.RouteMaps))
	for i := range config.RouteMaps {
		for _, entry := range config.RouteMaps[i].Entries {
			if entry.MatchList != "" && !lists[entry.MatchList] {
				return fmt.Errorf("route-map %q: prefix-list %q is not defined", config.RouteMaps[i].Name, entry.MatchList)
			}
		}
		if err := checkRouteMap(&config.RouteMaps[i]); err != nil {
			return fmt.Errorf("route-map %q: %w", config.RouteMaps[i].Name, err)
		}
		defined[config.RouteMaps[i].Name] = true
	}
	for _, snippet := range config.Snippets {
		if err := checkSnippet(snippet); err != nil {
			return fmt.Errorf("snippet %q: %w", snippet.Name, err)
		}
	}
	for _, name := range config.Interfaces {
		if err := CheckInterface(name); err != nil {
			return fmt.Errorf("interface %q %w", name, err)
		}
	}
	for i := range config.Routers {
		for _, neighbor := range config.Routers[i].Neighbors {
			if neighbor.BFDProfile != "" && !profiles[neighbor.BFDProfile] {
				return fmt.Errorf("neighbor %q: BFD profile %q is not defined", neighbor.End, neighbor.BFDProfile)
			}
		}
		if err := checkRouter(&config.Routers[i], defined); err != nil {
			return fmt.Errorf("router of VRF %q: %w", config.Routers[i].VRF, err)
		}
	}
	return nil
}

// checkSnippet refuses what would make other lines of it, or another snippet.
func checkSnippet(snippet Snippet) error {
	if err := checkWord(snippet.Name); err != nil {
		return fmt.Errorf("name %w", err)
	}
	for i, line := range snippet.Lines {
		comment := strings.HasPrefix(strings.TrimLeft(line, " "), "!")
		if comment && line != "!" || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("line %d holds a comment, a control or a non-ASCII character", i+1)
		}
	}
	return nil
}

func checkRouteMap(m *RouteMap) error {
	if err := checkWord(m.Name); err != nil {
		return fmt.Errorf("name %w", err)
	}
	if len(m.Entries) == 0 {
		return errors.New("has no entry: FRR would not define it")
	}
	last := uint16(0)
	for _, entry := range m.Entries {
		if entry.Sequence <= last {
			return fmt.Errorf("sequence %d after %d: must rise from 1", entry.Sequence, last)
		}
		last = entry.Sequence
		err := errors.Join(checkCommunities(entry.Communities, MaxCommunities), checkCommunities(entry.LargeCommunities, MaxLargeCommunities))
		if entry.Bandwidth < 0 || entry.Bandwidth > MaxBandwidth || entry.Bandwidth > 0 && entry.NoExtCommunities {
			err = errors.Join(err, fmt.Errorf("bandwidth %d is not from 1 to %d, or beside none", entry.Bandwidth, MaxBandwidth))
		}
		if entry.NextHop.IsValid() {
			err = errors.Join(err, checkAddress(entry.NextHop))
		}
		if err != nil {
			return fmt.Errorf("sequence %d: %w", entry.Sequence, err)
		}
	}
	return nil
}

func checkCommunities(communities []string, limit int) error {
	if len(communities) > limit {
		return fmt.Errorf("%d communities: FRR takes at most %d on one line", len(communities), limit)
	}
	for _, community := range communities {
		if err := checkWord(community); err != nil {
			return fmt.Errorf("community %q %w", community, err)
		}
	}
	return nil
}

func checkRouter(router *Router, defined map[string]bool) error {
	if router.VRF != "" {
		if err := CheckVRF(router.VRF); err != nil {
			return fmt.Errorf("name %w", err)
		}
	}
	if router.ASN == 0 {
		return errors.New("AS number is 0")
	}
	if !router.RouterID.Is4() || router.RouterID.IsUnspecified() {
		return fmt.Errorf("router-id %q is not an IPv4 address other than 0.0.0.0", router.RouterID)
	}
	for i := range router.Neighbors {
		if err := checkNeighbor(&router.Neighbors[i]); err != nil {
			return fmt.Errorf("neighbor %q: %w", router.Neighbors[i].End, err)
		}
	}
	for _, prefix := range router.Discards {
		if err := checkPrefix(prefix); err != nil {
			return fmt.Errorf("discard route %q: %w", prefix, err)
		}
	}
	for i := range router.Families {
		if err := checkFamily(&router.Families[i], defined); err != nil {
			return fmt.Errorf("%s: %w", router.Families[i].Family, err)
		}
	}
	return nil
}

func checkEnd(end End) error {
	switch {
	case end.Interface == "":
		if err := checkAddress(end.Address); err != nil {
			return fmt.Errorf("address %w", err)
		}
		return nil
	case end.Address.IsValid():
		return errors.New("has both an address and an interface")
	}
	if err := CheckInterface(end.Interface); err != nil {
		return fmt.Errorf("interface %w", err)
	}
	return nil
}

func checkNeighbor(neighbor *Neighbor) error {
	if err := checkEnd(neighbor.End); err != nil {
		return err
	}
	if neighbor.Interface != "" && (neighbor.Source.IsValid() || neighbor.MultihopTTL > 0 || neighbor.DisableConnectedCheck || neighbor.ExtendedNextHop) {
		return errors.New("is behind an interface and has what only one with an address can have")
	}
	switch neighbor.Dynamic {
	case "":
		if neighbor.RemoteASN == 0 {
			return errors.New("AS number is 0")
		}
	case AnyInternal, AnyExternal:
		if neighbor.RemoteASN != 0 {
			return errors.New("AS number is both given and dynamic")
		}
	default:
		return fmt.Errorf("AS number %q is neither internal nor external", neighbor.Dynamic)
	}
	if neighbor.Source.IsValid() {
		if err := checkAddress(neighbor.Source); err != nil {
			return fmt.Errorf("source %w", err)
		}
	}
	if neighbor.TTLSecurityHops == maxTTL || neighbor.TTLSecurityHops > 0 && neighbor.MultihopTTL > 0 {
		return errors.New("TTL security of 255 hops, or together with multihop")
	}
	if neighbor.MultihopTTL == maxTTL {
		return errors.New("multihop TTL is 255: FRR's releases print it differently")
	}
	for _, d := range []time.Duration{neighbor.HoldTime, neighbor.KeepaliveTime, neighbor.ConnectTime} {
		if d < 0 || d > 65535*time.Second || d%time.Second != 0 {
			return fmt.Errorf("timer %s is not whole seconds from 0 to 65535", d)
		}
	}
	return checkPassword(neighbor.Password.Reveal())
}

func checkPassword(password string) error {
	switch {
	case password == "":
		return nil
	case len(password) > MaxPasswordLength:
		return fmt.Errorf("password is longer than %d characters", MaxPasswordLength)
	case password[len(password)-1] == HelpMark:
		return fmt.Errorf("password ends with %q", HelpMark)
	}
	if err := checkWord(password); err != nil {
		return fmt.Errorf("password %w", err)
	}
	return nil
}

// checkFamily leaves the networks' prefixes to the Renderer, which looks at each
// only once.
func checkFamily(family *RouterFamily, defined map[string]bool) error {
	if family.Family != IPv4 && family.Family != IPv6 {
		return errors.New("unknown family")
	}
	for _, neighbor := range family.Neighbors {
		if err := checkEnd(neighbor.End); err != nil {
			return fmt.Errorf("neighbor %q: %w", neighbor.End, err)
		}
		for _, name := range []string{neighbor.InMap, neighbor.OutMap} {
			if !defined[name] {
				return fmt.Errorf("neighbor %q: route-map %q is not defined", neighbor.End, name)
			}
		}
	}
	checked := ""
	for i := range family.Networks {
		if name := family.Networks[i].RouteMap; name != checked {
			if !defined[name] {
				return fmt.Errorf("network %s: route-map %q is not defined", family.Networks[i].Prefix, name)
			}
			checked = name
		}
	}
	return nil
}

func checkNetwork(network Network, family Family) error {
	if err := checkPrefix(network.Prefix); err != nil {
		return fmt.Errorf("network %q: %w", network.Prefix, err)
	}
	if FamilyOf(network.Prefix.Addr()) != family {
		return fmt.Errorf("network %s: is not %s", network.Prefix, family)
	}
	return nil
}

func checkPrefix(prefix netip.Prefix) error {
	if err := checkAddress(prefix.Addr()); err != nil || !prefix.IsValid() {
		return errAddress
	}
	if prefix != prefix.Masked() {
		return errHostBits
	}
	return nil
}

// maxListSequence: FRR 8.4 takes larger ones for negative when it sorts.
const maxListSequence = 1<<31 - 1

// checkPrefixLists refuses lists that FRR doesn't keep, and entries that it would
// print otherwise.
func checkPrefixLists(lists []PrefixList) (map[string]bool, error) {
	defined := make(map[string]bool, len(lists))
	for _, list := range lists {
		if err := checkWord(list.Name); err != nil {
			return nil, fmt.Errorf("prefix-list %q: name %w", list.Name, err)
		}
		if len(list.Entries) == 0 {
			return nil, fmt.Errorf("prefix-list %q has no entry: FRR would not define it", list.Name)
		}
		last := uint32(0)
		for _, entry := range list.Entries {
			if entry.Sequence <= last || entry.Sequence > maxListSequence {
				return nil, fmt.Errorf("prefix-list %q: sequence %d after %d: must rise from 1 to %d", list.Name, entry.Sequence, last, maxListSequence)
			}
			last = entry.Sequence
			if err := checkListEntry(entry, list.Family); err != nil {
				return nil, fmt.Errorf("prefix-list %q: %s: %w", list.Name, entry.Prefix, err)
			}
		}
		defined[list.Name] = true
	}
	return defined, nil
}

func checkListEntry(entry PrefixListEntry, family Family) error {
	if err := checkPrefix(entry.Prefix); err != nil {
		return err
	}
	least := entry.Prefix.Bits()
	switch {
	case FamilyOf(entry.Prefix.Addr()) != family:
		return fmt.Errorf("is not %s", family)
	case entry.GE > 0 && int(entry.GE) <= least, entry.LE > 0 && int(entry.LE) <= least,
		int(max(entry.GE, entry.LE)) > entry.Prefix.Addr().BitLen(), entry.LE > 0 && entry.GE > entry.LE:
		return fmt.Errorf("ge %d and le %d do not fit", entry.GE, entry.LE)
	}
	return nil
}
