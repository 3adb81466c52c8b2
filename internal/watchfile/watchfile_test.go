package watchfile

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const soon = time.Minute

func noted(t *testing.T, w *Watcher, what string) {
	t.Helper()
	select {
	case <-w.Changed:
	case <-time.After(soon):
		t.Fatalf("%s was not noted", what)
	}
}

func replace(t *testing.T, dir, base string) {
	t.Helper()
	temporary := filepath.Join(dir, ".next")
	if err := os.WriteFile(temporary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, base)); err != nil {
		t.Fatal(err)
	}
}

func TestReplacedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "exchange")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w := New(dir, "wish", slog.New(slog.DiscardHandler))
	go w.Run(t.Context())
	replace(t, dir, "wish")
	noted(t, w, "a new file")
	replace(t, dir, "wish")
	noted(t, w, "a replaced file")

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	noted(t, w, "its end")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.Renew()
	replace(t, dir, "wish")
	noted(t, w, "a file in a new directory")
}

func TestOthersAreNotNoted(t *testing.T) {
	dir := t.TempDir()
	w := New(dir, "wish", slog.New(slog.DiscardHandler))
	go w.Run(t.Context())
	replace(t, dir, "another")
	replace(t, dir, "wish") // events come in order
	noted(t, w, "the file")
	select {
	case <-w.Changed:
		t.Error("another file was noted too")
	default:
	}
}
