package churn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/wait"
)

// checkControl is the negative control of the search for leaks: connections that the
// test keeps open to agent, manager and bgpd hold goroutines, files and sockets there,
// and a reloader is made to tell more goroutines than it has. Exactly these must be
// found, and nothing once they are given back.
func (c *churn) checkControl(ctx context.Context, before usage) error {
	n := c.lab.Nodes()[0]
	const many = 2 * goroutinesSlack
	held, err := holdAll(ctx, many,
		func() (net.Conn, error) { return n.Box().Dial(ctx, "tcp", agentMetrics) },
		func() (net.Conn, error) { return c.lab.ControlPlane().Box().Dial(ctx, "tcp", managerMetrics) },
		func() (net.Conn, error) { return net.Dial("unix", filepath.Join(n.FRRDir(), "bgpd.vty")) })
	defer release(held)
	if err != nil {
		return err
	}
	want := []string{
		node.Agent + " of " + n.Name() + openFiles, node.Agent + " of " + n.Name() + goroutines,
		"bgpd of " + n.Name() + openFiles,
		"manager" + openFiles, "manager" + goroutines,
		node.Reloader + " of " + n.Name() + goroutines,
	}
	slices.Sort(want)
	err = wait.Until(ctx, "leaks made on purpose are found", wait.Process, func(ctx context.Context) (bool, error) {
		if err := c.tellGoroutines(n, before[node.Reloader+" of "+n.Name()+goroutines]+many); err != nil {
			return false, err
		}
		now, err := c.measure(ctx)
		if err != nil {
			return false, err
		}
		found := leaking(now.over(before))
		return slices.Equal(found, want), fmt.Errorf("found: %s; want: %s", strings.Join(found, ", "), strings.Join(want, ", "))
	})
	if err != nil {
		return err
	}
	release(held)
	c.say("      leaks made on purpose were found: %s", strings.Join(want, ", "))
	return c.checkLeaks(ctx, before)
}

// holdAll opens so many connections of each kind. Those that were opened are returned
// with an error, too.
func holdAll(ctx context.Context, count int, dials ...func() (net.Conn, error)) ([]net.Conn, error) {
	var held []net.Conn
	for _, dial := range dials {
		for range count {
			err := wait.Until(ctx, "a connection to hold", wait.Connection, func(context.Context) (bool, error) {
				conn, err := dial() // a daemon takes only so many at once
				if err == nil {
					held = append(held, conn)
				}
				return err == nil, err
			})
			if err != nil {
				return held, err
			}
		}
	}
	return held, nil
}

func release(held []net.Conn) {
	for _, conn := range held {
		_ = conn.Close()
	}
}

// tellGoroutines changes the report in a node's exchange directory, until the
// reloader writes it again.
func (c *churn) tellGoroutines(n *node.Node, count int) error {
	data, err := os.ReadFile(filepath.Join(n.ExchangeDir(), exchange.ReportFile))
	if err != nil {
		return err
	}
	said, err := report.Decode(data)
	if err != nil {
		return err
	}
	said.Goroutines = count
	data, err = said.Encode()
	return errors.Join(err, exchange.WriteFile(n.ExchangeDir(), exchange.ReportFile, data))
}

// leaking are the names in what usage.over says, sorted.
func leaking(wrong []string) []string {
	var names []string
	for _, text := range wrong {
		i := strings.LastIndex(text, ": ")
		names = append(names, text[:i])
	}
	slices.Sort(names)
	return names
}
