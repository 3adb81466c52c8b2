package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every Herald Kind, and the prefix of Herald's
// annotations, labels and Service conditions.
const GroupName = "herald-lb.io"

// GroupVersion is the group and version of the Kinds in this package.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// AddToScheme registers the Kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&IPAddressPool{}, &IPAddressPoolList{},
		&BGPPeer{}, &BGPPeerList{},
		&BGPAdvertisement{}, &BGPAdvertisementList{},
		&Community{}, &CommunityList{},
		&BFDProfile{}, &BFDProfileList{},
		&FRRSnippet{}, &FRRSnippetList{},
		&FlowPolicy{}, &FlowPolicyList{},
		&BGPSession{}, &BGPSessionList{},
		&BGPNode{}, &BGPNodeList{},
		&Herald{}, &HeraldList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
