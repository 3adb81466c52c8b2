package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// generated marks the chart's templates that are made here; the others are written
// by hand.
const generated = "generated-"

// writeChart makes the chart's CRDs and templates. Its namespace is the release's.
func writeChart(objects []object, dir, root string) error {
	if err := copyCRDs(filepath.Join(root, "config/crd/bases"), filepath.Join(dir, "crds")); err != nil {
		return err
	}
	parts := map[string][]object{
		"rbac":     ofKinds(objects, "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
		"policies": ofKinds(objects, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "NetworkPolicy"),
		"frr":      ofKinds(objects, "ConfigMap"),
		"manager":  ofKinds(objects, "PodDisruptionBudget", "Service"),
	}
	manager, err := find(objects, "Deployment", "herald-manager")
	if err != nil {
		return err
	}
	values, err := holes(manager)
	if err != nil {
		return err
	}
	parts["manager"] = append(parts["manager"], manager)
	for _, o := range ofKinds(objects, "Namespace") {
		if o.GetName() != systemNamespace { // Helm makes the release's
			parts["namespaces"] = append(parts["namespaces"], o)
		}
	}
	covered := len(ofKinds(objects, "CustomResourceDefinition")) + 1 // herald-system
	for name, part := range parts {
		covered += len(part)
		text, err := template(part, values)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := writeFile(filepath.Join(dir, "templates", generated+name+".yaml"), []byte(text)); err != nil {
			return err
		}
	}
	if covered != len(objects) {
		return fmt.Errorf("config/default has %d objects, the chart would have %d: say in internal/packaging/chart.go where the new kind goes", len(objects), covered)
	}
	return nil
}

// hole is a line that stands for a template's expression.
type hole struct{ line, expression string }

// holes puts marks where values go, and returns what stands for them.
func holes(manager object) ([]hole, error) {
	spec := []string{"spec", "template", "spec"}
	containers, _, err := unstructured.NestedSlice(manager.Object, append(spec, "containers")...)
	if err != nil || len(containers) != 1 {
		return nil, fmt.Errorf("the manager has %d containers, want 1: %w", len(containers), err)
	}
	container, isMap := containers[0].(map[string]any)
	if !isMap {
		return nil, fmt.Errorf("the manager's container is %T", containers[0])
	}
	container["image"], container["imagePullPolicy"], container["resources"] = "HOLE-image", "HOLE-pull", "HOLE-resources"
	set := func(value any, fields ...string) {
		if err == nil {
			err = unstructured.SetNestedField(manager.Object, value, fields...)
		}
	}
	set(containers, append(spec, "containers")...)
	set("HOLE-replicas", "spec", "replicas")
	for _, name := range []string{"nodeSelector", "tolerations", "affinity"} {
		set("HOLE-"+name, append(spec, name)...)
	}
	set("HOLE-secrets", append(spec, "imagePullSecrets")...)
	block := func(field, value string) hole {
		return hole{field + ": HOLE-" + value, "{{- with .Values.manager." + value + " }}\n" + field + ":\n  {{- toYaml . | nindent INDENT }}\n{{- end }}"}
	}
	return []hole{
		{"image: HOLE-image", `image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default (printf "v%s" .Chart.AppVersion)) | quote }}`},
		{"imagePullPolicy: HOLE-pull", "imagePullPolicy: {{ .Values.image.pullPolicy }}"},
		{"replicas: HOLE-replicas", "replicas: {{ .Values.manager.replicas }}"},
		block("resources", "resources"), block("nodeSelector", "nodeSelector"), block("tolerations", "tolerations"), block("affinity", "affinity"),
		{"imagePullSecrets: HOLE-secrets", "{{- with .Values.imagePullSecrets }}\nimagePullSecrets:\n  {{- toYaml . | nindent INDENT }}\n{{- end }}"},
	}, err
}

// template is objects as a template of the chart.
func template(objects []object, holes []hole) (string, error) {
	content, err := documents(objects)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(content), "{{") {
		return "", fmt.Errorf("an object contains {{, which Helm would read")
	}
	text := strings.ReplaceAll(string(content), systemNamespace, "{{ .Release.Namespace }}")
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(fill(line, holes))
	}
	return out.String(), nil
}

// fill replaces a line that is a hole, at its own depth.
func fill(line string, holes []hole) string {
	bare := strings.TrimSpace(line)
	item := strings.HasPrefix(bare, "- ") // the first field of an element
	bare = strings.TrimPrefix(bare, "- ")
	for _, h := range holes {
		if bare != h.line {
			continue
		}
		depth := len(line) - len(strings.TrimLeft(line, " "))
		var out strings.Builder
		for i, part := range strings.Split(h.expression, "\n") {
			indent := strings.Repeat(" ", depth)
			if i == 0 && item {
				indent += "- "
			}
			if strings.HasPrefix(part, "{{-") && !strings.HasPrefix(part, "{{- toYaml") {
				indent = strings.Repeat(" ", depth)
			}
			out.WriteString(indent + strings.ReplaceAll(part, "INDENT", fmt.Sprint(depth+2)) + "\n")
		}
		return out.String()
	}
	return line
}

func copyCRDs(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in %s: %w", from, err)
	}
	for _, file := range files {
		objects, err := readFile(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, crd := range objects {
			content, err := yaml.Marshal(crd.Object)
			if err != nil {
				return err
			}
			if err := writeFile(filepath.Join(to, filepath.Base(file)), content); err != nil {
				return err
			}
		}
	}
	return nil
}
