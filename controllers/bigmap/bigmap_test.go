package bigmap

import (
	"maps"
	"math/rand"
	"reflect"
	"runtime"
	"testing"
)

// A Map is what a plain map is after the same random writes, and each View of it stays
// what it was, whatever is written later.
func TestMapIsAPlainMap(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	var m Map[int, string]
	plain := map[int]string{}
	type moment struct {
		view View[int, string]
		was  map[int]string
	}
	var moments []moment
	for range 20_000 {
		key := random.Intn(2000)
		if random.Intn(3) == 0 {
			m.Delete(key)
			delete(plain, key)
		} else {
			value := string(rune('a' + random.Intn(26)))
			m.Set(key, value)
			plain[key] = value
		}
		if m.Get(key) != plain[key] {
			t.Fatalf("%d is %q, want %q", key, m.Get(key), plain[key])
		}
		if random.Intn(200) == 0 {
			moments = append(moments, moment{m.View(), maps.Clone(plain)})
		}
	}
	for i, then := range append(moments, moment{m.View(), plain}) {
		if got := maps.Collect(then.view.All()); !maps.Equal(got, then.was) || then.view.Len() != len(then.was) {
			t.Errorf("View %d has %d entries, want the %d that there were", i, then.view.Len(), len(then.was))
		}
		for key := range 2000 {
			if then.view.Get(key) != then.was[key] {
				t.Fatalf("View %d: %d is %q, want %q", i, key, then.view.Get(key), then.was[key])
			}
		}
	}
}

// Views of equal contents are equal, however they came about.
func TestEqualViews(t *testing.T) {
	var m Map[int, int]
	for i := range 600 {
		m.Set(i, i)
	}
	m.View()
	for i := 1; i < 600; i++ {
		m.Delete(i)
	}
	if a, b := m.View(), Of(map[int]int{0: 0}); !reflect.DeepEqual(a, b) {
		t.Errorf("%v, want %v", a, b)
	}
	m.Delete(0)
	if a := m.View(); !reflect.DeepEqual(a, View[int, int]{}) {
		t.Errorf("%v, want none", a)
	}
}

// A change among many copies little: that is what it is for.
func TestAChangeCopiesLittle(t *testing.T) {
	const entries = 10_000
	var m Map[int, int]
	for i := range entries {
		m.Set(i, 0)
	}
	const changes = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range changes {
		m.Set(i, 1)
		m.View()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / changes; each > 16<<10 {
		t.Errorf("a change of one in %d entries allocates %d bytes", entries, each)
	}
}

func TestEarlyEnd(t *testing.T) {
	view := Of(map[int]int{1: 1, 2: 2, 3: 3})
	n := 0
	for range view.Keys() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d keys, want to end at 2", n)
	}
	for range (View[int, int]{}).All() {
		t.Error("an entry in an empty View")
	}
}
