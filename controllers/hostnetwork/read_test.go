package hostnetwork

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/controllers/snapshot"
)

func ipNet(text string) *net.IPNet {
	if text == "" {
		return nil
	}
	ip, n, err := net.ParseCIDR(text)
	if err != nil {
		panic(err)
	}
	if four := ip.To4(); four != nil {
		ip = four
	}
	return &net.IPNet{IP: ip, Mask: n.Mask}
}

func TestTrim(t *testing.T) {
	for name, test := range map[string]struct {
		local, peer string
		flags       int
		usable      bool
		fading      bool
		otherEnd    string
	}{
		"IPv4":                        {local: "10.0.0.1/24", flags: unix.IFA_F_PERMANENT, usable: true},
		"a further address, IPv4":     {local: "10.0.0.2/24", flags: unix.IFA_F_SECONDARY, usable: true},
		"IPv6":                        {local: "2001:db8::1/64", flags: unix.IFA_F_PERMANENT, usable: true},
		"temporary":                   {local: "2001:db8::1/64", flags: unix.IFA_F_TEMPORARY, usable: true, fading: true},
		"deprecated":                  {local: "2001:db8::1/64", flags: unix.IFA_F_DEPRECATED, usable: true, fading: true},
		"deprecated, IPv4":            {local: "10.0.0.1/24", flags: unix.IFA_F_DEPRECATED, usable: true, fading: true},
		"tentative":                   {local: "2001:db8::1/64", flags: unix.IFA_F_TENTATIVE},
		"a duplicate":                 {local: "2001:db8::1/64", flags: unix.IFA_F_DADFAILED},
		"link-local":                  {local: "fe80::1/64"},
		"link-local, IPv4":            {local: "169.254.20.10/32"},
		"loopback":                    {local: "127.0.0.1/8"},
		"loopback, IPv6":              {local: "::1/128"},
		"on loopback":                 {local: "10.9.9.9/32", usable: true},
		"point-to-point":              {local: "10.3.0.1/32", peer: "10.3.9.9/32", usable: true, otherEnd: "10.3.9.9"},
		"point-to-point with itself":  {local: "10.3.0.1/32", peer: "10.3.0.1/32", usable: true},
		"an address without a subnet": {},
	} {
		t.Run(name, func(t *testing.T) {
			got, usable := trim(&netlink.Addr{IPNet: ipNet(test.local), Peer: ipNet(test.peer), Flags: test.flags})
			if usable != test.usable {
				t.Fatalf("usable %v", usable)
			}
			if !usable {
				return
			}
			want := snapshot.InterfaceAddress{Prefix: netip.MustParsePrefix(test.local), Fading: test.fading}
			if test.otherEnd != "" {
				want.Peer = netip.MustParseAddr(test.otherEnd)
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestReadHasTheLoopbackInterface(t *testing.T) {
	network, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	addresses, found := network.Interfaces["lo"]
	if !found {
		t.Errorf("interfaces: %v", network.Interfaces)
	}
	for _, address := range addresses {
		if address.Prefix.Addr().IsLoopback() {
			t.Errorf("loopback address %s", address.Prefix)
		}
	}
}
