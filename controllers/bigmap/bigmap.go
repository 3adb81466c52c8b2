// Package bigmap has maps of thousands of entries of which few change at a time, while
// others go on reading what was there before. A copy of 10,000 entries for the sake of
// one is a megabyte of garbage, and collecting that costs an agent more processor time
// than all that it decides.
package bigmap

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shards is how many maps the entries are spread over: a change copies one of them.
const shards = 256

type table[K comparable, V any] [shards]map[K]V

// seed of all maps of this process, so that equal ones are equal to reflect.DeepEqual.
var seed = maphash.MakeSeed()

func shardOf[K comparable](key K) int { return int(maphash.Comparable(seed, key) % shards) }

// Map is one to write to. The zero value is empty. It isn't safe for concurrent use,
// and must not be copied.
type Map[K comparable, V any] struct {
	table table[K, V]
	// lent shards are in a View: one is copied before it is written to.
	lent [shards]bool
	size int
	// view is the last one, nil since a write.
	view *table[K, V]
}

// Get is the value of a key, the zero value where there is none.
func (m *Map[K, V]) Get(key K) V { return m.table[shardOf(key)][key] }

// Set the value of a key.
func (m *Map[K, V]) Set(key K, value V) {
	shard := m.writable(shardOf(key))
	before := len(shard)
	shard[key] = value
	m.size += len(shard) - before
}

// Delete a key, if it is there.
func (m *Map[K, V]) Delete(key K) {
	i := shardOf(key)
	if _, found := m.table[i][key]; !found {
		return
	}
	shard := m.writable(i)
	delete(shard, key)
	m.size--
	if len(shard) == 0 {
		m.table[i] = nil
	}
}

func (m *Map[K, V]) writable(i int) map[K]V {
	switch {
	case m.table[i] == nil:
		m.table[i] = map[K]V{}
	case m.lent[i]:
		m.table[i] = maps.Clone(m.table[i])
	}
	m.lent[i], m.view = false, nil
	return m.table[i]
}

// View is what the map holds now, whatever is written to it later.
func (m *Map[K, V]) View() View[K, V] {
	if m.view == nil && m.size > 0 {
		now := m.table
		m.view = &now
		for i := range m.lent {
			m.lent[i] = true
		}
	}
	return View[K, V]{table: m.view, size: m.size}
}

// View is a map that never changes. The zero value is empty. It is safe for concurrent
// use.
type View[K comparable, V any] struct {
	table *table[K, V]
	size  int
}

// Of is the View of a copy of a map.
func Of[K comparable, V any](all map[K]V) View[K, V] {
	var m Map[K, V]
	for key, value := range all {
		m.Set(key, value)
	}
	return m.View()
}

// Get is the value of a key, the zero value where there is none.
func (v View[K, V]) Get(key K) V {
	if v.table == nil {
		var none V
		return none
	}
	return v.table[shardOf(key)][key]
}

// Len is how many keys there are.
func (v View[K, V]) Len() int { return v.size }

// All keys with their values, in no particular order.
func (v View[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if v.table == nil {
			return
		}
		for _, shard := range v.table {
			for key, value := range shard {
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// Keys in no particular order.
func (v View[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		for key := range v.All() {
			if !yield(key) {
				return
			}
		}
	}
}
