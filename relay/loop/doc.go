// Package loop is the relay's process: relay.json → checks, tunnel and rules →
// relay-report.json.
//
// It keeps nothing that the kernel doesn't: one that starts finds in the tables what
// the one before was doing, and goes on. When it ends everything stays as it is.
//
// Switching on: devices (down), rules, devices up. Switching off: what vanished from
// Desired.Learn is Leaving while packets are relayed for it from or to this node;
// tables and devices go when nothing is left.
package loop
