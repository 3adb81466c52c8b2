package loop

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/herald-lb/herald/internal/watchfile"
	"github.com/herald-lb/herald/reloader/apply"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/observe"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/trial"
)

// DefaultCheckInterval is how often everything that FRR runs is compared.
const DefaultCheckInterval = 60 * time.Second

// Intervals of what else is done unasked.
const (
	compareInterval   = 10 * time.Second
	reconnectInterval = 200 * time.Millisecond
)

// Loop is the one writer to FRR.
type Loop struct {
	// Dir is the exchange directory.
	Dir     string
	Applier *apply.Applier
	// Publish takes changes to the report.
	Publish func(func(*report.Report))
	Log     *slog.Logger
	Now     func() time.Time
	// CheckInterval between two comparisons of everything that FRR runs.
	CheckInterval time.Duration

	events   events
	extras   *extras
	pace     pace
	backoff  backoff
	checkDue bool
	// said are the last errors that were logged, so that each is logged once.
	saidFile, saidFRR string
}

// New makes a Loop. frr says where FRR's programs are, for trials of snippets.
func New(dir string, applier *apply.Applier, frr trial.Job, publish func(func(*report.Report)), log *slog.Logger) *Loop {
	return &Loop{
		Dir: dir, Applier: applier, Publish: publish, Log: log, Now: time.Now,
		CheckInterval: DefaultCheckInterval, events: newEvents(),
		extras: newExtras(frr, func() string { return applier.FRR.Version().String() }, log, time.Now),
	}
}

// events from the observer's goroutine.
type events struct{ bgpd, other chan struct{} }

func newEvents() events {
	return events{bgpd: make(chan struct{}, 1), other: make(chan struct{}, 1)}
}

// DaemonChanged notes that a daemon came up, went away or is another process.
func (l *Loop) DaemonChanged(daemon string) {
	c := l.events.other
	if daemon == "bgpd" {
		c = l.events.bgpd
	}
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run works until the context ends; an apply that has begun is finished.
func (l *Loop) Run(ctx context.Context) {
	w := watchfile.New(l.Dir, exchange.ConfigFile, l.Log)
	go w.Run(ctx)
	compare := time.NewTicker(compareInterval)
	defer compare.Stop()
	check := time.NewTicker(l.CheckInterval)
	defer check.Stop()
	for ctx.Err() == nil {
		again := l.step(ctx)
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-ctx.Done():
		case <-w.Changed:
			l.pace.noted(l.Now())
		case <-timer:
		case <-compare.C:
			w.Renew()
		case <-check.C:
			l.checkDue = true
		case <-l.events.other:
			l.checkDue = true
		case <-l.events.bgpd:
			l.Applier.FRR.Ping()
		case done := <-l.extras.finished:
			l.extras.learn(done)
		}
	}
}

// step does what is due and returns when to come again at the latest, 0 for
// not before something happens.
func (l *Loop) step(ctx context.Context) time.Duration {
	// Neither SIGTERM nor anything else stops an apply half-way.
	working := context.WithoutCancel(ctx)
	if !l.connected(ctx) {
		l.readFile() // its errors are told even while FRR is down
		return reconnectInterval
	}
	// In a burst file follows file: the one that is there when the pause ends is read.
	if wait := l.pace.wait(l.Now()); wait > 0 && !l.checkDue {
		return wait
	}
	file, ok := l.readFile()
	var again time.Duration
	if ok {
		// A trial ends with the loop, an apply doesn't.
		again = l.bring(working, l.extras.wish(ctx, file))
		snippets := l.extras.verdicts()
		l.Publish(func(r *report.Report) { r.Snippets = snippets })
	}
	if l.checkDue && l.Applier.FRR.Connected() {
		l.checkDue = false
		l.check(working)
	}
	if !l.Applier.FRR.Connected() {
		return reconnectInterval
	}
	return again
}

func (l *Loop) connected(ctx context.Context) bool {
	frr := l.Applier.FRR
	if frr.Connected() {
		return true
	}
	err := l.Applier.Connect(ctx)
	if err != nil {
		frr.Disconnect()
		l.frrError(err)
		return false
	}
	l.Log.Info("connected to FRR", "version", frr.Version().String())
	l.checkDue = true
	l.frrError(nil)
	return true
}

// frrError publishes why FRR can't be used, nil for that it can.
func (l *Loop) frrError(err error) {
	text := ""
	var unsupported *apply.UnsupportedError
	old := errors.As(err, &unsupported)
	switch {
	case old:
		text = err.Error()
	case err != nil:
		text = observe.WhyDown(l.Applier.Startup.Dir, err)
	case !l.Applier.FRR.VtyNetworks():
		text = "bgpd of FRR " + l.Applier.FRR.Version().String() + " takes no configuration on its vty socket: prefixes are changed by vtysh, which is slower; use an FRR release that this release of Herald names as supported"
		old = true
	case l.Applier.StartupError() != nil:
		text = l.Applier.StartupError().Error()
	}
	if text != "" && text != l.saidFRR {
		l.Log.Warn("FRR", "error", text)
	}
	l.saidFRR = text
	l.Publish(func(r *report.Report) {
		r.FRR.Error, r.FRR.Unsupported = text, old
		r.AppliedHash = l.Applier.AppliedHash()
	})
}

