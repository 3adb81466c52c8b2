// Package metrics tells Prometheus what an agent knows of its node, and the manager
// of the cluster.
//
// But for Latency nothing is counted here: every scrape reads what is known at that
// moment, as it stands in the objects' status. So a series is gone when what it is
// about is.
package metrics
