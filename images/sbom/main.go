// Command sbom writes the software bill of materials of Go programs, in the format
// CycloneDX 1.6: every module that the linker put into each, with its version and
// its hash in go.sum, as `go version -m` tells them.
//
//	sbom PROGRAM... > FILE
//
// The same programs give the same bytes: there is no time and no serial number.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := write(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// The parts of a CycloneDX document that are used here.
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
		PURL    string `json:"purl,omitempty"`
		Hashes  []hash `json:"hashes,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

func write(out io.Writer, programs []string) error {
	if len(programs) == 0 {
		return errors.New("no program named")
	}
	doc := document{Format: "CycloneDX", Spec: "1.6", Version: 1}
	modules := map[string]component{}
	for _, file := range programs {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return err
		}
		program := component{Type: "application", Ref: filepath.Base(file), Name: filepath.Base(file), Version: info.Main.Version}
		uses := dependency{Ref: program.Ref}
		for _, m := range append([]*debug.Module{toolchain(info)}, info.Deps...) {
			c, err := componentOf(m)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			modules[c.Ref] = c
			uses.DependsOn = append(uses.DependsOn, c.Ref)
		}
		slices.Sort(uses.DependsOn)
		doc.Components = append(doc.Components, program)
		doc.Dependencies = append(doc.Dependencies, uses)
	}
	for _, c := range modules {
		doc.Components = append(doc.Components, c)
	}
	slices.SortFunc(doc.Components, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// toolchain is Go's own library, as a module.
func toolchain(info *debug.BuildInfo) *debug.Module {
	return &debug.Module{Path: "std", Version: strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go")}
}

func componentOf(m *debug.Module) (component, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		raw, err := base64.StdEncoding.DecodeString(sum)
		if err != nil {
			return component{}, fmt.Errorf("module %s: sum %q: %w", m.Path, m.Sum, err)
		}
		c.Hashes = []hash{{Algorithm: "SHA-256", Content: hex.EncodeToString(raw)}}
	}
	return c, nil
}
