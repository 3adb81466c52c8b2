package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/controllers/install"
)

// The rules of OLM's registry+v1 bundles, as their documentation states them: the
// official validator is no Go module that can be had here. Left out is what only it
// looks at: whether images exist, and deprecated Kubernetes APIs (there are none).

const bundleDir = "../../bundle"

// supported are the kinds that OLM takes in a bundle.
var supported = []string{
	"ClusterServiceVersion", "CustomResourceDefinition", "Secret", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "ServiceAccount", "Service",
	"Role", "RoleBinding", "PrometheusRule", "ServiceMonitor", "PodDisruptionBudget", "PriorityClass", "VerticalPodAutoscaler",
	"ConsoleYAMLSample", "ConsoleQuickStart", "ConsoleCLIDownload", "ConsoleLink",
}

// Levels of the annotation capabilities, and the categories that a catalog knows
// (those of networking).
var levels = []string{"Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot"}

func readBundle(t *testing.T) (csv object, others []object) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(bundleDir, "manifests", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		objects, err := readFile(file)
		if err != nil || len(objects) != 1 {
			t.Fatalf("%s: %d objects, want 1: %v", file, len(objects), err)
		}
		if objects[0].GetKind() != "ClusterServiceVersion" {
			others = append(others, objects[0])
		} else if csv == nil {
			csv = objects[0]
		} else {
			t.Fatal("a second ClusterServiceVersion")
		}
	}
	if csv == nil {
		t.Fatal("no ClusterServiceVersion")
	}
	return csv, others
}

func text(o object, fields ...string) string {
	value, _, _ := unstructured.NestedString(o.Object, fields...)
	return value
}

func list(o object, fields ...string) []map[string]any {
	values, _, _ := unstructured.NestedSlice(o.Object, fields...)
	var maps []map[string]any
	for _, value := range values {
		m, _ := value.(map[string]any)
		maps = append(maps, m)
	}
	return maps
}

func TestBundleHoldsSupportedKindsOnly(t *testing.T) {
	_, others := readBundle(t)
	for _, o := range others {
		if !slices.Contains(supported, o.GetKind()) {
			t.Errorf("%s %s: OLM doesn't take this kind in a bundle", o.GetKind(), o.GetName())
		}
		if o.GetNamespace() != "" {
			t.Errorf("%s %s is in namespace %s: OLM decides that", o.GetKind(), o.GetName(), o.GetNamespace())
		}
	}
}

func TestCSVIsComplete(t *testing.T) {
	csv, _ := readBundle(t)
	v := text(csv, "spec", "version")
	if _, err := version.ParseSemantic(v); err != nil || csv.GetName() != "herald.v"+v {
		t.Errorf("name %q, version %q: %v", csv.GetName(), v, err)
	}
	if _, err := version.ParseSemantic(text(csv, "spec", "minKubeVersion")); err != nil {
		t.Errorf("minKubeVersion: %v", err)
	}
	for _, field := range []string{"displayName", "description", "maturity"} {
		if text(csv, "spec", field) == "" {
			t.Errorf("spec.%s is empty", field)
		}
	}
	if text(csv, "spec", "provider", "name") == "" || len(list(csv, "spec", "maintainers")) == 0 || len(list(csv, "spec", "links")) == 0 {
		t.Error("no provider, maintainers or links")
	}
	if level := csv.GetAnnotations()["capabilities"]; !slices.Contains(levels, level) {
		t.Errorf("capabilities %q", level)
	}
	for _, name := range []string{"categories", "description", "containerImage", "repository", "support"} {
		if csv.GetAnnotations()[name] == "" {
			t.Errorf("annotation %s is empty", name)
		}
	}
	if short := csv.GetAnnotations()["description"]; len(short) > 135 {
		t.Errorf("annotation description has %d characters, consoles show 135", len(short))
	}
	modes := map[string]bool{}
	for _, mode := range list(csv, "spec", "installModes") {
		kind, _ := mode["type"].(string)
		modes[kind], _ = mode["supported"].(bool)
	}
	if len(modes) != 4 || !modes["AllNamespaces"] {
		t.Errorf("installModes %v: all four must be there", modes)
	}
}

