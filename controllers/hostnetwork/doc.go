// Package hostnetwork reads the addresses of the node's interfaces and its default
// gateways from the kernel, and tells when they change.
//
// Stage: snapshot. Input: rtnetlink. Output: snapshot.Network. It decides nothing
// and changes nothing on the node.
package hostnetwork
