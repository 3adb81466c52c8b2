// Command dashboard records what Herald's programs tell Prometheus on a lab of real
// parts where something happens, for a picture of the dashboard (make
// dashboard-picture). Each scrape is a line "# scrape <milliseconds> <job> <node>"
// and the text that was served, as far as it is Herald's.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/sandbox"
)

const (
	// served is where each program serves its metrics, on its own host.
	served = "127.0.0.1:8090"
	every  = 2 * time.Second
	// tick is how often something happens.
	tick = 5 * time.Second
)

func main() {
	out := flag.String("out", "dist/metrics.txt", "file for what is scraped")
	flag.Parse()
	if err := run(context.Background(), *out); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) (err error) {
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	metrics := []string{"--metrics-bind-address=" + served, "--metrics-secure=false"}
	l, err := lab.New(ctx, lab.Options{
		Managers: 1, AgentArgs: append([]string{"--counters-interval=2s"}, metrics...), ManagerArgs: metrics, Relay: true, Log: os.Stdout,
		Routers: []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}, {Name: "tor-b", Make: router.BIRD}},
	})
	if err != nil {
		return err
	}
	defer l.Close()
	scrapes, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- record(scrapes, l, file) }()
	err = play(ctx, l)
	stop()
	return errors.Join(err, <-done)
}

// record scrapes everybody until the context ends.
func record(ctx context.Context, l *lab.Lab, out io.Writer) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	began := time.Now()
	for {
		for _, n := range l.Nodes() {
			scrape(ctx, out, began, "agent "+n.Name(), n.Box())
		}
		scrape(ctx, out, began, "manager control-plane", l.ControlPlane().Box())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// scrape writes what one program tells; one that doesn't answer tells nothing.
func scrape(ctx context.Context, out io.Writer, began time.Time, who string, box *sandbox.Box) {
	client := &http.Client{Timeout: every, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return box.Dial(ctx, network, address)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+served+"/metrics", nil)
	if err != nil {
		return
	}
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	fmt.Fprintf(out, "# scrape %d %s\n", time.Since(began).Milliseconds(), who)
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "herald_") {
			fmt.Fprintln(out, lines.Text())
		}
	}
}