func TestCSVIcon(t *testing.T) {
	csv, _ := readBundle(t)
	icons := list(csv, "spec", "icon")
	if len(icons) != 1 || icons[0]["mediatype"] != "image/svg+xml" {
		t.Fatalf("icons %v", icons)
	}
	data, _ := icons[0]["base64data"].(string)
	if svg, err := base64.StdEncoding.DecodeString(data); err != nil || !strings.HasPrefix(string(svg), "<svg") {
		t.Errorf("no picture: %v", err)
	}
}

// TestCSVOwnsItsCRDs: each CRD of the bundle is owned and described, each described
// field exists, and each Kind that people write has an example.
func TestCSVOwnsItsCRDs(t *testing.T) {
	csv, others := readBundle(t)
	crds := map[string]object{}
	for _, o := range ofKinds(others, "CustomResourceDefinition") {
		crds[o.GetName()] = o
	}
	kinds := map[string]bool{}
	for _, owned := range list(csv, "spec", "customresourcedefinitions", "owned") {
		name, _ := owned["name"].(string)
		crd := crds[name]
		if crd == nil {
			t.Errorf("owns %s, which isn't in the bundle", name)
			continue
		}
		delete(crds, name)
		kind := text(crd, "spec", "names", "kind")
		kinds[kind] = true
		stored := list(crd, "spec", "versions")[0]
		if owned["kind"] != kind || owned["version"] != stored["name"] || owned["description"] == "" {
			t.Errorf("%s: kind %v, version %v, description %q", name, owned["kind"], owned["version"], owned["description"])
		}
		for part, key := range map[string]string{"spec": "specDescriptors", "status": "statusDescriptors"} {
			fields, _, _ := unstructured.NestedMap(stored, "schema", "openAPIV3Schema", "properties", part, "properties")
			descriptors, _ := owned[key].([]any)
			if len(descriptors) != len(fields) {
				t.Errorf("%s: %d %s for %d fields", name, len(descriptors), key, len(fields))
			}
			for _, descriptor := range descriptors {
				d, _ := descriptor.(map[string]any)
				path, _ := d["path"].(string)
				if fields[path] == nil || d["displayName"] == "" || d["description"] == "" {
					t.Errorf("%s: %s %v", name, key, d)
				}
			}
		}
	}
	for name := range crds {
		t.Errorf("CRD %s isn't owned", name)
	}
	var examples []map[string]any
	if err := json.Unmarshal([]byte(csv.GetAnnotations()["alm-examples"]), &examples); err != nil {
		t.Fatalf("alm-examples: %v", err)
	}
	shown := map[string]bool{"BGPNode": true, "BGPSession": true} // only agents write these
	for _, example := range examples {
		kind, _ := example["kind"].(string)
		if shown[kind] = true; !kinds[kind] {
			t.Errorf("alm-examples: %s isn't owned", kind)
		}
	}
	for kind := range kinds {
		if !shown[kind] {
			t.Errorf("alm-examples: none for %s", kind)
		}
	}
}

