// Package offline makes of manifests what a cluster with Herald would make of
// them, without one.
//
// Stage: in place of API server and manager, before snapshot. Input: manifests as
// they were read, objects of a cluster, or both. Output: Objects, with addresses
// given to Services by the real allocator, and from them a snapshot.Snapshot for
// each node, for the same compile that the agents use. What is assumed, because
// manifests don't say it, is told in Notes.
//
// It never writes to a cluster and decides nothing by itself.
package offline
