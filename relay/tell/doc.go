// Package tell has the client of a connection that nobody has told by its first packet.
//
// Input: the headers of the first packets of searched connections, from netfilter's log
// (rules.LogGroup). Output: for each an empty TCP segment of the same connection, to this
// node's own end of the tunnel: once when the search is half over, so that the others are
// asked again; once when it is over, so that the local stack answers with a reset; and
// once a little later, so that the rules do where it hasn't. Whether any of that happens
// the kernel decides, by what it knows then.
//
// It needs CAP_NET_ADMIN for the log, and nothing for sending: a frame of VXLAN is a
// datagram. What waits is bounded; beyond, and while no process runs, clients are told by
// their second packet.
package tell
