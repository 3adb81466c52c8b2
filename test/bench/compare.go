package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/wire"
)

// way of bringing FRR to what is wanted.
type way struct {
	name string
	// args of the reloader; render makes its file of Herald's, nil: as it is.
	args   []string
	render func(string) string
	// runs of single changes, and of loading all.
	runs, loads int
}

var byFRRReload = []string{"--apply=frr-reload"}

var (
	heralds = way{name: "Herald", runs: 10, loads: 3}
	ways    = []way{
		heralds,
		{name: "frr-reload", args: byFRRReload, runs: 3, loads: 1},
		{name: "frr-reload, prefix-lists", args: byFRRReload, render: withPrefixLists, runs: 2, loads: 1},
	}
)

// What is compared: from the file's replacement in the exchange directory.
const (
	whatOneMore = "one prefix more → update"
	whatOneLess = "one prefix fewer → withdrawal"
	whatFewer   = "20 prefixes fewer → last withdrawal"
	whatCold    = "no prefix → all, last update"
	fewer       = 20
)

// compareTimeout bounds a change: FRR 8.4 loads a thousand lines of prefix-lists in
// 48 s.
const compareTimeout = 4 * time.Minute

// compare gives the reloader files by hand: Herald's, and the same intent in other
// words, to be applied as Herald does and by frr-reload.py alone.
func (s *site) compare(ctx context.Context) ([]Result, error) {
	file, err := exchange.ReadConfig(s.node().ExchangeDir())
	if err != nil {
		return nil, err
	}
	s.node().Stop(node.Agent, agentGrace)
	var results []Result
	var failed error
	for _, w := range ways {
		h := &byHand{site: s, way: w, conf: string(file.Body)}
		some, err := h.measure(ctx)
		results = append(results, some...)
		if err != nil {
			failed = fmt.Errorf("%s: %w", w.name, err) // agent and reloader come back all the same
			break
		}
	}
	relate(results)
	if err := exchange.WriteFile(s.node().ExchangeDir(), exchange.ConfigFile, file.Encode()); err != nil {
		return results, errors.Join(failed, err)
	}
	if err := s.node().StartContainer(node.Agent); err != nil {
		return results, errors.Join(failed, err)
	}
	if err := errors.Join(s.reloader(ctx), failed); err != nil {
		return results, err
	}
	// FRR's delay timer of 5 s may still run for what frr-reload.py edited.
	if err := pause(ctx, afterDelayTimer); err != nil {
		return results, err
	}
	_, err = s.routes.waitCount(ctx, len(networks(string(file.Body))))
	return results, err
}

const afterDelayTimer = 6 * time.Second

const agentGrace = 5 * time.Second

// reloader is started anew, with these arguments more than usual; it has applied
// what lies there when this returns.
func (s *site) reloader(ctx context.Context, args ...string) error {
	s.node().Stop(node.Reloader, agentGrace)
	// What the last one said doesn't count.
	if err := os.Remove(filepath.Join(s.node().ExchangeDir(), exchange.ReportFile)); err != nil {
		return err
	}
	if err := s.node().StartContainer(node.Reloader, args...); err != nil {
		return err
	}
	file, err := exchange.ReadConfig(s.node().ExchangeDir())
	if err != nil {
		return err
	}
	return s.applied(ctx, file.Hash)
}

// applied waits until FRR runs a file, by the report of a reloader that runs.
func (s *site) applied(ctx context.Context, hash string) error {
	return wait.Until(ctx, "FRR runs the file", compareTimeout, func(context.Context) (bool, error) {
		said, err := s.report()
		return err == nil && said.AppliedHash == hash, err
	})
}

func (s *site) report() (report.Report, error) {
	data, err := os.ReadFile(filepath.Join(s.node().ExchangeDir(), exchange.ReportFile))
	if err != nil {
		return report.Report{}, err
	}
	return report.Decode(data)
}

// relate says of each result how many times Herald's it is.
func relate(results []Result) {
	for i := range results {
		for j := range results {
			if results[j].Way == heralds.name && results[j].What == results[i].What && results[j].Median > 0 {
				results[i].Ratio = results[i].Median / results[j].Median
			}
		}
	}
}

