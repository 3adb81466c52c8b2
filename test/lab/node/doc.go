// Package node is one node of the lab: a box with its own kernel parameters and
// boot id, in which the real FRR, Herald's reloader and agent, the real
// kube-proxy and echo pods run, each restarted as a kubelet would.
//
// A node can lose its power (Crash) and boot again (Boot) with another boot id
// and an empty /run, as after a real reboot.
package node
