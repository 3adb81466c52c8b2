package controllers

import (
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/controllers/snapshot"
)

// claim says which Services are Herald's, by the Herald object's settings of now.
// It is shared by the reconcilers of Services.
type claim struct {
	settings atomic.Pointer[snapshot.Settings]
}

func (c *claim) isHeralds(service *corev1.Service) bool {
	return c.settings.Load().IsHeralds(service)
}

// set says whether other Services than before are Herald's.
func (c *claim) set(settings *snapshot.Settings) bool {
	return !c.settings.Swap(settings).SameClaims(settings)
}
