// Package precedence says which of two objects wins where they conflict.
//
// Stage: none, it serves compile and the allocator. Input: the metadata of two
// objects. Output: their order. It never looks at what the objects say.
package precedence

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Compare orders objects by age: negative where a is older than b and therefore
// wins. Objects made within one second (the API's resolution) and objects
// without a creationTimestamp (read from a file) go by namespace and name.
func Compare(a, b metav1.Object) int {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if c := at.Compare(bt.Time); c != 0 {
		return c
	}
	if c := strings.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
		return c
	}
	return strings.Compare(a.GetName(), b.GetName())
}

// Sorted is a copy of objects, the oldest first.
func Sorted[T metav1.Object](objects []T) []T {
	sorted := slices.Clone(objects)
	slices.SortFunc(sorted, func(a, b T) int { return Compare(a, b) })
	return sorted
}
