package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/precedence"
)

// aliases are names for communities, with the value and the Community that each
// comes from.
type aliases map[string]alias

type alias struct {
	value, owner string
}

// acceptAliases takes the names of all Communities, the oldest first. A name
// with a bad value is left out, and so is one that an older object gives another
// value.
func (b *builder) acceptAliases(all []*v1alpha1.Community) {
	b.aliases = aliases{}
	for _, object := range precedence.Sorted(all) {
		ref := ObjectRef{Kind: "Community", Name: object.Name}
		for i, entry := range object.Spec.Communities {
			value := string(entry.Value)
			if slices.Contains(wellKnown, entry.Name) || !isName(entry.Name) {
				b.refuse(ref, v1alpha1.ReasonInvalidCommunity, fmt.Sprintf(
					"spec.communities[%d].name %q must be a letter, then letters, digits, \"-\", \"_\" and \".\", and no well-known name; the other names hold", i, entry.Name))
				continue
			}
			if err := new(attributes).addCommunity(value); err != nil {
				b.refuse(ref, v1alpha1.ReasonInvalidCommunity, fmt.Sprintf(
					"spec.communities[%d].value %q %s; the other names hold", i, value, err))
				continue
			}
			older, taken := b.aliases[entry.Name]
			if !taken {
				b.aliases[entry.Name] = alias{value: value, owner: object.Name}
			} else if older.value != value {
				b.refuse(ref, v1alpha1.ReasonDuplicateAlias, fmt.Sprintf(
					"spec.communities[%d]: %q is %s in the older Community %q, which holds: choose another name; the other names hold",
					i, entry.Name, older.value, older.owner))
			}
		}
	}
}

// parse reads an advertisement's communities. The error names the first few that
// are wrong, the reason is that of the first.
func (known aliases) parse(values []v1alpha1.CommunityValue) (parsed attributes, reason string, err error) {
	var errs []string
	fail := func(why, message string) {
		if reason == "" {
			reason = why
		}
		errs = append(errs, message)
	}
	for i, value := range values {
		text := string(value)
		if found, isAlias := known[text]; isAlias {
			text = found.value
		} else if isName(text) && !slices.Contains(wellKnown, text) {
			fail(v1alpha1.ReasonUnknownCommunity, fmt.Sprintf(
				"spec.communities[%d]: no Community has the alias %q: make one, or correct the name (well-known ones are %s)", i, text, strings.Join(wellKnown, ", ")))
			continue
		}
		if err := parsed.addCommunity(text); err != nil {
			fail(v1alpha1.ReasonInvalidCommunity, fmt.Sprintf("spec.communities[%d] %q %s", i, text, err))
		}
	}
	if len(errs) > 0 {
		return attributes{}, reason, errors.New(strings.Join(atMost(errs, 3), "; "))
	}
	return parsed, "", nil
}

// isName says whether a text could be an alias: a letter, then letters, digits,
// "-", "_" and ".".
func isName(text string) bool {
	for i, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		other := r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return text != ""
}
