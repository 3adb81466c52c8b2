// Package status turns decisions and reports into the status of API objects.
//
// Stage: the last one in the manager. Input: the allocator's decisions,
// compile's answers, and what the nodes report (BGPNode, BGPSession). Output:
// the object with its new status, and whether anything has changed. It is pure:
// the clock comes in as an argument. It touches no condition that isn't
// Herald's and never takes a condition as input for a decision, with one
// exception: that a Service's herald-lb.io/Allocated is True is the mark that its
// addresses are Herald's.
package status
