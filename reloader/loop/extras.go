package loop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/herald-lb/herald/reloader/apply"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/snippet"
	"github.com/herald-lb/herald/reloader/trial"
)

// trialFile keeps the last trial's outcome in FRR's run directory, so that the
// next reloader neither tries again nor takes anything away meanwhile.
const trialFile = ".herald-trial.json"

// retryTrial is when a trial that couldn't be made is made again.
const retryTrial = time.Minute

// extras adds to each file what its snippets were found to add. A trial runs beside
// the loop and never delays it: until it is done, what is known holds, which is what
// the snippets of the same names added before, or nothing.
type extras struct {
	try func(context.Context, trial.Job) ([]trial.Outcome, error)
	// frr says where FRR is; release which one answers, empty: none yet.
	frr     trial.Job
	release func() string
	log     *slog.Logger
	now     func() time.Time

	record *trial.Record
	// trying is the key of the trial that runs, empty: none does.
	trying   string
	finished chan finished
	// failed says why the last trial couldn't be made, and until when to wait.
	failed  string
	retryAt time.Time

	file split
	// applied are the additions that FRR runs; withheld those that it refused all
	// the same, with its words, while key was withheldKey.
	applied     map[string]bool
	withheld    map[string]string
	withheldKey string
}

type finished struct {
	key      string
	outcomes []trial.Outcome
	err      error
}

// split is the last file that was looked at.
type split struct {
	hash, release string
	base          *plan.Config
	snippets      []snippet.Snippet
	key           string
}

func newExtras(frr trial.Job, release func() string, log *slog.Logger, now func() time.Time) *extras {
	e := &extras{try: trial.Run, frr: frr, release: release, log: log, now: now, finished: make(chan finished, 1)}
	if data, err := os.ReadFile(filepath.Join(frr.RunDir, trialFile)); err == nil {
		e.record = trial.DecodeRecord(data)
	}
	return e
}

// wish is what FRR shall run: the file's base with what its snippets add. It
// starts a trial where one is missing.
func (e *extras) wish(ctx context.Context, f exchange.File) *apply.Good {
	e.read(f)
	if len(e.file.snippets) == 0 {
		return &apply.Good{Hash: f.Hash, Config: e.file.base}
	}
	e.begin(ctx)
	config, id := e.file.base, sha256.New()
	names := e.inForce()
	for _, s := range e.file.snippets {
		if names[s.Name] {
			o := e.outcome(s.Name)
			config = config.Plus(plan.Parse(o.Additions))
			fmt.Fprintf(id, "%q %q ", s.Name, o.Additions)
		}
	}
	good := &apply.Good{Hash: f.Hash, Config: config}
	if len(names) > 0 {
		good.Additions = hex.EncodeToString(id.Sum(nil))
	}
	return good
}

func (e *extras) read(f exchange.File) {
	release := e.release()
	if e.file.hash == f.Hash && e.file.release == release && e.file.base != nil {
		return
	}
	base, snippets := snippet.Split(f.Body)
	e.file = split{hash: f.Hash, release: release, base: plan.Parse(string(base)), snippets: snippets}
	if len(snippets) > 0 {
		e.file.key = trial.Key(release, e.file.base, snippets)
	}
	if e.withheldKey != e.file.key {
		e.withheld = nil
	}
}

// begin starts a trial, if there is anything to find out and none runs.
func (e *extras) begin(ctx context.Context) {
	if e.tried() || e.trying != "" || e.file.release == "" || e.now().Before(e.retryAt) {
		return
	}
	job := e.frr
	job.Base, job.Snippets = e.file.base.Skeleton().Text(plan.Quirks{}), e.file.snippets
	key := e.file.key
	e.trying = key
	go func() {
		outcomes, err := e.try(ctx, job)
		e.finished <- finished{key: key, outcomes: outcomes, err: err}
	}()
}

func (e *extras) tried() bool { return e.record != nil && e.record.Key == e.file.key }

