package grammar

import "testing"

func TestForeignFindsWhatIsNotHeralds(t *testing.T) {
	body := "router bgp 64512\n neighbor 192.0.2.1 remote-as 64500\n neighbor 192.0.2.66 shutdown\nexit\n!\nno router bgp\n"
	foreign := Foreign(body)
	if len(foreign) != 2 || foreign[0] != " neighbor 192.0.2.66 shutdown" || foreign[1] != "no router bgp" {
		t.Errorf("%q", foreign)
	}
	for _, line := range []string{" neighbor 192.0.2.1 password a b", "  network 192.0.2.1/32 route-map other", " set community 1:1 additive x y !", "exit ", " neighbor eth0 shutdown", " neighbor eth0 interface", "interface a b", "router bgp 1 vrf a b"} {
		if len(Foreign(line)) == 0 {
			t.Errorf("%q is taken for Herald's", line)
		}
	}
}