// byHand is the agent's part, played by the benchmark.
type byHand struct {
	*site
	way  way
	conf string
}

func (h *byHand) measure(ctx context.Context) ([]Result, error) {
	all := networks(h.conf)
	extra := netip.PrefixFrom(lastOf(pool), pool.Addr().BitLen()).String()
	more := append(slices.Clone(all), extra)
	if err := h.begin(ctx, all); err != nil {
		return nil, err
	}
	var results []Result
	for _, c := range []struct {
		what      string
		runs      int
		from, to  []string
		announced bool
		touched   []string
	}{
		{whatOneMore, h.way.runs, all, more, true, []string{extra}},
		{whatOneLess, h.way.runs, more, all, false, []string{extra}},
		{whatFewer, h.way.runs, all, all[fewer:], false, all[:fewer]},
		{whatCold, h.way.loads, nil, all, true, all},
	} {
		var samples []float64
		for range c.runs {
			if err := h.put(ctx, c.from); err != nil {
				return results, fmt.Errorf("%s: %w", c.what, err)
			}
			took, err := h.told(ctx, c.to, c.announced, c.touched)
			if err != nil {
				return results, fmt.Errorf("%s: %w", c.what, err)
			}
			samples = append(samples, took)
		}
		r := summary(c.what+atRouter, "ms", samples, noTarget)
		r.Way = h.way.name
		results = append(results, r)
	}
	return results, nil
}

// begin lets the reloader of this way take over.
func (h *byHand) begin(ctx context.Context, prefixes []string) error {
	if err := h.write(prefixes); err != nil {
		return err
	}
	return h.reloader(ctx, h.way.args...)
}

func (h *byHand) file(prefixes []string) exchange.File {
	conf := withNetworks(h.conf, prefixes)
	if h.way.render != nil {
		conf = h.way.render(conf)
	}
	return exchange.NewFile("bench", h.node().BootID(), []byte(conf))
}

func (h *byHand) write(prefixes []string) error {
	return exchange.WriteFile(h.node().ExchangeDir(), exchange.ConfigFile, h.file(prefixes).Encode())
}

// put writes a file and waits until FRR runs it and the router has just that.
func (h *byHand) put(ctx context.Context, prefixes []string) error {
	if err := h.write(prefixes); err != nil {
		return err
	}
	return h.done(ctx, prefixes)
}

// done waits until FRR runs a file and the router has just that: the router is told
// before frr-reload.py has ended.
func (h *byHand) done(ctx context.Context, prefixes []string) error {
	if err := h.applied(ctx, h.file(prefixes).Hash); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	_, err := h.routes.waitCount(ctx, len(prefixes))
	return err
}

// told writes a file and says how long it took until the router was told all that
// differs.
func (h *byHand) told(ctx context.Context, prefixes []string, announced bool, touched []string) (float64, error) {
	capture, err := h.lab.Capture(routerName)
	if err != nil {
		return 0, err
	}
	defer capture.Close()
	want := map[netip.Prefix]bool{}
	for _, text := range touched {
		want[netip.MustParsePrefix(text)] = true
	}
	before := time.Now()
	if err := h.write(prefixes); err != nil {
		return 0, err
	}
	var last time.Time
	err = wait.Until(ctx, fmt.Sprintf("%d prefixes told", len(want)), compareTimeout, func(context.Context) (bool, error) {
		messages, err := capture.Messages()
		if err != nil {
			return false, err
		}
		var told int
		told, last = lastTold(messages, announced, want)
		return told == len(want), fmt.Errorf("%d were", told)
	})
	if err != nil {
		return 0, err
	}
	return milliseconds(last.Sub(before)), h.done(ctx, prefixes)
}

// lastTold counts which of some prefixes were announced, or withdrawn, and when the
// last of them was for the first time.
func lastTold(messages []wire.Message, announced bool, want map[netip.Prefix]bool) (int, time.Time) {
	seen := map[netip.Prefix]bool{}
	var last time.Time
	for _, m := range messages {
		prefixes := m.Withdrawn
		if announced {
			prefixes = m.Announced
		}
		for _, prefix := range prefixes {
			if want[prefix] && !seen[prefix] {
				seen[prefix], last = true, m.At
			}
		}
	}
	return len(seen), last
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		bytes[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(bytes)
}
