// Package watchfile notes that one file was replaced: those that reloader and relay
// get from the agent.
package watchfile

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Watcher notes changes of a file by watching its directory: the file itself is
// another one after each rename.
type Watcher struct {
	// Changed has something in it after a change. It holds one: who reads it looks at
	// the file, whose last state is the one that counts.
	Changed chan struct{}

	dir, base string
	log       *slog.Logger
	fs        *fsnotify.Watcher
}

// New watches a file in a directory. It never fails: its owner compares every few
// seconds too, and so finds each change where there is no watch.
func New(dir, base string, log *slog.Logger) *Watcher {
	w := &Watcher{dir: dir, base: base, log: log, Changed: make(chan struct{}, 1)}
	w.Renew()
	return w
}

// Renew sets the watch again, where the directory was replaced.
func (w *Watcher) Renew() {
	if w.fs == nil {
		fs, err := fsnotify.NewWatcher()
		if err != nil {
			w.log.Warn("no file watch: changes are found by comparing; raise fs.inotify.max_user_instances on this host", "error", err)
			return
		}
		w.fs = fs
	}
	if err := w.fs.Add(w.dir); err != nil {
		w.log.Warn("the exchange directory can't be watched", "error", err)
	}
}

// Run watches until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	if w.fs == nil {
		return
	}
	defer func() { _ = w.fs.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-w.fs.Events:
			if !ok {
				return
			}
			if filepath.Base(event.Name) == w.base {
				w.Note()
			}
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.Note() // events were lost: look
		}
	}
}

// Note says that there is something to look at, whoever found it.
func (w *Watcher) Note() {
	select {
	case w.Changed <- struct{}{}:
	default:
	}
}
