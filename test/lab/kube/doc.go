// Package kube is the lab's control plane: the real etcd and kube-apiserver in a
// box, certificates and kubeconfigs for everyone who talks to it, and Herald's
// CRDs and RBAC installed as a user would have them.
//
// There is no controller-manager, scheduler or kubelet: the lab writes Nodes and
// EndpointSlices itself (see package lab), so that a scenario decides what they
// say and when.
package kube
