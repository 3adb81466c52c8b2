package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/herald-lb/herald/test/lab/binaries"
)

// HeraldObject starts FRR and the agents on all nodes.
const HeraldObject = `
apiVersion: herald-lb.io/v1alpha1
kind: Herald
metadata: {name: default}
spec: {frrImage: ` + FRRImage + `}
`

// Overlay is a kustomization over config/default with the image of a version
// (HeraldImage), as docs/install.md tells users to make one. It returns its
// directory, for kubectl apply --kustomize.
func (c *Cluster) Overlay(version string) (string, error) {
	source, err := binaries.Source()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(c.Dir(), "overlay")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	base, err := filepath.Rel(dir, filepath.Join(source, "config", "default"))
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("resources: [%s]\nimages:\n  - {name: ghcr.io/herald-lb/herald, newName: localhost/herald, newTag: %s}\n", base, version)
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644)
}
