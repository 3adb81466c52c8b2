package frrtemplates

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// The names of all route-maps are made here and nowhere else. A class's map
// starts with "herald." and every other with "herald_", so that no object's
// name can make one look like the other. Names of Kubernetes objects hold
// lower-case letters, digits, "-" and "." (RFC 1123): "_" separates them.
const (
	classPrefix    = "herald."
	outboundPrefix = "herald_out_"
	separator      = "_"
	// hashMark can't come from joined names: a name is never empty.
	hashMark      = "__"
	inboundPrefix = "herald_in_"
	// DenyMap is the inbound map of neighbors of which nothing is received.
	DenyMap = "herald_deny"

	// maxWord bounds what comes from objects' names in one route-map's name. A
	// longer one is cut and told apart by a hash of the whole.
	maxWord    = 63
	hashLength = 16
)

// ClassMap is the route-map that marks the prefixes of a class: of all prefixes
// to which exactly this set of advertisements applies. The names must be sorted.
func ClassMap(advertisements []string) string {
	return classPrefix + word(advertisements)
}

// variantMark can't come from names, which have no upper-case letters.
const variantMark = ".W"

// WeightedClassMap is a variant of a class's route-map that weighs the prefixes,
// too, by a number of endpoints.
func WeightedClassMap(classMap string, endpoints int) string {
	return classMap + variantMark + strconv.Itoa(endpoints)
}

// WithoutWeight is the route-map of the class that a route-map is a variant of.
func WithoutWeight(classMap string) string {
	class, _, _ := strings.Cut(classMap, variantMark)
	return class
}

// IsClassMap says whether a route-map is that of a class.
func IsClassMap(name string) bool { return strings.HasPrefix(name, classPrefix) }

// OutboundMap is the route-map that decides what a peer gets of a family.
func OutboundMap(peer string, family Family) string {
	return outboundPrefix + word([]string{peer}) + separator + family.String()
}

// IsOutboundMap says whether a route-map is one of OutboundMap.
func IsOutboundMap(name string) bool { return strings.HasPrefix(name, outboundPrefix) }

// InboundMap is the route-map that decides what is received from a peer of a
// family, and the prefix-list of what it may send.
func InboundMap(peer string, family Family) string {
	return inboundPrefix + word([]string{peer}) + separator + family.String()
}

// ProtectedList is the prefix-list of what is never received of a family.
func ProtectedList(family Family) string { return "herald_protected_" + family.String() }

// DefaultList is the prefix-list with the default route of a family.
func DefaultList(family Family) string { return "herald_default_" + family.String() }

// BFDProfileName is FRR's name of a BFDProfile; it takes 63 characters.
func BFDProfileName(profile string) string { return word([]string{profile}) }

// BFDProfileWithoutEchoName is that of a BFDProfile's variant for sessions over
// which echoes don't work.
func BFDProfileWithoutEchoName(profile string) string { return word([]string{profile, "without-echo"}) }

// word joins object names into one word of bounded length, different for
// different names.
func word(names []string) string {
	joined := strings.Join(names, separator)
	if len(joined) <= maxWord && onlyNames(names) {
		return joined
	}
	// NUL can't be in a name that anybody accepts, so the hash is of the list.
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	hash := hex.EncodeToString(sum[:])[:hashLength]
	return readable(joined, maxWord-len(hashMark)-hashLength) + hashMark + hash
}

func onlyNames(names []string) bool {
	for _, name := range names {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
			return false
		}
	}
	return true
}

// readable is the beginning of a text, with "-" for what a name can't hold.
func readable(text string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		if isNameRune(r) || r == '_' {
			return r
		}
		return '-'
	}, text)
	return clean[:min(limit, len(clean))]
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.'
}
