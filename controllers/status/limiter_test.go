package status

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestLimiterOfOneService(t *testing.T) {
	l, start, key := NewLimiter(), time.Unix(1_700_000_000, 0), types.NamespacedName{Name: "a"}
	for _, step := range []struct {
		at, wait time.Duration
	}{
		{0, 0},           // the first
		{time.Second, 0}, // its correction
		{2 * time.Second, 28 * time.Second},
		{29 * time.Second, time.Second},
		{30 * time.Second, 0},
		{31 * time.Second, 29 * time.Second},
		{10 * time.Minute, 0},
		{10*time.Minute + time.Second, 0},
		{10*time.Minute + 2*time.Second, 28 * time.Second},
	} {
		if wait := l.Take(key, start.Add(step.at)); wait != step.wait {
			t.Errorf("at %s: wait %s, want %s", step.at, wait, step.wait)
		}
	}
	l.Forget(key)
	if wait := l.Take(key, start.Add(10*time.Minute+3*time.Second)); wait != 0 {
		t.Errorf("another Service of that name waits %s", wait)
	}
}

func TestLimiterOfAllServices(t *testing.T) {
	l, now := NewLimiter(), time.Unix(1_700_000_000, 0)
	passed := 0
	for second := range 10 {
		for i := range 1000 {
			key := types.NamespacedName{Name: fmt.Sprint(second, "-", i)}
			if l.Take(key, now.Add(time.Duration(second)*time.Second)) == 0 {
				passed++
			}
		}
	}
	if want := globalBurst + 9*globalPerSecond; passed != want {
		t.Errorf("%d writes in 10 s, want %d", passed, want)
	}
}
