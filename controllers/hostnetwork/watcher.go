package hostnetwork

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/controllers/snapshot"
)

const (
	// pause between two readings: the first change is read at once, those that
	// follow closely together. Starting pods make dozens.
	pause = 100 * time.Millisecond
	// again is when the kernel is read though it told of no change, and how long a
	// subscription that failed is waited for.
	again = 30 * time.Second
	retry = time.Second
)

// groups of rtnetlink that tell of interfaces, addresses and routes.
var groups = []uint{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
}

// Watcher tells what the kernel says, when it starts and after each change.
type Watcher struct {
	Changed func(*snapshot.Network)
	Log     logr.Logger
}

// Start watches until the context ends. It is a manager.Runnable.
func (w *Watcher) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.follow(ctx); err != nil {
			w.Log.Error(err, "the node's interfaces can't be followed; trying again")
		}
		sleep(ctx, retry)
	}
	return nil
}

// follow subscribes before it reads, so that no change is missed.
func (w *Watcher) follow(ctx context.Context) error {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, groups...)
	if err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	defer socket.Close()
	events, failed := make(chan struct{}, 1), make(chan error, 1)
	go receive(socket, events, failed)
	for {
		network, err := Read()
		if err != nil {
			return err
		}
		w.Changed(network)
		sleep(ctx, pause)
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-events:
		case <-time.After(again):
		}
	}
}

// receive turns messages into at most one event that waits, until the socket is
// closed. What a full socket lost is an event too.
func receive(socket *nl.NetlinkSocket, events chan<- struct{}, failed chan<- error) {
	for {
		if _, _, err := socket.Receive(); err != nil && !errors.Is(err, unix.ENOBUFS) {
			failed <- fmt.Errorf("rtnetlink: %w", err)
			return
		}
		select {
		case events <- struct{}{}:
		default:
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
