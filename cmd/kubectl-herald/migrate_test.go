package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestMigratedManifestsAreClean: what migrate prints is what lint has nothing
// against, beside what migrate itself says.
func TestMigratedManifestsAreClean(t *testing.T) {
	files, err := filepath.Glob("testdata/migrate/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		manifests := section(archive, "stdout")
		if !strings.Contains(manifests, "\nkind: ") {
			continue
		}
		got := runProgram(t, manifests, "lint", "-f", "-", "-o", "json")
		if got["exit"] != "0\n" {
			t.Errorf("%s: %s", filepath.Base(file), got["stdout"])
		}
	}
}

// TestSecretsOfAMigrationAreNotTold: a password goes from manifest to manifest, and
// to nobody's terminal.
func TestSecretsOfAMigrationAreNotTold(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/migrate/a-site-with-bgp-moves-over.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(section(archive, "stderr"), "hunter2") {
		t.Error("stderr has the password")
	}
	lines := slices.DeleteFunc(strings.Split(section(archive, "stdout"), "\n"), func(line string) bool { return !strings.Contains(line, "hunter2") })
	if len(lines) != 1 || strings.TrimSpace(lines[0]) != "password: hunter2" {
		t.Errorf("stdout has the password here: %q", lines)
	}
}
