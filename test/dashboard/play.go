package main

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// services that are made, of which the pool has addresses for 16.
const services = 18

// play lets things happen that one looks at a dashboard for: Services come until
// the pool is full, a session goes down and comes back, a peer has no Secret,
// a path that BFD watches is cut, routers hash established connections anew, a node
// drains, Services go.
func play(ctx context.Context, l *lab.Lab) error {
	if err := prepare(ctx, l); err != nil {
		return err
	}
	for _, n := range l.Nodes() {
		if _, err := l.AddPod(ctx, n.Name(), "web-"+n.Name(), map[string]string{"app": "web"}); err != nil {
			return err
		}
	}
	bad := l.Peer("tor-b", router.IPv4)
	bad.Name, bad.Spec.PeerAddress, bad.Spec.PasswordSecret = "guarded", "192.0.2.77", &v1alpha1.SecretReference{Name: "forgotten"}
	node1 := l.NodeAddresses(router.IPv4, "node1")[0]
	clients := &clients{lab: l}
	defer clients.close()
	at := map[int]func() error{
		4:  func() error { return clients.open(ctx) },
		8:  func() error { return l.Router("tor-a").Disable(ctx, node1) },
		12: func() error { return rehash(l) },
		16: func() error { return l.Router("tor-a").Enable(ctx, node1) },
		19: func() error { return l.Create(ctx, bad) },
		20: func() error { return l.SetCable("node3", false) },
		22: func() error { return l.SetCable("node3", true) },
		25: func() error { return l.API().Delete(ctx, bad) },
		26: func() error { return drain(ctx, l, "the picture") },
		31: func() error { clients.close(); return nil },
		34: func() error { return drain(ctx, l, "") },
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for step := range 36 {
		if step < services {
			service := lab.Service(fmt.Sprintf("web-%02d", step))
			service.Spec.Selector = map[string]string{"app": "web"}
			if err := l.Create(ctx, service); err != nil {
				return err
			}
		}
		if step >= 27 && step < 33 {
			if err := l.API().Delete(ctx, lab.Service(fmt.Sprintf("web-%02d", step-27))); err != nil {
				return err
			}
		}
		if happens := at[step]; happens != nil {
			if err := happens(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
