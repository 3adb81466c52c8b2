package relay

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/relay/exchange"
)

var (
	benchOutput = flag.String("relay.json", "", "file for what BenchmarkRelay measures")
	benchPage   = flag.String("relay.page", "", "page that BenchmarkRelay writes its table into")
)

// figures are what one run measured. Times are in nanoseconds.
type figures struct {
	Time       time.Time `json:"time"`
	Kernel     string    `json:"kernel"`
	Processors int       `json:"processors"`
	Load       string    `json:"loadAverage"`
	// Direct is a connection that its owner gets itself, Relayed one that another node
	// gets, in the same run.
	Direct  way `json:"direct"`
	Relayed way `json:"relayed"`
	// Searched is a displaced connection's first round, which looks for the owner.
	Searched quantiles `json:"searched"`
	// Own are the packets of a connection that the node has, Displaced those that it
	// relays.
	Own       []rate   `json:"own"`
	Displaced []rate   `json:"displaced"`
	Memory    []memory `json:"memory"`
	// Crowded is how long a relay takes for the rules of as many nodes as can be.
	Crowded time.Duration `json:"crowded"`
	// Flood is what spoofed ACKs do, Unprotected the same where there is no relay.
	Flood       flood `json:"flood"`
	Unprotected flood `json:"unprotected"`
}

type way struct {
	BytesPerSecond float64   `json:"bytesPerSecond"`
	Round          quantiles `json:"round"`
}

type quantiles struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
}

// rate compares packets a second of one node, with rules and (of its own) without.
type rate struct {
	Peers   int     `json:"peers"`
	Learned int     `json:"learned"`
	Without float64 `json:"without,omitempty"`
	With    float64 `json:"with"`
	// Ratio is the median of the pairs' ratios: what else the machine does meanwhile
	// slows both of a pair.
	Ratio float64 `json:"ratio,omitempty"`
}

// memory is that of the kernel, of both tables of a node.
type memory struct {
	Peers   int `json:"peers"`
	Learned int `json:"learned"`
	Bytes   int `json:"bytes"`
}

type flood struct {
	// Sent are spoofed ACKs a second, each of another connection; Copied the packets
	// a second that nodes sent to all their peers because of them.
	Sent   float64 `json:"sent"`
	Copied float64 `json:"copied"`
	// Calm and Meanwhile are rounds of connections that live.
	Calm      quantiles `json:"calm"`
	Meanwhile quantiles `json:"meanwhile"`
	Displaced quantiles `json:"displaced"`
	Broken    int       `json:"broken"`
}

// What the benchmark has as sizes.
var (
	benchLearned = []int{0, 1_000, 100_000}
	benchPeers   = 64
)

// BenchmarkRelay is run by "make bench-relay", once.
func BenchmarkRelay(b *testing.B) {
	s := newSite(b, 4)
	s.learned = "1h"
	s.limits = exchange.Limits{FloodsPerSecond: 2000, LearnedFlows: 131_072}
	f := &figures{Time: time.Now().UTC(), Kernel: firstLine("/proc/sys/kernel/osrelease"), Processors: runtime.NumCPU(), Load: firstLine("/proc/loadavg")}
	bench := &bench{site: s, with: s.nodes[0], owner: s.nodes[1], without: s.nodes[3]}
	empty := kernelMemory(b)
	bench.start()
	f.Memory = append(f.Memory, memory{Peers: len(bench.relays()) - 1, Bytes: (kernelMemory(b) - empty) / len(bench.relays())})
	bench.measureWays(f)
	bench.measureRates(f)
	bench.with.nft("flush set ip herald learned-" + bench.owner.name() + "\n") // nft reads all to list one counter
	bench.start()
	f.Flood = s.measureFlood(bench.owner, bench.relays())
	f.Unprotected = s.measureFlood(bench.without, nil)
	f.keep(b)
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

func (f *figures) keep(b *testing.B) {
	b.Helper()
	data, err := json.MarshalIndent(f, "", " ")
	must(b, err)
	b.Logf("%s", f.table())
	if *benchOutput != "" {
		must(b, os.MkdirAll(filepath.Dir(*benchOutput), 0o755))
		must(b, os.WriteFile(*benchOutput, append(data, '\n'), 0o644))
	}
	if *benchPage != "" {
		must(b, between(*benchPage, "<!-- bench-relay: written by make bench-relay -->", "<!-- bench-relay: end -->", f.table()))
	}
}

// between replaces what stands between two marks of a page.
func between(page, begin, end, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s lacks the marks %q and %q", page, begin, end)
	}
	return os.WriteFile(page, []byte(before+begin+"\n\n"+text+"\n"+end+after), 0o644)
}