// readFile is false where there is no valid file; why is in the report.
func (l *Loop) readFile() (exchange.File, bool) {
	file, err := exchange.ReadConfig(l.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, dirErr := os.Stat(l.Dir); dirErr == nil {
			err = nil // the agent hasn't written one yet
		}
		file = exchange.File{}
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != l.saidFile {
		l.Log.Error("the file in the exchange directory is refused, FRR keeps what it runs; the agent writes it anew when it is restarted", "error", text)
	}
	l.saidFile = text
	l.Publish(func(r *report.Report) { r.FileError = text })
	return file, err == nil && file.Hash != ""
}

// bring applies a configuration if it isn't applied, and returns when to try
// again.
func (l *Loop) bring(ctx context.Context, want *apply.Good) time.Duration {
	if l.Applier.Applied(want) {
		l.backoff.reset()
		l.extras.succeeded()
		l.published(want.Hash)
		return 0
	}
	if l.Applier.Runs(want) {
		l.backoff.reset()
		l.extras.succeeded()
		l.checkDue = false
		l.Log.Info("FRR runs this configuration already", "hash", want.Hash)
		l.published(want.Hash)
		return 0
	}
	now := l.Now()
	if id := want.Hash + want.Additions; l.backoff.holds(id, now) {
		return l.backoff.at.Sub(now)
	}
	if wait := l.pace.wait(now); wait > 0 {
		return wait
	}
	l.checkDue = false
	return l.apply(ctx, want)
}

func (l *Loop) apply(ctx context.Context, want *apply.Good) time.Duration {
	began := l.Now()
	result := l.Applier.Apply(ctx, want)
	l.pace.applied(l.Now(), result.Prefixes)
	done := &report.Apply{Steps: result.Steps, Duration: result.Duration, Time: began}
	var retry time.Duration
	if result.Err != nil {
		done.Error = result.Err.Error()
		retry = l.refused(want, result)
	} else {
		l.backoff.reset()
		l.extras.succeeded()
		l.Log.Info("applied", "hash", want.Hash, "steps", result.Steps, "duration", result.Duration.String())
	}
	l.Publish(func(r *report.Report) {
		r.AttemptedHash, r.AppliedHash, r.LastApply = want.Hash, l.Applier.AppliedHash(), done
		r.Applies = report.Counted(r.Applies, done)
	})
	l.frrErrorIfConnected()
	return retry
}

func (l *Loop) refused(want *apply.Good, result apply.Result) time.Duration {
	if apply.Lost(result.Err) {
		l.Applier.FRR.Disconnect() // not a refusal: try again with the next epoch
		l.Log.Warn("FRR went away during an apply", "hash", want.Hash, "error", result.Err)
		return reconnectInterval
	}
	if l.extras.blame(result.Err) {
		l.Log.Error("FRR refuses a configuration with snippets that its scratch daemons took: trying without", "hash", want.Hash, "steps", result.Steps, "error", result.Err)
		return minGap
	}
	retry := l.backoff.refused(want.Hash+want.Additions, l.Now())
	l.Log.Error("FRR refuses a configuration, the last good one stays", "hash", want.Hash, "steps", result.Steps, "error", result.Err, "retry", retry.String())
	return retry
}

func (l *Loop) frrErrorIfConnected() {
	if l.Applier.FRR.Connected() {
		l.frrError(nil)
	}
}

// published says that a file is what FRR runs; an older error is over.
func (l *Loop) published(hash string) {
	l.Publish(func(r *report.Report) {
		r.AttemptedHash, r.AppliedHash = hash, hash
		if r.LastApply != nil && r.LastApply.Error != "" {
			r.LastApply = &report.Apply{Time: l.Now()}
		}
	})
}

// check finds and repairs drift.
func (l *Loop) check(ctx context.Context) {
	result := l.Applier.Check(ctx)
	if apply.Lost(result.Err) {
		l.Applier.FRR.Disconnect()
	}
	l.frrErrorIfConnected()
	if len(result.Drift) == 0 {
		if result.Err != nil {
			l.Log.Warn("FRR's configuration couldn't be compared", "error", result.Err)
			return
		}
		l.Publish(func(r *report.Report) {
			r.AppliedHash = l.Applier.AppliedHash()
			if r.Drift != nil && !r.Drift.Repaired {
				repaired := *r.Drift
				repaired.Repaired = true
				r.Drift = &repaired
			}
		})
		return
	}
	l.Log.Warn("FRR ran something else than what was applied", "lines", result.Drift, "repaired", result.Err == nil, "error", result.Err)
	drift := &report.Drift{Time: l.Now(), Lines: result.Drift, Repaired: result.Err == nil}
	l.Publish(func(r *report.Report) { r.Drift, r.AppliedHash = drift, l.Applier.AppliedHash() })
}
