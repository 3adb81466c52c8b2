package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/internal/cluster"
)

// watchAgain is how long to wait before a watch that has ended is made anew.
const watchAgain = time.Second

// changesOf tells of changes of objects, without saying which. A watch that ends
// (the API server ends each after a while) is made anew.
func changesOf(ctx context.Context, config *rest.Config, lists []client.ObjectList) (<-chan struct{}, error) {
	scheme, err := cluster.NewScheme()
	if err != nil {
		return nil, err
	}
	watcher, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", config.Host, err)
	}
	changes := make(chan struct{}, 1)
	for _, list := range lists {
		first, err := watcher.Watch(ctx, list)
		if err != nil {
			return nil, fmt.Errorf("watching %T: %w", list, err)
		}
		go func() {
			forward(ctx, first, changes)
			wait.UntilWithContext(ctx, func(ctx context.Context) {
				if next, err := watcher.Watch(ctx, list); err == nil {
					forward(ctx, next, changes)
				}
			}, watchAgain)
		}()
	}
	return changes, nil
}
