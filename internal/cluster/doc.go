// Package cluster connects a Herald process to its Kubernetes cluster.
//
// Stage: before all others, at the start of a process. Input: the path of a
// kubeconfig. Output: a client configuration, or one line that says what is
// missing and how to mend it. It never writes to the API.
package cluster
