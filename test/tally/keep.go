package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// save keeps the counts of a finished run.
func (t *tally) save(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(t.total.String()+"\n"), 0o644)
}

// load adds up what save has kept.
func (t *tally) load(files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var c counts
		if _, err := fmt.Sscanf(string(text), "%d passed, %d failed, %d skipped", &c.passed, &c.failed, &c.skipped); err != nil {
			return fmt.Errorf("%s isn't a count: %w", file, err)
		}
		t.total.add(c)
	}
	return nil
}
