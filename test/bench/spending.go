package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// spending is the processor time that each part of the site has used. Where all
// parts share two processors it tells who made whom wait.
type spending map[string]time.Duration

// programs of the site's parts: what is called the same is told apart by whose
// network it runs in.
var programs = map[string]map[string]string{
	"node": {
		"herald": "agent", "reloader": "reloader", "kube-proxy": "kube-proxy",
		"bgpd": "FRR", "zebra": "FRR", "staticd": "FRR", "bfdd": "FRR", "mgmtd": "FRR", "watchfrr": "FRR",
	},
	"router":  {"bgpd": "the router's FRR", "zebra": "the router's FRR"},
	"cluster": {"herald": "manager", "kube-apiserver": "API server", "etcd": "etcd"},
}

// spending until now. A process that ends meanwhile is left out; the programs that
// one has run (kube-proxy's nft, the reloader's vtysh) count as its own.
func (s *site) spending() (spending, error) {
	return spentIn(map[string]int{
		"node": s.node().Box().Pid(), "router": s.lab.Router(routerName).Box().Pid(), "cluster": s.lab.ControlPlane().Box().Pid(),
	})
}

// spentIn places, each told by a process in it.
func spentIn(pids map[string]int) (spending, error) {
	places := map[string]string{}
	for place, pid := range pids {
		network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			return nil, err
		}
		places[network] = place
	}
	stats, err := fs.Glob(os.DirFS("/proc"), "[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	used := spending{}
	for _, stat := range stats {
		network, err := os.Readlink(filepath.Join("/proc", filepath.Dir(stat), "ns/net"))
		if err != nil {
			continue
		}
		text, err := readAll(filepath.Join("/proc", stat))
		if err != nil {
			continue
		}
		if name := programs[places[network]][commandOf(text)]; name != "" {
			used[name] += timesOf(text)
		}
	}
	return used, nil
}

// commandOf the text of /proc/PID/stat: "PID (COMMAND) STATE PPID …".
func commandOf(stat string) string {
	_, rest, _ := strings.Cut(stat, "(")
	end := strings.LastIndexByte(rest, ')')
	return rest[:max(end, 0)]
}

// timesOf the text of /proc/PID/stat: utime, stime, and both of the children that
// were waited for, are fields 14 to 17.
func timesOf(stat string) (used time.Duration) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0
	}
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		used += time.Duration(ticks) * clockTick
	}
	return used
}

// each change's share of what was used since before.
func (used spending) each(before spending, changes int, what string) []Result {
	var results []Result
	for name := range used {
		share := milliseconds(used[name]-before[name]) / float64(changes)
		results = append(results, summary(fmt.Sprintf("processor time for each %s: %s", what, name), "ms", []float64{share}, noTarget))
	}
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.What, b.What) })
	return results
}
