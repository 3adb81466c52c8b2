// Package scenarios holds the numbered behaviours of Herald as tests on the lab:
// real API server, real FRR on the nodes, routers of three makes. A spec's text
// begins with the number of its scenario, so that `make scenarios FOCUS=D1` runs
// it.
//
// A scenario that passes without having asked a router or a kernel fails: what
// Herald says about itself is no evidence.
//
// Every node has a session with every router over IPv4 and over IPv6 for the
// whole run (BGPPeers "tor-a", "tor-a-ipv6", ...). Everything else that a spec
// makes is removed after it. A spec in which one of these sessions is reset
// fails, unless it says so beforehand (mayReset); they are brought up again after
// it.
package scenarios
