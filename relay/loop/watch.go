package loop

import (
	"context"
	"log/slog"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/tunnel"
)

// watchLinks notes that the tunnel's devices were changed by somebody: rules name a
// device by its index, and what is relayed to one that is gone is lost.
func watchLinks(ctx context.Context, log *slog.Logger, note func()) {
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		log.Warn("devices can't be watched: they are looked at every few seconds", "error", err)
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
			note()
		}
	}
}

// device is what matters of one; the kernel tells of much else.
type device struct {
	index, mtu int
	up, gone   bool
}
