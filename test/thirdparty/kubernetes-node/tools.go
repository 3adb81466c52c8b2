//go:build tools

// Package tools names the commands that only a real cluster runs, so that this
// module's go.mod holds what they need.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
