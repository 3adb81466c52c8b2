package migrate

import (
	"fmt"
	"maps"
	"slices"
)

// fields are those of an object, or of a part of one. What is taken is known; at the
// end the rest is told.
type fields struct {
	path   string
	values map[string]any
	taken  map[string]bool
	parts  []*fields
}

func fieldsOf(path string, value any) *fields {
	values, _ := value.(map[string]any)
	return &fields{path: path, values: values, taken: map[string]bool{}}
}

// take gives the value of a field, nil where there is none.
func (f *fields) take(name string) any {
	f.taken[name] = true
	return f.values[name]
}

func (f *fields) has(name string) bool { return f.values[name] != nil }

func (f *fields) text(name string) string {
	text, _ := f.take(name).(string)
	return text
}

func (f *fields) flag(name string) bool {
	is, _ := f.take(name).(bool)
	return is
}

func (f *fields) number(name string) int64 {
	switch n := f.take(name).(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	default:
		return 0
	}
}

func (f *fields) list(name string) []any {
	all, _ := f.take(name).([]any)
	return all
}

// part is a field that has fields of its own.
func (f *fields) part(name string) *fields {
	part := fieldsOf(f.path+"."+name, f.take(name))
	f.parts = append(f.parts, part)
	return part
}

// each are the parts of a list.
func (f *fields) each(name string) []*fields {
	var all []*fields
	for i, value := range f.list(name) {
		part := fieldsOf(fmt.Sprintf("%s.%s[%d]", f.path, name, i), value)
		f.parts = append(f.parts, part)
		all = append(all, part)
	}
	return all
}

// unknown are the paths of what nobody took.
func (f *fields) unknown() []string {
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if !f.taken[name] {
			paths = append(paths, f.path+"."+name)
		}
	}
	for _, part := range f.parts {
		paths = append(paths, part.unknown()...)
	}
	return paths
}
