// Package router runs the lab's routers: FRR, BIRD 2 and GoBGP behind one
// interface.
//
// What a router says it received, and what its kernel would do with a packet,
// is the evidence of every scenario; each such question is counted (Reads), and
// a scenario that asked nobody fails.
package router
