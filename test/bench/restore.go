package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

// restore the site after a part that failed half-way, so that it doesn't spoil those
// that follow: nothing but the Services that shall be there, the spares' endpoints
// not ready, everything advertised, and one peer.
func (s *site) restore(ctx context.Context) error {
	list := &corev1.ServiceList{}
	if err := s.lab.API().List(ctx, list, crclient.InNamespace("default")); err != nil {
		return err
	}
	wanted := map[string]bool{"kubernetes": true} // the API server's own
	for _, names := range [][]string{s.present, s.spares} {
		for _, name := range names {
			wanted[name] = true
		}
	}
	var strangers []string
	for i := range list.Items {
		if name := list.Items[i].Name; !wanted[name] {
			strangers = append(strangers, name)
		}
	}
	// One by one: of some the slice may be gone already.
	err := s.each(ctx, strangers, func(ctx context.Context, name string) error {
		for _, object := range []crclient.Object{service(name), slice(name, true)} {
			if err := s.lab.API().Delete(ctx, object); crclient.IgnoreNotFound(err) != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.each(ctx, s.spares, s.patchReady(false)); err != nil {
		return err
	}
	if err := s.lab.API().Create(ctx, lab.Advertisement("all")); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := s.lab.API().Delete(ctx, s.lab.Peer(secondRouter, router.IPv4)); crclient.IgnoreNotFound(err) != nil {
		return err
	}
	if _, err := s.routes.waitCount(ctx, len(s.present)); err != nil {
		return fmt.Errorf("after a part that failed: %w", err)
	}
	return nil
}
