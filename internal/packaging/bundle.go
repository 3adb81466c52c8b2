package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
)

const (
	baseCSV = "config/manifests/herald.clusterserviceversion.yaml"
	icon    = "config/manifests/icon.svg"
	image   = "ghcr.io/herald-lb/herald"
)

// writeBundle makes the OLM bundle (registry+v1). OLM makes ServiceAccounts and
// their rights, in its namespace and cluster-wide, from the ClusterServiceVersion; what it doesn't take in
// a bundle (namespaces, admission policies, roles in another namespace) stands in
// after-install.yaml.
func writeBundle(objects []object, dir, root string) error {
	manifests := filepath.Join(dir, "manifests")
	if err := os.RemoveAll(manifests); err != nil {
		return err
	}
	csv, err := csvOf(objects, root)
	if err != nil {
		return err
	}
	if err := writeYAML(filepath.Join(manifests, "herald.clusterserviceversion.yaml"), csv.Object); err != nil {
		return err
	}
	for _, o := range objects {
		inBundle := slices.Contains([]string{"CustomResourceDefinition", "ConfigMap", "PodDisruptionBudget", "Service"}, o.GetKind()) ||
			o.GetKind() == "ClusterRole" && !isBound(objects, o.GetName())
		if !inBundle {
			continue
		}
		o = o.DeepCopy()
		o.SetNamespace("") // OLM's choice
		name := strings.ToLower(o.GetKind()) + "-" + o.GetName() + ".yaml"
		if err := writeYAML(filepath.Join(manifests, name), o.Object); err != nil {
			return err
		}
	}
	return writeAfter(objects, dir)
}

// isBound: a ClusterRole whose rights are a ServiceAccount's of Herald.
func isBound(objects []object, role string) bool {
	return slices.ContainsFunc(ofKinds(objects, "ClusterRoleBinding"), func(o object) bool {
		name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
		return name == role
	})
}

// writeAfter makes the manifests that are applied beside the bundle.
func writeAfter(objects []object, dir string) error {
	var after []object
	for _, o := range objects {
		switch o.GetKind() {
		case "Namespace", "Role", "RoleBinding":
			if o.GetName() == systemNamespace || o.GetNamespace() == systemNamespace {
				continue
			}
		case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "NetworkPolicy":
		default:
			continue
		}
		after = append(after, o)
	}
	content, err := documents(after)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "after-install.yaml"), content)
}

// csvOf fills the base of the ClusterServiceVersion.
func csvOf(objects []object, root string) (object, error) {
	found, err := readFile(filepath.Join(root, baseCSV))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("%s: %d objects, want 1: %w", baseCSV, len(found), err)
	}
	csv := found[0]
	deployment, err := find(objects, "Deployment", "herald-manager")
	if err != nil {
		return nil, err
	}
	ref, version, err := imageOf(deployment)
	if err != nil {
		return nil, err
	}
	examples, err := examplesOf(root)
	if err != nil {
		return nil, err
	}
	logo, err := os.ReadFile(filepath.Join(root, icon))
	if err != nil {
		return nil, err
	}
	owned, err := ownedOf(ofKinds(objects, "CustomResourceDefinition"))
	if err != nil {
		return nil, err
	}
	annotations := csv.GetAnnotations()
	annotations["alm-examples"], annotations["containerImage"] = examples, ref
	csv.SetAnnotations(annotations)
	csv.SetName("herald.v" + version)
	set := func(value any, fields ...string) {
		if err == nil {
			err = unstructured.SetNestedField(csv.Object, value, fields...)
		}
	}
	set(version, "spec", "version")
	set([]any{map[string]any{"base64data": base64.StdEncoding.EncodeToString(logo), "mediatype": "image/svg+xml"}}, "spec", "icon")
	set([]any{map[string]any{"name": "herald", "image": ref}, map[string]any{"name": "frr", "image": install.DefaultFRRImage}}, "spec", "relatedImages")
	set(owned, "spec", "customresourcedefinitions", "owned")
	set(installOf(objects, deployment), "spec", "install")
	return csv, err
}

func imageOf(deployment object) (ref, version string, err error) {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return "", "", fmt.Errorf("the manager has %d containers, want 1: %w", len(containers), err)
	}
	container, _ := containers[0].(map[string]any)
	ref, _ = container["image"].(string)
	tag, isOurs := strings.CutPrefix(ref, image+":v")
	if !isOurs {
		return "", "", fmt.Errorf("the manager's image is %q, want %s:vVERSION: set newTag in config/manager", ref, image)
	}
	return ref, tag, nil
}

// installOf says what OLM makes: the Deployment, and the rights of each
// ServiceAccount. One without any right still gets its ServiceAccount.
func installOf(objects []object, deployment object) map[string]any {
	spec, _, _ := unstructured.NestedMap(deployment.Object, "spec")
	var cluster, own []any
	for _, account := range ofKinds(objects, "ServiceAccount") {
		of := func(rules []any) map[string]any {
			return map[string]any{"serviceAccountName": account.GetName(), "rules": rules}
		}
		cluster = append(cluster, of(rulesOf(objects, "ClusterRole", "", account.GetName())))
		if rules := rulesOf(objects, "Role", systemNamespace, account.GetName()); len(rules) > 0 {
			own = append(own, of(rules))
		}
	}
	return map[string]any{
		"strategy": "deployment",
		"spec": map[string]any{
			"deployments":        []any{map[string]any{"name": deployment.GetName(), "label": labelsOf(deployment), "spec": spec}},
			"clusterPermissions": cluster,
			"permissions":        own,
		},
	}
}

// rulesOf a role, which has the name of the ServiceAccount whose rights they are.
func rulesOf(objects []object, kind, namespace, name string) []any {
	for _, role := range ofKinds(objects, kind) {
		if role.GetName() == name && role.GetNamespace() == namespace {
			rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
			return rules
		}
	}
	return []any{}
}

func labelsOf(o object) map[string]any {
	labels := map[string]any{}
	for key, value := range o.GetLabels() {
		labels[key] = value
	}
	return labels
}

// examplesOf are Herald's samples as alm-examples.
func examplesOf(root string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, "config/samples/herald_*.yaml"))
	if err != nil {
		return "", err
	}
	var examples []map[string]any
	for _, file := range files {
		objects, err := readFile(file)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		for _, o := range objects {
			if o.GroupVersionKind().Group == v1alpha1.GroupName { // a peer's Secret is none
				examples = append(examples, o.Object)
			}
		}
	}
	text, err := json.MarshalIndent(examples, "", "  ")
	return string(text), err
}
