package snapshot

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/herald-lb/herald/api/v1alpha1"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

func networkOf(interfaces map[string][]string) *Network {
	network := &Network{Interfaces: map[string][]InterfaceAddress{}}
	for name, prefixes := range interfaces {
		network.Interfaces[name] = nil
		for _, prefix := range prefixes {
			network.Interfaces[name] = append(network.Interfaces[name], InterfaceAddress{Prefix: netip.MustParsePrefix(prefix)})
		}
	}
	return network
}

// Each step says whether it must be told as a change.
func TestOnlyWhatPeersReadOfTheNetworkMatters(t *testing.T) {
	store := NewStore(nil, Host{}, nil)
	if store.Snapshot().Network != nil {
		t.Fatal("an unknown network is known")
	}
	reading := peerOf("tor-a", "")
	reading.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{Interface: "eth1"}
	reading.Spec.RouterIDFrom = &v1alpha1.NodeAddressSource{CIDR: "10.9.0.0/16"}
	following := peerOf("tor-b", "")
	following.Spec.DefaultGateway = v1alpha1.DefaultGatewayIPv4
	gateway := func(addresses ...string) func() bool {
		network := networkOf(nil)
		for _, address := range addresses {
			network.Gateways = map[frrtemplates.Family][]Gateway{frrtemplates.IPv4: append(network.Gateways[frrtemplates.IPv4], Gateway{Address: netip.MustParseAddr(address)})}
		}
		return func() bool { return store.SetNetwork(network) }
	}
	set := func(interfaces map[string][]string) func() bool {
		return func() bool { return store.SetNetwork(networkOf(interfaces)) }
	}
	for _, step := range []struct {
		name string
		do   func() bool
		want bool
	}{
		{"first", set(map[string][]string{"eth0": {"10.0.0.1/24"}}), true},
		{"an interface that nobody reads", set(map[string][]string{"eth0": {"10.0.0.1/24"}, "eth1": {"10.1.0.1/24"}}), false},
		{"a peer that does", func() bool { return store.SetPeer(reading) }, true},
		{"its status", func() bool { return store.SetPeer(reading.DeepCopy()) }, false},
		{"the same again", set(map[string][]string{"eth0": {"10.0.0.1/24"}, "eth1": {"10.1.0.1/24"}}), false},
		{"a pod", set(map[string][]string{"eth0": {"10.0.0.1/24"}, "eth1": {"10.1.0.1/24"}, "veth9": {"10.244.0.1/32"}}), false},
		{"another address there", set(map[string][]string{"eth1": {"10.1.0.1/24", "10.1.0.2/24"}}), true},
		{"another order", set(map[string][]string{"eth1": {"10.1.0.2/24", "10.1.0.1/24"}}), true},
		{"an address in the CIDR", set(map[string][]string{"eth1": {"10.1.0.2/24"}, "lo": {"10.9.0.1/32", "10.8.0.1/32"}}), true},
		{"one beside it", set(map[string][]string{"eth1": {"10.1.0.2/24"}, "lo": {"10.9.0.1/32", "10.8.0.2/32"}}), false},
		{"the interface gone", set(map[string][]string{"lo": {"10.9.0.1/32"}}), true},
		{"back without address", set(map[string][]string{"eth1": nil, "lo": {"10.9.0.1/32"}}), true},
		{"the peer gone", func() bool { return store.DeletePeer("tor-a") }, true},
		{"a gateway that nobody reads", gateway("10.0.0.1"), false},
		{"a peer that does", func() bool { return store.SetPeer(following) }, true},
		{"the same again", gateway("10.0.0.1"), false},
		{"another one", gateway("10.0.0.2"), true},
		{"one more", gateway("10.0.0.2", "10.0.0.3"), true},
		{"none", gateway(), true},
		{"no peer", func() bool { return store.DeletePeer("tor-b") }, true},
		{"what it read", set(map[string][]string{"eth1": {"10.1.0.9/24"}}), false},
	} {
		if got := step.do(); got != step.want {
			t.Fatalf("%s: changed %v, want %v", step.name, got, step.want)
		}
	}
}

// A peer that comes reads the network as it is now.
func TestNetworkIsUpToDate(t *testing.T) {
	store := NewStore(nil, Host{}, nil)
	store.SetNetwork(networkOf(map[string][]string{"eth1": {"10.1.0.1/24"}}))
	before := store.Snapshot()
	store.SetNetwork(networkOf(map[string][]string{"eth1": {"10.1.0.2/24"}}))
	reading := peerOf("tor-a", "")
	reading.Spec.SourceAddressFrom = &v1alpha1.NodeAddressSource{Interface: "eth1"}
	store.SetPeer(reading)
	want := networkOf(map[string][]string{"eth1": {"10.1.0.2/24"}}).Interfaces["eth1"]
	if got := store.Snapshot().Network.Interfaces["eth1"]; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if len(before.Network.Interfaces) != 0 {
		t.Errorf("an earlier Snapshot changed: %v", before.Network)
	}
}