// table is the figures as a page shows them.
func (f *figures) table() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s, Linux %s, %d processors that do everything (client, router, nodes, pods), load average before: %s.\n\n",
		f.Time.Format("2006-01-02"), f.Kernel, f.Processors, strings.Join(strings.Fields(f.Load)[:3], " "))
	t.WriteString("| one connection | direct | relayed | ratio |\n|---|---|---|---|\n")
	row := func(what, direct, relayed string, ratio float64) {
		fmt.Fprintf(&t, "| %s | %s | %s | %.2f |\n", what, direct, relayed, ratio)
	}
	row("bulk, MB/s", fmt.Sprintf("%.0f", f.Direct.BytesPerSecond/1e6), fmt.Sprintf("%.0f", f.Relayed.BytesPerSecond/1e6), f.Relayed.BytesPerSecond/f.Direct.BytesPerSecond)
	row("a round of 64 bytes, median / 99th, µs", f.Direct.Round.String(), f.Relayed.Round.String(), float64(f.Relayed.Round.P50)/float64(f.Direct.Round.P50))
	row("the first round after it was displaced, µs", f.Direct.Round.String(), f.Searched.String(), float64(f.Searched.P50)/float64(f.Direct.Round.P50))
	t.WriteString("\n| packets for each second of a processor | other nodes | learned | without rules | with | ratio |\n|---|---|---|---|---|---|\n")
	for _, r := range f.Own {
		fmt.Fprintf(&t, "| of a connection of its own | %d | %d | %.0f | %.0f | %.3f |\n", r.Peers, r.Learned, r.Without, r.With, r.Ratio)
	}
	for _, r := range f.Displaced {
		fmt.Fprintf(&t, "| relayed to their owner | %d | %d | | %.0f | |\n", r.Peers, r.Learned, r.With)
	}
	last := len(f.Memory) - 1
	few, many, crowded := f.Memory[last-2], f.Memory[last-1], f.Memory[last]
	t.WriteString("\n| a node's tables | |\n|---|---|\n")
	fmt.Fprintf(&t, "| kernel's memory for each learned flow, of %d | %d bytes |\n", many.Learned, (many.Bytes-few.Bytes)/(many.Learned-few.Learned))
	fmt.Fprintf(&t, "| … for each node more, empty | %d KiB |\n", (crowded.Bytes-many.Bytes)/(crowded.Peers-many.Peers)/1024)
	fmt.Fprintf(&t, "| a relay that begins has the rules for %d nodes, and %d flows learned before, after | %.1f s |\n", crowded.Peers, crowded.Learned, f.Crowded.Seconds())
	t.WriteString("\n| spoofed ACKs | without relay | with |\n|---|---|---|\n")
	both := func(what string, show func(*flood) string) {
		fmt.Fprintf(&t, "| %s | %s | %s |\n", what, show(&f.Unprotected), show(&f.Flood))
	}
	both("sent each second", func(f *flood) string { return fmt.Sprintf("%.0f", f.Sent) })
	both("packets that nodes copied to their peers each second", func(f *flood) string { return fmt.Sprintf("%.0f", f.Copied) })
	both("a round of a connection before, µs", func(f *flood) string { return f.Calm.String() })
	both("… and meanwhile", func(f *flood) string { return f.Meanwhile.String() })
	both("… of a displaced connection", func(f *flood) string {
		if f.Displaced.P50 == 0 {
			return ""
		}
		return f.Displaced.String()
	})
	both("connections broken, of 40", func(f *flood) string { return fmt.Sprint(f.Broken) })
	return t.String()
}

func (q quantiles) String() string {
	return fmt.Sprintf("%.0f / %.0f", float64(q.P50)/1e3, float64(q.P99)/1e3)
}
