// Command survival counts the connections that break when the set of nodes
// changes, with and without flow preservation, on a real cluster: kubelet,
// containerd, the real kube-proxy, Herald installed as users install it, an FRR
// and a BIRD router that hash as the kernel does, and a client with connections
// that always have data in flight. `make survival` runs it.
//
// Every route comes and goes by BGP. It prints a table, writes all figures as JSON,
// and the tables of docs/survival.md where it is told where that is.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

type options struct {
	modes       []string
	preserve    []bool
	connections int
	nodes       int
	events      *regexp.Regexp
	output      string
	docs        string
	add         string
}

func main() {
	o := options{modes: []string{"nftables", "iptables"}, preserve: []bool{false, true}, events: regexp.MustCompile("")}
	flag.Func("proxy", "modes of kube-proxy, separated by commas", func(text string) error {
		o.modes = strings.Split(text, ",")
		return nil
	})
	flag.Func("preserve", "with flow preservation (yes), without (no), or both, separated by a comma", func(text string) error {
		o.preserve = nil
		for word := range strings.SplitSeq(text, ",") {
			if word != "yes" && word != "no" {
				return errors.New("want yes, no or no,yes")
			}
			o.preserve = append(o.preserve, word == "yes")
		}
		return nil
	})
	flag.Func("events", "regular expression of the events' names", func(text string) (err error) {
		o.events, err = regexp.Compile(text)
		return err
	})
	flag.IntVar(&o.connections, "connections", 1000, "TCP connections at each event; a fifth as many QUIC-like ones beside them")
	flag.IntVar(&o.nodes, "nodes", 5, "nodes of the cluster")
	flag.StringVar(&o.output, "o", "dist/survival.json", "file for the figures")
	flag.StringVar(&o.docs, "docs", "", "directory of the documentation: tables are written into its survival.md")
	flag.StringVar(&o.add, "add", "", "file with the figures of an earlier run, to which those of this one are added")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "survival: FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	report := Report{Time: time.Now().UTC(), Nodes: o.nodes}
	if o.add != "" {
		if err := report.load(o.add); err != nil {
			return err
		}
	}
	var failed []error
	for _, mode := range o.modes {
		if err := runMode(ctx, o, mode, &report); err != nil {
			failed = append(failed, fmt.Errorf("kube-proxy in mode %s: %w", mode, err))
		}
	}
	report.print(os.Stdout)
	if o.docs != "" {
		failed = append(failed, report.document(o.docs))
	}
	return errors.Join(append(failed, report.verdict())...)
}

// runMode has one cluster, and every event on it.
func runMode(ctx context.Context, o options, mode string, report *Report) error {
	s, err := newSite(ctx, o, mode)
	if err != nil {
		return err
	}
	defer s.cluster.Close()
	var failed []error
	for _, preserve := range o.preserve {
		for _, e := range events {
			if !o.events.MatchString(e.name) || e.onlyPreserved && !preserve {
				continue
			}
			// An event that couldn't be brought about keeps no other from being measured,
			// if the site is as before.
			if err := s.preserve(ctx, preserve); err != nil {
				return errors.Join(append(failed, err)...)
			}
			result, err := s.measure(ctx, e, o.connections)
			if err != nil {
				err = fmt.Errorf("event %q, preservation %t: %w\n%s", e.name, preserve, err, s.cluster.Logs(failureLines))
				fmt.Println("FAILED", err)
				failed = append(failed, err)
				continue
			}
			result.Proxy, result.Preserved = mode, preserve
			fmt.Println(result)
			report.add(*result)
			if err := report.save(o.output); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

// failureLines of each log are shown when an event couldn't be brought about.
const failureLines = 10

func (r *Report) save(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
