package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/node"
)

// idleTime is how long a process is watched for what it does when nothing is to
// be done.
const idleTime = 20 * time.Second

// clockTick of /proc/PID/stat (USER_HZ), on every Linux of today.
const clockTick = 10 * time.Millisecond

func readAll(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

// resident memory of a container's process, in MiB.
func (s *site) resident(container string) (float64, error) {
	return residentOf(s.node().Container(container).Process().Pid())
}

// residentOf a process, in MiB.
func residentOf(pid int) (float64, error) {
	text, err := readAll(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// processor time that a container's process has used.
func (s *site) processor(container *kubelet.Container) (time.Duration, error) {
	return processorOf(container.Process().Pid())
}

// processorOf a process: the time that it has used.
func processorOf(pid int) (time.Duration, error) {
	text, err := readAll(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return timesOf(text), nil
}

// idle is the share of one processor that a container uses while nothing
// changes, in percent.
func (s *site) idle(ctx context.Context, containers ...string) (map[string]float64, error) {
	used, share := map[string]time.Duration{}, map[string]float64{}
	for _, c := range containers {
		var err error
		if used[c], err = s.processor(s.node().Container(c)); err != nil {
			return nil, err
		}
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(idleTime):
	}
	for _, c := range containers {
		now, err := s.processor(s.node().Container(c))
		if err != nil {
			return nil, err
		}
		share[c] = 100 * float64(now-used[c]) / float64(idleTime)
	}
	return share, nil
}

// Bounds of settle.
const (
	settleLook  = 2 * time.Second
	settleShare = 5 // percent of a processor
	settleLimit = 2 * time.Minute
)

// settle waits until manager and agent have done what follows on many new
// Services, such as their conditions. It gives up with a word: then the figures are of
// a busy site, as they would be of a busy cluster.
func (s *site) settle(ctx context.Context) error {
	busy := func() (time.Duration, error) {
		agent, err := s.processor(s.node().Container(node.Agent))
		if err != nil {
			return 0, err
		}
		manager, err := s.processor(s.lab.Managers()[0])
		if proxy := s.node().Container(node.KubeProxy); proxy != nil && err == nil {
			var more time.Duration
			more, err = s.processor(proxy)
			agent += more
		}
		return agent + manager, err
	}
	for end := time.Now().Add(settleLimit); time.Now().Before(end); {
		before, err := busy()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(settleLook):
		}
		after, err := busy()
		if err != nil || 100*(after-before) < settleShare*settleLook {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "bench: manager, agent or kube-proxy is still busy after %s: what follows is of a busy site\n", settleLimit)
	return nil
}

// Limits of resident memory in MiB; idle, in percent of a processor.
const (
	agentLimit    = 100
	reloaderLimit = 40
	idleLimit     = 0.5
)

// costs of a container as it is now, under a name.
func (s *site) costs(ctx context.Context, name, container string, limit float64) ([]Result, error) {
	share, err := s.idle(ctx, container)
	if err != nil {
		return nil, err
	}
	memory, err := s.resident(container)
	if err != nil {
		return nil, err
	}
	return []Result{
		summary(name+": resident memory", "MiB", []float64{memory}, target{median: limit}),
		summary(name+": idle CPU", "%", []float64{share[container]}, target{median: idleLimit}),
	}, nil
}
