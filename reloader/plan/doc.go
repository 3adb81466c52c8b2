// Package plan decides how to bring a running FRR to a wanted configuration.
//
// Stage: plan. Input: the wanted configuration and the State of FRR, both
// parsed from text. Output: a Plan of steps, in the order in which they must be
// taken, and Lines that differ. It is pure: no socket, no clock, no file.
//
// Between any two commands of a plan no neighbor gets a prefix that isn't meant
// for it: removed prefixes go first, an entry of a route-map in use is built as
// "deny" and becomes "permit" when it is complete, a family is activated on a
// neighbor after its maps are named, a neighbor goes before what restrains it,
// new prefixes come last, and discard routes and route-maps that nothing needs any
// more go after everything.
//
// It never puts a route-map into a single daemon and never asks frr-reload.py to
// change a "network" line or a route-map: it would delete first and line by line.
package plan
