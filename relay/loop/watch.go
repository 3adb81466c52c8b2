package loop

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/herald-lb/herald/relay/exchange"
)

// watcher notes changes of relay.json by watching its directory:
// the file itself is another one after each rename.
type watcher struct {
	dir     string
	log     *slog.Logger
	fs      *fsnotify.Watcher
	changed chan struct{}
}

// newWatcher never fails: without a watch the comparison every few seconds
// still finds each change.
func newWatcher(dir string, log *slog.Logger) *watcher {
	w := &watcher{dir: dir, log: log, changed: make(chan struct{}, 1)}
	w.renew()
	return w
}

// renew sets the watch again, where the directory was replaced.
func (w *watcher) renew() {
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

func (w *watcher) run(ctx context.Context) {
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
			if filepath.Base(event.Name) == exchange.DesiredFile {
				w.note()
			}
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.note() // events were lost: look
		}
	}
}

func (w *watcher) note() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
