package loop

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/tunnel"
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

// runLinks notes that the tunnel's devices were changed by somebody: rules name a
// device by its index, and what is relayed to one that is gone is lost.
func (w *watcher) runLinks(ctx context.Context) {
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		w.log.Warn("devices can't be watched: they are looked at every few seconds", "error", err)
		return
	}
	seen := map[string]device{}
	for update := range updates {
		name := update.Attrs().Name
		if name != tunnel.Data && name != tunnel.Claim {
			continue
		}
		now := device{
			index: update.Attrs().Index, mtu: update.Attrs().MTU,
			up: update.Attrs().Flags&net.FlagUp != 0, gone: update.Header.Type == unix.RTM_DELLINK,
		}
		if now != seen[name] {
			seen[name] = now
			w.note()
		}
	}
}

// device is what matters of one; the kernel tells of much else.
type device struct {
	index, mtu int
	up, gone   bool
}