// learn takes the outcome of a trial, also one that has been overtaken: what it
// says of a text holds until it is tried again.
func (e *extras) learn(done finished) {
	e.trying = ""
	if done.err != nil {
		e.failed, e.retryAt = done.err.Error(), e.now().Add(retryTrial)
		e.log.Error("the snippets couldn't be tried; what is in force stays", "error", done.err, "retry", retryTrial.String())
		return
	}
	e.failed, e.withheld = "", nil
	e.record = &trial.Record{Key: done.key, Outcomes: done.outcomes}
	for _, o := range done.outcomes {
		if o.Refused != nil {
			e.log.Warn("snippet refused", "snippet", o.Name, "problem", o.Refused.Error())
		} else {
			e.log.Info("snippet accepted", "snippet", o.Name)
		}
	}
	data, err := e.record.Encode()
	if err == nil {
		err = exchange.WriteFile(e.frr.RunDir, trialFile, data)
	}
	if err != nil {
		e.log.Warn("the outcome of the trial can't be kept: the next reloader tries the snippets again", "error", err)
	}
}

func (e *extras) outcome(name string) *trial.Outcome {
	if e.record == nil {
		return nil
	}
	for i := range e.record.Outcomes {
		if e.record.Outcomes[i].Name == name {
			return &e.record.Outcomes[i]
		}
	}
	return nil
}

// inForce are the snippets of which the additions hold now. Those found with
// another base are looked at again: it may have what they must not touch.
func (e *extras) inForce() map[string]bool {
	names := map[string]bool{}
	for _, s := range e.file.snippets {
		o := e.outcome(s.Name)
		if o == nil || o.Refused != nil || e.withheld[token(o)] != "" {
			continue
		}
		if e.tried() || trial.Conflict(e.file.base, plan.Parse(o.Additions)) == nil {
			names[s.Name] = true
		}
	}
	return names
}

// token names a snippet with its text.
func token(o *trial.Outcome) string { return o.Name + " " + o.Hash }

// succeeded notes which additions FRR runs.
func (e *extras) succeeded() {
	e.applied = map[string]bool{}
	for name := range e.inForce() {
		e.applied[token(e.outcome(name))] = true
	}
}

// blame withholds additions after FRR refused a configuration with them: those
// that it didn't run before, else all. It is false where there were none, so that
// it is the base which FRR refuses.
func (e *extras) blame(err error) bool {
	var suspects []string
	all := e.inForce()
	for name := range all {
		if t := token(e.outcome(name)); !e.applied[t] {
			suspects = append(suspects, t)
		}
	}
	if len(suspects) == 0 {
		for name := range all {
			suspects = append(suspects, token(e.outcome(name)))
		}
	}
	if len(suspects) == 0 {
		return false
	}
	if e.withheld == nil {
		e.withheld, e.withheldKey = map[string]string{}, e.file.key
	}
	for _, t := range suspects {
		e.withheld[t] = err.Error()
	}
	return true
}

// verdicts are what is to be said of the file's snippets.
func (e *extras) verdicts() []report.Snippet {
	var all []report.Snippet
	inForce := e.inForce()
	for _, s := range e.file.snippets {
		v := report.Snippet{Name: s.Name, Hash: s.Hash(), State: report.SnippetPending, Error: e.failed}
		if o := e.outcome(s.Name); o != nil && o.Hash == v.Hash {
			switch {
			case e.withheld[token(o)] != "":
				v.State, v.Error = report.SnippetRefused, "FRR refused the configuration with it: "+e.withheld[token(o)]
			case o.Refused != nil:
				v.State, v.Line, v.Text, v.Error = report.SnippetRefused, o.Refused.Line, o.Refused.Text, o.Refused.Why
			case inForce[s.Name]:
				v.State, v.Error = report.SnippetAccepted, ""
			}
		}
		all = append(all, v)
	}
	return all
}
