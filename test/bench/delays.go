package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/herald-lb/herald/test/lab/node"
)

// timedRun of something: when it began, and when the router was told.
type timedRun struct{ began, told time.Time }

// Stages of a run, in their order: what the logs of agent and reloader tell of it.
var stagesOfRun = []string{"the API, until the agent begins", "the agent, until the file is there", "the reloader, until it begins to apply", "FRR, until the router is told"}

// said is a line of the agent's log about a file that it wrote, or one of the
// reloader's about one that it applied: when it had done so, and when it began.
type said struct {
	hash        string
	began, done time.Time
}

// readLog reads what a container said with a message.
func readLog(file, message string, decode func([]byte) (said, error)) ([]said, error) {
	text, err := readAll(file)
	if err != nil {
		return nil, err
	}
	var all []said
	for line := range strings.Lines(text) {
		if !strings.Contains(line, message) {
			continue
		}
		one, err := decode([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", file, err, line)
		}
		all = append(all, one)
	}
	return all, nil
}

func written(line []byte) (said, error) {
	var l struct {
		TS       time.Time
		Hash     string
		Duration float64
	}
	err := json.Unmarshal(line, &l)
	return said{l.Hash, l.TS.Add(-time.Duration(l.Duration * float64(time.Second))), l.TS}, err
}

func applied(line []byte) (said, error) {
	var l struct {
		Time           time.Time
		Hash, Duration string
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return said{}, err
	}
	took, err := time.ParseDuration(l.Duration)
	return said{l.Hash, l.Time.Add(-took), l.Time}, err
}

// delays of some runs, each stage's.
func (s *site) delays(runs []timedRun, what string) ([]Result, error) {
	files, err := readLog(s.node().LogFile(node.Agent), `"configuration written"`, written)
	if err != nil {
		return nil, err
	}
	applies, err := readLog(s.node().LogFile(node.Reloader), `"msg":"applied"`, applied)
	if err != nil {
		return nil, err
	}
	return delaysOf(runs, files, applies, what), nil
}

// delaysOf leaves out a run of which the logs don't tell everything: its file was
// overtaken by another one. The reloader may begin before the agent has said that the
// file is there.
func delaysOf(runs []timedRun, files, applies []said, what string) []Result {
	samples := make([][]float64, len(stagesOfRun))
	for _, r := range runs {
		file := firstWithin(files, r, "")
		if file == nil {
			continue
		}
		apply := firstWithin(applies, r, file.hash)
		if apply == nil {
			continue
		}
		for i, step := range []time.Duration{file.began.Sub(r.began), file.done.Sub(file.began), max(0, apply.began.Sub(file.done)), r.told.Sub(apply.began)} {
			samples[i] = append(samples[i], milliseconds(step))
		}
	}
	if len(samples[0]) == 0 {
		return nil
	}
	var results []Result
	for i, stage := range stagesOfRun {
		results = append(results, summary(what+": "+stage, "ms", samples[i], noTarget))
	}
	return results
}

// firstWithin is the first that began within a run, about a file; empty: any.
func firstWithin(all []said, r timedRun, hash string) *said {
	for i := range all {
		if all[i].began.After(r.began) && all[i].began.Before(r.told) && (hash == "" || all[i].hash == hash) {
			return &all[i]
		}
	}
	return nil
}
