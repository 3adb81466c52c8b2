package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ownedOf describes the CRDs for a console: each Kind with its fields, by what the
// Go types say of them.
func ownedOf(crds []object) ([]any, error) {
	var owned []any
	for _, crd := range crds {
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if err != nil || len(versions) != 1 {
			return nil, fmt.Errorf("%s has %d versions, want 1: %w", crd.GetName(), len(versions), err)
		}
		version, _ := versions[0].(map[string]any)
		schema, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema")
		description, _ := schema["description"].(string)
		entry := map[string]any{
			"name": crd.GetName(), "kind": kind, "version": version["name"],
			"displayName": kind, "description": oneLine(description),
		}
		for part, key := range map[string]string{"spec": "specDescriptors", "status": "statusDescriptors"} {
			if descriptors := descriptorsOf(schema, part); len(descriptors) > 0 {
				entry[key] = descriptors
			}
		}
		owned = append(owned, entry)
	}
	slices.SortFunc(owned, func(a, b any) int {
		x, _ := a.(map[string]any)
		y, _ := b.(map[string]any)
		return cmp.Compare(fmt.Sprint(x["kind"]), fmt.Sprint(y["kind"]))
	})
	return owned, nil
}

// descriptorsOf the fields of spec or status, the first level.
func descriptorsOf(schema map[string]any, part string) []any {
	fields, _, _ := unstructured.NestedMap(schema, "properties", part, "properties")
	var descriptors []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, _ := fields[name].(map[string]any)
		description, _ := field["description"].(string)
		descriptor := map[string]any{"path": name, "displayName": title(name), "description": oneLine(description)}
		if console := consoleOf(part, name, field); console != "" {
			descriptor["x-descriptors"] = []any{console}
		}
		descriptors = append(descriptors, descriptor)
	}
	return descriptors
}

// consoleOf is how OpenShift's console shows a field.
func consoleOf(part, name string, field map[string]any) string {
	switch {
	case part == "status" && name == "conditions":
		return "urn:alm:descriptor:io.kubernetes.conditions"
	case part == "status":
		return "urn:alm:descriptor:text"
	case name == "resources":
		return "urn:alm:descriptor:com.tectonic.ui:resourceRequirements"
	case field["type"] == "boolean":
		return "urn:alm:descriptor:com.tectonic.ui:booleanSwitch"
	case field["type"] == "integer":
		return "urn:alm:descriptor:com.tectonic.ui:number"
	case field["type"] == "string":
		return "urn:alm:descriptor:com.tectonic.ui:text"
	}
	return ""
}

// title makes "Hold Time" of holdTime, and leaves what is written in capitals.
func title(name string) string {
	var words strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if i > 0 && upper && (name[i-1] < 'A' || name[i-1] > 'Z') {
			words.WriteByte(' ')
		}
		words.WriteRune(r)
	}
	text := words.String()
	return strings.ToUpper(text[:1]) + text[1:]
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
