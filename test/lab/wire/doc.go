// Package wire reads the BGP messages that reach a router of the lab off its
// network card, whatever make the router is. It is the proof of what a table
// can't tell: that a prefix was never withdrawn in between, and that no session
// was opened or closed.
package wire
