package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	findTimeout = 5 * time.Second
	findRetry   = 2 * time.Second
)

// FindNode makes sure that the agent's Node exists. While the API server can't
// be reached it waits, or until the context ends: FRR announces meanwhile what it
// did before.
func FindNode(ctx context.Context, config *rest.Config, node string, log logr.Logger) error {
	config = rest.CopyConfig(config)
	config.Timeout = findTimeout
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for {
		_, err := clientset.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		switch {
		case err == nil:
			return nil
		case apierrors.IsNotFound(err):
			return fmt.Errorf("node %q does not exist in the cluster: --node-name (or NODE_NAME) must be the name of this machine's Node", node)
		case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
			return fmt.Errorf("node %q: %w: apply config/rbac, or use another --kubeconfig", node, err)
		}
		log.Info("waiting for the API server; what is applied stays", "error", err.Error())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(findRetry):
		}
	}
}
