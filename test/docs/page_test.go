package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// fence is a block of code of a page: its language and its text.
var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

type block struct{ language, text string }

// blocksOf are the blocks of code of a page in docs/.
func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, found := range fence.FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, block{language: found[1], text: found[2]})
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no code", page)
	}
	return blocks
}
