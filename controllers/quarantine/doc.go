// Package quarantine finds the objects for which FRR refuses a node's configuration,
// so that the rest applies.
//
// Stage: between report and snapshot, in the agent. Input: what the reloader reports
// about the configuration that was offered, and the objects that it was made of.
// Output: the next snapshot, in which an object that FRR refuses is marked
// (snapshot.Refusal): the version of it that FRR took before stands in its place, or,
// where there was none, compile leaves it out. It never decides what a configuration
// holds, and never speaks to FRR.
//
// The objects are found by halves: what has changed since FRR last took everything is
// left out, and let in again in groups; a group with which FRR refuses is halved. One
// refusal isn't enough: FRR also refuses while somebody else edits.
package quarantine
