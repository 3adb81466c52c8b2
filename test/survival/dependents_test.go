package main

import (
	"testing"

	"github.com/herald-lb/herald/test/survival/flow"
)

func TestConnectionOf(t *testing.T) {
	cases := map[string]struct {
		line   string
		want   tuple
		server string
	}{
		"TCP": {
			"tcp      6 86399 ESTABLISHED src=10.20.1.2 dst=203.0.113.0 sport=51049 dport=80 src=10.244.3.2 dst=10.10.0.12 sport=8080 dport=51049 [ASSURED] mark=0 use=1\n",
			tuple{flow.TCP, "10.20.1.2:51049", "203.0.113.0:80"}, "10.244.3.2",
		},
		"unanswered UDP over IPv6": {
			"udp      17 29 src=2001:db8:51::2 dst=2001:db8:113::1 sport=40000 dport=80 [UNREPLIED] src=fd00:244:1::2 dst=2001:db8:51::2 sport=8080 dport=40000 mark=0 use=1\n",
			tuple{flow.QUIC, "[2001:db8:51::2]:40000", "[2001:db8:113::1]:80"}, "fd00:244:1::2",
		},
		"ICMP":     {"icmp     1 29 src=10.10.0.1 dst=10.10.0.12 type=8 code=0 id=7 src=10.10.0.12 dst=10.10.0.1 type=0 code=0 id=7 mark=0 use=1\n", tuple{}, ""},
		"its end":  {"conntrack v1.4.8 (conntrack-tools): 37 flow entries have been shown.\n", tuple{}, ""},
		"an empty": {"\n", tuple{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, server := connectionOf(c.line); got != c.want || server != c.server {
				t.Errorf("%+v %q, want %+v %q", got, server, c.want, c.server)
			}
		})
	}
}
