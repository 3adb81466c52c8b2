// Package compile decides: which node announces which prefix to which peer with
// which attributes, and what is refused and why.
//
// Stage: compile. Input: a snapshot.Snapshot. Output: a Result: a
// frrtemplates.Config, the Issues and the Origins. It is pure and
// deterministic: no clock, no I/O, no map order; shuffled input gives the same
// Result. The agent, the manager's conditions, the offline commands and the
// tests all use it: there is no second place where a decision is made.
//
// Users' mistakes are data (Issue), never errors: a bad object takes out itself
// and what needs it, nothing else. Where two objects conflict the older wins
// (creationTimestamp, then name).
package compile