// TestCSVInstalls: the Deployment's ServiceAccount gets rights, all images are
// among the related ones, and the agents' accounts are made too.
func TestCSVInstalls(t *testing.T) {
	csv, _ := readBundle(t)
	accounts := map[string]int{}
	for _, permission := range list(csv, "spec", "install", "spec", "clusterPermissions") {
		name, _ := permission["serviceAccountName"].(string)
		rules, _ := permission["rules"].([]any)
		accounts[name] = len(rules)
	}
	own := map[string]int{}
	for _, permission := range list(csv, "spec", "install", "spec", "permissions") {
		name, _ := permission["serviceAccountName"].(string)
		rules, _ := permission["rules"].([]any)
		if own[name] = len(rules); accounts[name] == 0 {
			t.Errorf("permissions of %q, which has no clusterPermissions", name)
		}
	}
	if own["herald-manager"] == 0 {
		t.Errorf("rights in the operator's namespace: %v", own)
	}
	if accounts["herald-manager"] == 0 || accounts["herald-agent"] == 0 {
		t.Errorf("rights %v", accounts)
	}
	if rules, made := accounts["herald-frr"]; !made || rules > 0 {
		t.Errorf("herald-frr: made %v, %d rules", made, rules)
	}
	var related []string
	for _, r := range list(csv, "spec", "relatedImages") {
		related = append(related, r["image"].(string))
	}
	deployments := list(csv, "spec", "install", "spec", "deployments")
	if len(deployments) != 1 {
		t.Fatalf("%d deployments", len(deployments))
	}
	deployment := &unstructured.Unstructured{Object: deployments[0]}
	if account := text(deployment, "spec", "template", "spec", "serviceAccountName"); accounts[account] == 0 {
		t.Errorf("the deployment's ServiceAccount %q has no rights", account)
	}
	used := []string{install.DefaultFRRImage, csv.GetAnnotations()["containerImage"]}
	for _, container := range list(deployment, "spec", "template", "spec", "containers") {
		used = append(used, container["image"].(string))
	}
	for _, ref := range used {
		if !slices.Contains(related, ref) {
			t.Errorf("image %s isn't among relatedImages %v", ref, related)
		}
	}
}

// TestBundleMetadata: annotations.yaml and the labels of the bundle's image say the
// same, the directories are there, and the catalog names this version.
func TestBundleMetadata(t *testing.T) {
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	content, err := os.ReadFile(filepath.Join(bundleDir, "metadata/annotations.yaml"))
	if err == nil {
		err = yaml.UnmarshalStrict(content, &metadata)
	}
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "operators.operatorframework.io."
	for name, want := range map[string]string{
		"bundle.mediatype.v1": "registry+v1", "bundle.manifests.v1": "manifests/", "bundle.metadata.v1": "metadata/", "bundle.package.v1": "herald",
	} {
		if got := metadata.Annotations[prefix+name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	dockerfile, err := os.ReadFile(filepath.Join(bundleDir, "bundle.Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, label := range regexp.MustCompile(`(?m)^LABEL ([^=]+)=(.*)$`).FindAllStringSubmatch(string(dockerfile), -1) {
		labels[label[1]] = label[2]
	}
	for name, value := range metadata.Annotations {
		if strings.HasPrefix(name, prefix) && labels[name] != value {
			t.Errorf("annotation %s is %q, the label %q", name, value, labels[name])
		}
	}
	for _, dir := range []string{"manifests", "metadata", metadata.Annotations[prefix+"test.config.v1"]} {
		if info, err := os.Stat(filepath.Join(bundleDir, dir)); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
	csv, _ := readBundle(t)
	catalog, err := os.ReadFile(filepath.Join(bundleDir, "catalog.yaml"))
	if err != nil || !strings.Contains(string(catalog), "name: "+csv.GetName()+"\n") {
		t.Errorf("catalog.yaml doesn't name %s: %v", csv.GetName(), err)
	}
}

// TestChartVersion: chart, image and bundle are of one version.
func TestChartVersion(t *testing.T) {
	var chart struct {
		Version    string `json:"version"`
		AppVersion string `json:"appVersion"`
	}
	content, err := os.ReadFile("../../charts/herald/Chart.yaml")
	if err == nil {
		err = yaml.Unmarshal(content, &chart)
	}
	if err != nil {
		t.Fatal(err)
	}
	csv, _ := readBundle(t)
	if v := text(csv, "spec", "version"); chart.Version != v || chart.AppVersion != v {
		t.Errorf("the chart is %s of %s, the bundle %s", chart.Version, chart.AppVersion, v)
	}
}
