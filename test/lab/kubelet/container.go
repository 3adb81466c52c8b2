// Package kubelet keeps the lab's containers running, as a kubelet does: one
// that ends is started again, after a pause that grows while it keeps ending.
package kubelet

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
)

// Pauses before a container is started again. A real kubelet begins with 10 s;
// the lab has less patience.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	// stable is how long a container must run for the pause to begin anew.
	stable = 10 * time.Second
)

// StartedAgain begins the line in a container's log that separates two runs.
const StartedAgain = "=== started again:"

// Spec is what runs in a container.
type Spec struct {
	// Name of the container, for logs and errors.
	Name string
	// LogFile takes standard output and error of every run, appended.
	LogFile string
	// Box makes the box of one run, or returns an existing one: then Kill ends
	// the process only.
	Box func() (box *sandbox.Box, own bool, err error)
	// Command is what runs in it; its output goes to the log.
	Command sandbox.Command
}

// Container is a supervised command.
type Container struct {
	spec Spec
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	box     *sandbox.Box
	own     bool
	process *sandbox.Process
	starts  int
	stopped bool
}

// Start runs a container until Stop. The first start's error is returned; later
// ones are retried, as every end is.
func Start(spec Spec) (*Container, error) {
	c := &Container{spec: spec, stop: make(chan struct{}), done: make(chan struct{})}
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("container %q: %w", spec.Name, err)
	}
	go c.supervise()
	return c, nil
}

// start runs the command once.
func (c *Container) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	log, err := os.OpenFile(c.spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if c.starts > 0 {
		fmt.Fprintf(log, "%s %s (%d)\n", StartedAgain, c.spec.Name, c.starts)
	}
	box, own, err := c.spec.Box()
	if err != nil {
		return err
	}
	command := c.spec.Command
	command.Stdout, command.Stderr = log, log
	p, err := box.Start(command)
	if err != nil {
		if own {
			box.Kill()
		}
		return err
	}
	c.box, c.own, c.process = box, own, p
	c.starts++
	return nil
}

// supervise waits for the end of each run and starts the next.
func (c *Container) supervise() {
	defer close(c.done)
	pause := firstPause
	for {
		began := time.Now()
		if p := c.Process(); p != nil {
			<-p.Done()
		}
		c.killBox()
		if time.Since(began) > stable {
			pause = firstPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		if err := c.start(); err != nil {
			c.logError(err)
		}
		pause = min(2*pause, longPause)
	}
}

func (c *Container) logError(failed error) {
	log, err := os.OpenFile(c.spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return // nowhere to say it; the container stays down, which tests see
	}
	defer log.Close()
	fmt.Fprintf(log, "=== %s: can't start: %v\n", c.spec.Name, failed)
}

func (c *Container) killBox() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own && c.box != nil {
		c.box.Kill()
	}
}

// Process is the command of the present or last run, nil before the first.
func (c *Container) Process() *sandbox.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process
}

// Box is where the present or last run is.
func (c *Container) Box() *sandbox.Box {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.box
}

// Running is whether the command runs now.
func (c *Container) Running() bool {
	p := c.Process()
	return p != nil && p.Alive()
}

// Starts is how often the command was started.
func (c *Container) Starts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts
}

// Kill ends everything in the container with SIGKILL; it is started again after
// a pause. It returns when the old run is gone.
func (c *Container) Kill() {
	c.mu.Lock()
	box, own, process := c.box, c.own, c.process
	c.mu.Unlock()
	if own {
		box.Kill()
	}
	process.Kill()
}

// Stop ends the container for good: SIGTERM, and SIGKILL after grace (at once
// if 0).
func (c *Container) Stop(grace time.Duration) {
	c.mu.Lock()
	already := c.stopped
	c.stopped = true
	process := c.process
	c.mu.Unlock()
	if already {
		<-c.done
		return
	}
	close(c.stop)
	if grace > 0 {
		process.Stop(grace)
	} else {
		process.Kill()
	}
	<-c.done
}

// Name is the name in the Spec.
func (c *Container) Name() string { return c.spec.Name }

// LogFile is the log of all runs.
func (c *Container) LogFile() string { return c.spec.LogFile }
