// Package tunnel makes the two VXLAN devices by which nodes hand packets to each
// other: Data for relayed packets, Claim for the owners' answers.
//
// Input: a Spec (this node's address, the peers', port, VNI, MTU). Output: the
// devices with every peer as a permanent neighbour, and nothing learned from the
// wire (RFC 7348 without its learning). What exists as wished stays as it is, so
// that a restarted relay interrupts nothing.
//
// Next hops and MAC addresses are made of the peers' addresses: all nodes come to
// the same ones without asking anybody.
package tunnel
