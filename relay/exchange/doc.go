// Package exchange is the contract between the agent and the relay, the process
// that takes packets of established connections to the node that owns them.
//
// The agent writes relay.json (Desired), the relay answers in relay-report.json
// (Report), each by rename. The relay reads nothing else: no API server, no FRR.
// What Desired says is compiled from the same snapshot as frr.conf; the relay
// decides nothing but whether this machine's kernel can do it.
package exchange
