package precedence

import (
	"math/rand"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func object(namespace, name string, age int) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(time.Unix(int64(age), 0))}
}

func TestOlderWinsThenName(t *testing.T) {
	want := []*metav1.ObjectMeta{
		object("", "z", 1), object("", "a", 2), object("", "b", 2), object("n", "a", 2), object("", "a", 3),
	}
	for range 20 {
		mixed := append([]*metav1.ObjectMeta(nil), want...)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for i, got := range Sorted(mixed) {
			if got != want[i] {
				t.Fatalf("at %d: %s %s, want %s %s", i, got.Name, got.CreationTimestamp, want[i].Name, want[i].CreationTimestamp)
			}
		}
	}
}

func TestObjectsWithoutATimeGoByName(t *testing.T) {
	a, b := &metav1.ObjectMeta{Name: "a"}, &metav1.ObjectMeta{Name: "b"}
	if Compare(a, b) >= 0 || Compare(b, a) <= 0 || Compare(a, a) != 0 {
		t.Error("a must come before b")
	}
}
