// Package explain says what becomes of a Service on each node: announced to whom
// with which attributes, or the first reason why not, in words with the remedy.
//
// Stage: beside the others, for people. Input: the objects of a cluster
// (offline.Objects) and what its agents report (offline.States). Output:
// Explanation and Route, which are also what "kubectl herald" prints as JSON. It
// decides nothing: it asks compile, and then the reports.
package explain
