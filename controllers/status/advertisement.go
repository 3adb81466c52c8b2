package status

import "github.com/herald-lb/herald/api/v1alpha1"

// ApplyAdvertisement writes a BGPAdvertisement's status and says whether that
// changed anything.
func ApplyAdvertisement(advertisement *v1alpha1.BGPAdvertisement, fleet *Fleet) bool {
	accepted := fleet.accepted(kindAdvertisement, advertisement.Name, fleet.nodesApplying(advertisement.Name))
	return set(&advertisement.Status.Conditions, v1alpha1.ConditionAccepted, advertisement.Generation, accepted)
}

// nodesApplying are the nodes that an advertisement applies on, by name.
func (f *Fleet) nodesApplying(advertisement string) []string {
	var nodes []string
	for _, policy := range f.Policies {
		for _, a := range policy.Advertisements {
			if a.Name == advertisement {
				nodes = append(nodes, policy.Node)
			}
		}
	}
	return nodes
}
