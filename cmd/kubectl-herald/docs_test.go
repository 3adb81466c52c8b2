package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var (
	// code is a block or a span of code of a page.
	code = regexp.MustCompile("(?s)```.*?```|`[^`]+`")
	// call is the plugin's command line up to where the shell goes on.
	call = regexp.MustCompile(`kubectl[ -]herald((?:[ \t]+[^\s|;>#&()]+)*)`)
	// lone is a flag that stands by itself, as in "`--down` chooses".
	lone = regexp.MustCompile("`--([a-z-]+)[^`]*`")
)

// TestDocumentationCallsWhatThereIs: every command line of the plugin that a page shows
// has a command that there is, with flags that it takes.
func TestDocumentationCallsWhatThereIs(t *testing.T) {
	calls := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range code.FindAllString(string(text), -1) {
			if !strings.HasPrefix(block, "```") {
				block = strings.ReplaceAll(block, "\n", " ") // a span may be wrapped
			}
			for _, found := range call.FindAllStringSubmatch(strings.Trim(block, "`"), -1) {
				calls++
				if problem := problemOf(strings.Fields(found[1])); problem != "" {
					t.Errorf("%s: %q: %s", page, found[0], problem)
				}
			}
		}
		if filepath.Base(page) != "kubectl-herald.md" {
			continue
		}
		for _, found := range lone.FindAllStringSubmatch(string(text), -1) {
			if !anyHas(found[1]) {
				t.Errorf("%s: no command has --%s", page, found[1])
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d command lines were found", calls)
	}
}

// The test sees what isn't there.
func TestProblemOf(t *testing.T) {
	for line, good := range map[string]bool{
		"": true, "status": true, "sessions --down -o wide": true, "completion SHELL": true, "render --node=n1 --context x": true,
		"announce": false, "sessions --up": false, "status --down": false, "drain n3 -x": false,
	} {
		if problem := problemOf(strings.Fields(line)); (problem == "") != good {
			t.Errorf("%q: %q", line, problem)
		}
	}
}

// problemOf says what is wrong with the plugin's arguments, as far as it doesn't depend
// on a cluster.
func problemOf(arguments []string) string {
	root := documented()
	command, rest, err := root.Find(arguments)
	if err == nil && command == root && len(rest) > 0 {
		err = noSuchCommand(root, rest)
	}
	if err != nil {
		return err.Error()
	}
	for _, argument := range rest {
		name, isLong := strings.CutPrefix(argument, "--")
		short, isShort := strings.CutPrefix(argument, "-")
		switch {
		case isLong:
			name, _, _ = strings.Cut(name, "=")
			if !has(command, func(set *pflag.FlagSet) bool { return set.Lookup(name) != nil }) {
				return "it has no flag --" + name
			}
		case isShort && short != "":
			if !has(command, func(set *pflag.FlagSet) bool { return set.ShorthandLookup(short[:1]) != nil }) {
				return "it has no flag -" + short[:1]
			}
		}
	}
	return ""
}

func documented() *cobra.Command {
	root := newRoot(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})
	root.InitDefaultCompletionCmd("completion")
	return root
}

func has(command *cobra.Command, found func(*pflag.FlagSet) bool) bool {
	return found(command.Flags()) || found(command.InheritedFlags())
}

func anyHas(name string) bool {
	lookup := func(set *pflag.FlagSet) bool { return set.Lookup(name) != nil }
	for _, command := range documented().Commands() {
		if has(command, lookup) {
			return true
		}
	}
	return false
}

// pages are those that tell people what to type.
func pages(t *testing.T) []string {
	root := filepath.Join("..", "..")
	all := []string{filepath.Join(root, "README.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") && filepath.Base(filepath.Dir(path)) != "design" {
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("%d pages: %v", len(all), err)
	}
	return all
}
