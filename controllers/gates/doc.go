// Package gates watches whether the node's dataplane serves, and its relay has its
// rules, before a Service is announced from the node for the first time since boot.
//
// Stage: snapshot. Input: which gates are closed and wanted (by compile's
// Result). Output: snapshot.Opened. It asks kube-proxy and the relay only while a gate
// is closed and wanted, and never closes one.
package gates
