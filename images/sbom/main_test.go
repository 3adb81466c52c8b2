package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestProgramsOwnModules(t *testing.T) {
	self, err := os.Executable() // this test is a Go program too
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := write(out, []string{self}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same program gave another document")
	}
	var doc document
	if err := json.Unmarshal(first.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Format != "CycloneDX" || doc.Spec != "1.6" || doc.Version != 1 {
		t.Errorf("%+v", doc)
	}
	std := "pkg:golang/std@" + strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go")
	if len(doc.Dependencies) != 1 || doc.Dependencies[0].Ref != filepath.Base(self) || doc.Dependencies[0].DependsOn[0] != std {
		t.Errorf("dependencies %+v, want %s's on %s", doc.Dependencies, filepath.Base(self), std)
	}
	for _, ref := range doc.Dependencies[0].DependsOn {
		if !bytes.Contains(first.Bytes(), []byte(`"bom-ref": "`+ref+`"`)) {
			t.Errorf("%s is no component", ref)
		}
	}
}

func TestNotAGoProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(&bytes.Buffer{}, []string{file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v doesn't name the file", err)
	}
}
