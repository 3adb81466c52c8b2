package controllers

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// sameSpec is true for one object whose spec is as it was. The generation alone doesn't
// tell: a watch that had to begin anew shows an object that was deleted and made again
// meanwhile as an update, and both have generation 1.
func sameSpec[T client.Object](old, now T) bool {
	return old.GetUID() == now.GetUID() && old.GetGeneration() == now.GetGeneration()
}

// specChanged lets updates through that sameSpec is false for, and all that comes and goes.
func specChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return !sameSpec(e.ObjectOld, e.ObjectNew) }}
}
