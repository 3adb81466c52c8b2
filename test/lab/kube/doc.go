// Package kube is the lab's control plane: the real etcd and kube-apiserver in a
// box, certificates and kubeconfigs for everyone who talks to it, and Herald's
// CRDs and RBAC installed as a user would have them.
//
// The lab has no controller-manager, scheduler or kubelet: it writes Nodes and
// EndpointSlices itself (see package lab), so that a scenario decides what they
// say and when. A real cluster (package cluster) has them: StartControllers.
package kube
