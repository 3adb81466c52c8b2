package controllers

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/reloader/exchange"
)

// compareInterval is how often the directory is looked at without any event: a
// watch can be lost, with the directory for example.
const compareInterval = 2 * time.Second

// ExchangeWatch tells when the reloader reports, and when a foreign hand changes
// the agent's file. It watches the directory, not the files: these come by
// rename.
type ExchangeWatch struct {
	Dir string
	// ReportChanged and ConfigChanged are called after an event, and now and then
	// without one.
	ReportChanged, ConfigChanged func()
	// EndingChanged is called when FRR's preStop hook or start script may have said
	// something, in the same way.
	EndingChanged func()
}

// Start watches until the context ends. It is a manager.Runnable.
func (w *ExchangeWatch) Start(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w: raise fs.inotify.max_user_instances on the node", w.Dir, err)
	}
	defer func() { _ = watcher.Close() }()
	ticker := time.NewTicker(compareInterval)
	defer ticker.Stop()
	broken := false
	for {
		// Adding a directory again is how a watch comes back that was lost.
		if err := watcher.Add(w.Dir); (err != nil) != broken {
			broken = err != nil
			log.FromContext(ctx).Info("exchange directory watch", "dir", w.Dir, "error", err)
		}
		w.compare()
		if !w.follow(ctx, watcher, ticker.C) {
			return nil
		}
	}
}

// follow passes events on until the ticker fires; false: the context has ended.
func (w *ExchangeWatch) follow(ctx context.Context, watcher *fsnotify.Watcher, tick <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case err := <-watcher.Errors:
			log.FromContext(ctx).Info("exchange directory watch", "dir", w.Dir, "error", err)
			return true
		case event := <-watcher.Events:
			switch filepath.Base(event.Name) {
			case exchange.ReportFile:
				w.ReportChanged()
			case exchange.ConfigFile:
				w.ConfigChanged()
			case exchange.EndingFile:
				w.EndingChanged()
			}
		}
	}
}

func (w *ExchangeWatch) compare() {
	w.ReportChanged()
	w.ConfigChanged()
	w.EndingChanged()
}
