package gates

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// parallel bounds how many Services are asked for at once: after a boot there
// may be thousands, and kube-proxy is busy then.
const parallel = 16

type answers struct {
	cluster Answer
	local   map[types.NamespacedName]Answer
	// proxy is kube-proxy's answer for itself, asked where a Service's port is silent.
	proxy Answer
}

// ask asks for all wanted gates, at most parallel at a time.
func (k *Keeper) ask(ctx context.Context, wanted Wanted) answers {
	got := answers{local: make(map[types.NamespacedName]Answer, len(wanted.Local))}
	var mu sync.Mutex
	var group sync.WaitGroup
	if wanted.Cluster {
		group.Go(func() { got.cluster = k.prober.Cluster(ctx) })
	}
	slots := make(chan struct{}, parallel)
	for key, check := range wanted.Local {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			answer := k.prober.Local(ctx, check.Port)
			mu.Lock()
			defer mu.Unlock()
			got.local[key] = answer
		})
	}
	group.Wait()
	for key, answer := range got.local {
		if answer == Silent && wanted.Local[key].kubeProxys() {
			got.proxy = k.prober.Cluster(ctx)
			break
		}
	}
	return got
}
