//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/test/lab/binaries"
)

// bundle does with bundle/ what OLM does with a bundle of the format registry+v1:
// CRDs and other objects are applied as they are, those of a namespace in the
// operator's; ServiceAccounts, rights and Deployments are made of the
// ClusterServiceVersion.
type bundle struct {
	dir string
	csv map[string]any
	// crds stay when the operator is uninstalled, others go.
	crds, others []map[string]any
}

type manifest = map[string]any

func readBundle() *bundle {
	GinkgoHelper()
	source, err := binaries.Source()
	Expect(err).NotTo(HaveOccurred())
	b := &bundle{dir: filepath.Join(source, "bundle")}
	files, err := filepath.Glob(filepath.Join(b.dir, "manifests", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		content, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		var m manifest
		Expect(yaml.Unmarshal(content, &m)).To(Succeed(), file)
		switch m["kind"] {
		case "ClusterServiceVersion":
			b.csv = m
		case "CustomResourceDefinition":
			b.crds = append(b.crds, m)
		default:
			b.others = append(b.others, m)
		}
	}
	Expect(b.csv).NotTo(BeNil(), "ClusterServiceVersion")
	Expect(b.crds).NotTo(BeEmpty(), "CRDs")
	return b
}

// install is what OLM makes in the operator's namespace; images are a mirror's.
func (b *bundle) install(version string) []manifest {
	GinkgoHelper()
	var all []manifest
	for _, m := range b.others {
		m = (&unstructured.Unstructured{Object: m}).DeepCopy().Object
		if kind := m["kind"]; kind != "ClusterRole" && kind != "ClusterRoleBinding" {
			Expect(unstructured.SetNestedField(m, system, "metadata", "namespace")).To(Succeed())
		}
		all = append(all, m)
	}
	accounts := map[string]bool{}
	for _, cluster := range []bool{true, false} {
		field, namespace := "permissions", system
		if cluster {
			field, namespace = "clusterPermissions", ""
		}
		for i, p := range b.list("spec", "install", "spec", field) {
			account, _ := p["serviceAccountName"].(string)
			Expect(account).NotTo(BeEmpty(), "%s[%d].serviceAccountName", field, i)
			accounts[account] = true
			all = append(all, b.rights(namespace, account, p["rules"])...)
		}
	}
	for account := range accounts {
		all = append(all, manifest{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": b.metadata(system, account)})
	}
	for _, d := range b.list("spec", "install", "spec", "deployments") {
		all = append(all, b.deployment(d, version))
	}
	return all
}

// rights are a role of that namespace, or of the cluster, and its binding. OLM
// names them after the ClusterServiceVersion.
func (b *bundle) rights(namespace, account string, rules any) []manifest {
	prefix := ""
	if namespace == "" {
		prefix = "Cluster"
	}
	name := b.name() + "-" + account
	return []manifest{
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": prefix + "Role", "metadata": b.metadata(namespace, name), "rules": rules},
		{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": prefix + "RoleBinding", "metadata": b.metadata(namespace, name),
			"roleRef":  manifest{"apiGroup": "rbac.authorization.k8s.io", "kind": prefix + "Role", "name": name},
			"subjects": []any{manifest{"kind": "ServiceAccount", "namespace": system, "name": account}},
		},
	}
}

// deployment is one of the ClusterServiceVersion, with what OLM adds.
func (b *bundle) deployment(d manifest, version string) manifest {
	GinkgoHelper()
	name, _ := d["name"].(string)
	m := (&unstructured.Unstructured{Object: manifest{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": b.metadata(system, name), "spec": d["spec"],
	}}).DeepCopy().Object
	pod := []string{"spec", "template"}
	annotations := map[string]string{"olm.targetNamespaces": "", "olm.operatorNamespace": system, "olm.operatorGroup": "herald"}
	Expect(unstructured.SetNestedStringMap(m, annotations, append(pod, "metadata", "annotations")...)).To(Succeed())
	containers, _, err := unstructured.NestedSlice(m, append(pod, "spec", "containers")...)
	Expect(err).NotTo(HaveOccurred())
	for _, c := range containers {
		container, _ := c.(manifest)
		env, _ := container["env"].([]any)
		container["env"] = append(env, manifest{"name": "OPERATOR_CONDITION_NAME", "value": b.name()})
		container["image"] = "localhost/herald:" + version
	}
	Expect(unstructured.SetNestedSlice(m, containers, append(pod, "spec", "containers")...)).To(Succeed())
	return m
}

// metadata has OLM's mark of whom the object is.
func (b *bundle) metadata(namespace, name string) manifest {
	labels := manifest{"olm.owner": b.name(), "olm.owner.namespace": system, "olm.managed": "true"}
	m := manifest{"name": name, "labels": labels}
	if namespace != "" {
		m["namespace"] = namespace
	}
	return m
}

func (b *bundle) name() string { return (&unstructured.Unstructured{Object: b.csv}).GetName() }

func (b *bundle) list(fields ...string) []manifest {
	GinkgoHelper()
	values, _, err := unstructured.NestedSlice(b.csv, fields...)
	Expect(err).NotTo(HaveOccurred())
	var all []manifest
	for _, value := range values {
		m, _ := value.(manifest)
		all = append(all, m)
	}
	return all
}

// text is manifests as YAML documents.
func text(manifests []manifest) string {
	GinkgoHelper()
	var out strings.Builder
	for _, m := range manifests {
		content, err := yaml.Marshal(m)
		Expect(err).NotTo(HaveOccurred())
		fmt.Fprintf(&out, "---\n%s", content)
	}
	return out.String()
}

// remove deletes manifests, as OLM does when the ClusterServiceVersion goes.
func remove(ctx context.Context, manifests []manifest) {
	GinkgoHelper()
	_, err := site.KubectlInput(ctx, text(manifests), "delete", "--timeout="+rollout.String(), "--filename=-")
	Expect(err).NotTo(HaveOccurred())
}
