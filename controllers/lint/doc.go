// Package lint says what is wrong with manifests before they are applied.
//
// Stage: in place of API server, manager and agents together. Input: manifests, or
// a cluster's objects, or both. Output: Findings, in a fixed order: what the API
// server would refuse (package admission), which Services would stay without an
// address (package allocator) and what the nodes would refuse (package compile).
// It decides nothing by itself: the same code decides in a cluster.
package lint
