// Package relay runs "herald relay" on nodes that are network namespaces of a real
// kernel, behind a router that spreads connections by a stateless hash, and looks at
// the connections: how many break when the router rehashes.
package relay
