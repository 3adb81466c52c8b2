// Package cluster brings up a real Kubernetes cluster on one machine, without
// Docker and without a registry: the lab's network, routers and client, etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler, and nodes that
// each run containerd, kubelet and kube-proxy in namespaces of their own.
//
// A node is a box (package sandbox) on a Debian root filesystem of its own, with
// its disk in the lab's directory. Killing the box is the node's crash; another
// boot takes the disk and an empty /run. Nothing outlives the process that made
// a cluster but empty cgroups and files, which the next one removes.
package cluster
