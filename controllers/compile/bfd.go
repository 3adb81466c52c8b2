package compile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// FRR's values where a profile says nothing; it doesn't print them back.
const (
	bfdInterval     = 300
	bfdEchoInterval = 50
	bfdMultiplier   = 3
	bfdMinimumTTL   = 254
	// bfdHopsFrom: over several hops FRR doesn't read minimum-ttl of the profile, but
	// takes 256 less ebgp-multihop for it (measured on 8.4 and 10.3).
	bfdHopsFrom = 256
)

// acceptProfiles reads the BFDProfiles. One that is malformed (the API server has
// refused most before) is as good as none to the peers that name it.
func (b *builder) acceptProfiles(all []*v1alpha1.BFDProfile) {
	b.profiles = make(map[string]frrtemplates.BFDProfile, len(all))
	for _, object := range all {
		ref := ObjectRef{Kind: "BFDProfile", Name: object.Name}
		profile, err := parseProfile(&object.Spec)
		if err != nil {
			b.refuse(ref, v1alpha1.ReasonInvalidBFDProfile, err.Error())
			continue
		}
		if !b.taken(ref) {
			continue
		}
		profile.Name = frrtemplates.BFDProfileName(object.Name)
		b.profiles[object.Name] = profile
	}
}

// addProfile lets BFD watch a peer's session. Without its profile the session
// runs unwatched: a profile deleted by mistake costs seconds at the next failure,
// not all routes at once.
func (b *builder) addProfile(ref ObjectRef, name string, neighbor *frrtemplates.Neighbor) {
	if name == "" {
		return
	}
	profile, found := b.profiles[name]
	if !found {
		b.refuse(ref, v1alpha1.ReasonBFDProfileNotFound, fmt.Sprintf(
			"spec.bfdProfile: there is no BFDProfile %q that can be used: create or correct it; until then the session runs without BFD", name))
		return
	}
	if profile.EchoMode && (neighbor.Interface != "" || neighbor.Address.Is6() || neighbor.MultihopTTL > 0) {
		b.refuse(ref, v1alpha1.ReasonNoEffect, fmt.Sprintf(
			"spec.bfdProfile: echoMode of BFDProfile %q has no effect: FRR's echoes work over IPv4 and a single hop only, and over IPv6 they would close the session; BFD watches it without them; give the peer a profile without echoMode", name))
		profile.EchoMode, profile.EchoInterval, profile.Name = false, 0, frrtemplates.BFDProfileWithoutEchoName(name)
	}
	if neighbor.MultihopTTL > 0 && profile.MinimumTTL > 0 {
		neighbor.MultihopTTL = uint8(min(multihopTTL, bfdHopsFrom-profile.MinimumTTL))
	}
	neighbor.BFDProfile = profile.Name
	b.policy.profiles = append(b.policy.profiles, profile)
}

// sortProfiles leaves each profile that a peer of the node uses once, by name.
func (b *builder) sortProfiles() {
	slices.SortFunc(b.policy.profiles, func(x, y frrtemplates.BFDProfile) int { return cmp.Compare(x.Name, y.Name) })
	b.policy.profiles = slices.Compact(b.policy.profiles)
}

func parseProfile(spec *v1alpha1.BFDProfileSpec) (frrtemplates.BFDProfile, error) {
	profile := frrtemplates.BFDProfile{EchoMode: spec.EchoMode, PassiveMode: spec.PassiveMode}
	for _, value := range []struct {
		field               string
		of                  *int32
		least, most, absent int32
		to                  *int32
	}{
		{"receiveInterval", spec.ReceiveInterval, 10, 60000, bfdInterval, &profile.ReceiveInterval},
		{"transmitInterval", spec.TransmitInterval, 10, 60000, bfdInterval, &profile.TransmitInterval},
		{"echoInterval", spec.EchoInterval, 10, 60000, bfdEchoInterval, &profile.EchoInterval},
		{"detectMultiplier", spec.DetectMultiplier, 2, 255, bfdMultiplier, &profile.DetectMultiplier},
		{"minimumTtl", spec.MinimumTTL, 1, 254, bfdMinimumTTL, &profile.MinimumTTL},
	} {
		if value.of == nil || *value.of == value.absent {
			continue
		}
		if *value.of < value.least || *value.of > value.most {
			return profile, fmt.Errorf("spec.%s %d is out of range: want %d to %d", value.field, *value.of, value.least, value.most)
		}
		*value.to = *value.of
	}
	return profile, nil
}
