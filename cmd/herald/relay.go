package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/herald-lb/herald/internal/version"
	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/loop"
	"github.com/herald-lb/herald/relay/rules"
)

func newRelayCommand() *cobra.Command {
	var dir string
	timing := rules.DefaultTiming()
	command := &cobra.Command{
		Use:   "relay",
		Short: "Takes packets of established connections to the node that owns them",
		Long: `Takes packets of established connections to the node that owns them.

It reads relay.json, which the agent writes, and programs nftables and two VXLAN
devices of this node. When it ends, they stay and go on relaying.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return runRelay(command.Context(), dir, timing) },
	}
	command.Flags().StringVar(&dir, "relay-dir", exchange.DefaultDir, "directory shared with the agent")
	command.Flags().DurationVar(&timing.Learned, "learned-timeout", timing.Learned,
		"how long an owner is remembered that has said nothing, and so how long switching off takes at least")
	return command
}

func runRelay(ctx context.Context, dir string, timing rules.Timing) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("no directory %s: mount the one that the agent writes relay.json to, or give --relay-dir", dir)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	relay, err := loop.New(loop.Options{Dir: dir, Timing: timing, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	log.Info("started", "version", version.Version)
	relay.Run(ctx)
	log.Info("stopped; what is relayed goes on")
	return nil
}
