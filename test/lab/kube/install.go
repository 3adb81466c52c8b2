package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/wait"
)

// fieldManager owns what the lab applies.
const fieldManager = "herald-lab"

// ApplyDir applies every object in a directory's YAML files, in the files'
// order, leaving kustomizations out. A missing directory applies nothing.
func (cp *ControlPlane) ApplyDir(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := cp.Apply(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// Apply applies the objects of a YAML stream, as kubectl apply --server-side
// does.
func (cp *ControlPlane) Apply(ctx context.Context, manifests string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(manifests)), 4096)
	for {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if len(obj.Object) == 0 {
			continue
		}
		apply := client.ApplyConfigurationFromUnstructured(obj)
		if err := cp.client.Apply(ctx, apply, client.FieldOwner(fieldManager), client.ForceOwnership); err != nil {
			return fmt.Errorf("%s %q: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
}

// WaitCRDs waits until every CRD is served.
func (cp *ControlPlane) WaitCRDs(ctx context.Context) error {
	return wait.Until(ctx, "CRDs are established", wait.BringUp, func(ctx context.Context) (bool, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
		if err := cp.client.List(ctx, list); err != nil {
			return false, err
		}
		for i := range list.Items {
			if ok, err := established(&list.Items[i]); !ok {
				return false, err
			}
		}
		return len(list.Items) > 0, nil
	})
}

func established(obj *unstructured.Unstructured) (bool, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &crd); err != nil {
		return false, err
	}
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
			return true, nil
		}
	}
	return false, fmt.Errorf("CRD %q isn't established", crd.Name)
}
