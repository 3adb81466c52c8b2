// Package apply brings a running FRR to a configuration and keeps it there.
//
// Stage: apply and verify. Input: a file of the exchange directory. Output:
// FRR runs it, or FRR runs the last good one again and the error is FRR's own.
// It reads each daemon's own running configuration, plans (package plan), takes
// the steps and looks whether what it wanted is there.
//
// An epoch is the life of one connection to bgpd. A broken connection ends it:
// nothing is written before the daemons have loaded what they start with and
// their configuration was read again.
//
// It never writes a route-map to one daemon only, never changes a "network" line
// by frr-reload.py, never changes the host's sysctls and never touches FRR's
// processes. An Applier is used by one goroutine: all writing is in one place.
package apply
