package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"reflect"
	"time"

	"github.com/herald-lb/herald/internal/watchfile"
	"github.com/herald-lb/herald/relay/checks"
	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tunnel"
)

// lookInterval: is the kernel as it should be? And the report.
const lookInterval = 2 * time.Second

// Options are what a relay is told.
type Options struct {
	// Dir is shared with the agent.
	Dir    string
	Timing rules.Timing
	Log    *slog.Logger
	Now    func() time.Time
}

// Relay is the one writer of the tables and devices.
type Relay struct {
	Options
	kernel *rules.Kernel

	// desired is the last that was valid, hash that of its file.
	desired exchange.Desired
	hash    string
	known   bool
	// applied is what is in force; nil: nothing that this process made.
	applied *rules.Plan
	// strict is what the last look found of rp_filter.
	strict *exchange.Problem
	// lacks are the families whose table couldn't be made.
	lacks   map[rules.Family]bool
	counter counter
	memory  rules.Memory
	telling telling
	report  exchange.Report
	said    string
}

// New opens the kernel's side.
func New(o Options) (*Relay, error) {
	kernel, err := rules.Open()
	if err != nil {
		return nil, err
	}
	counting, err := rules.Open()
	if err != nil {
		return nil, err
	}
	return &Relay{Options: o, kernel: kernel, lacks: map[rules.Family]bool{}, counter: counter{kernel: counting, log: o.Log, done: make(chan counts, 1)}}, nil
}

// Run works until the context ends, and leaves everything as it is.
func (r *Relay) Run(ctx context.Context) {
	w := watchfile.New(r.Dir, exchange.DesiredFile, r.Log)
	go w.Run(ctx)
	go watchLinks(ctx, r.Log, w.Note)
	defer r.telling.close()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		r.step()
		select {
		case <-ctx.Done():
			return
		case <-w.Changed:
		case <-look.C:
			w.Renew()
		}
	}
}

// step brings the kernel to what is desired and says what came of it.
func (r *Relay) step() {
	problems := r.read()
	if r.known {
		problems = append(problems, r.bring()...)
		r.takeCount(r.counter.count(r.Now(), r.applied, &r.desired))
	}
	r.say(problems)
}

// read takes a new relay.json. One that can't be read leaves the last in force.
func (r *Relay) read() []exchange.Problem {
	d, hash, err := exchange.ReadDesired(r.Dir)
	switch {
	case err == nil:
		if hash != r.hash {
			r.Log.Info("desired", "hash", hash, "learn", len(d.Learn), "pathMTU", len(d.PathMTU), "peers", len(d.Peers))
		}
		// Where nothing is desired any more the tunnel may be left out; what is still
		// relayed goes on as before.
		if d.Tunnel == (exchange.Tunnel{}) && r.known && !d.Remove {
			d.Tunnel, d.Limits = r.desired.Tunnel, r.desired.Limits
		}
		r.desired, r.hash, r.known = d, hash, true
	case errors.Is(err, fs.ErrNotExist):
	default:
		return []exchange.Problem{failed("%v: the agent writes it anew at its next change; until then the last one stays in force", err)}
	}
	return nil
}

// bring makes the kernel as desired. What isn't possible is a problem, and what was
// there before stays.
func (r *Relay) bring() []exchange.Problem {
	if r.desired.Remove {
		return r.remove() // nothing is asked first: whatever is there goes
	}
	before, err := r.kernel.Frontends()
	if err != nil {
		if r.applied == nil && len(r.desired.Learn)+len(r.desired.PathMTU) == 0 {
			return nil // a kernel without nftables has nothing to take away
		}
		return []exchange.Problem{kernelProblem(err)}
	}
	obstacles, err := r.check()
	if err != nil {
		return []exchange.Problem{failed("%v: what was on before stays on", err)}
	}
	problems := append(checkNodes(r.desired), obstacles...)
	if leaves(before, r.desired, problems) {
		if err := r.remember(before); err != nil {
			return []exchange.Problem{failed("%v", err)}
		}
	}
	w := decide(r.desired, before, r.memory.Used, problems)
	problems = asked(r.desired, problems)
	if w.nothing() || w.desired.Tunnel == (exchange.Tunnel{}) {
		return append(problems, r.remove()...)
	}
	if p := r.reversePath(); p != nil {
		problems = append(problems, *p)
	}
	if err := r.apply(w); err != nil {
		problems = append(problems, kernelProblem(err))
	}
	return problems
}

// reversePath asks before apply sets the device's rp_filter again. Once it is mended, and
// nothing is said of it: a boot's sysctl does that. Twice in a row somebody does it again
// and again, and drops what is relayed meanwhile.
func (r *Relay) reversePath() *exchange.Problem {
	before := r.strict
	r.strict = checks.ReversePath()
	if before == nil {
		return nil
	}
	return r.strict
}

// check asks the machine, unless nothing is desired of it.
func (r *Relay) check() ([]exchange.Problem, error) {
	if len(r.desired.Learn) == 0 && len(r.desired.PathMTU) == 0 {
		return nil, nil
	}
	local, _ := nodes(r.desired)
	return checks.Machine(r.desired, local)
}

func (r *Relay) apply(w *wish) error {
	mtu, err := checks.MTU(w.desired.Tunnel, w.local, w.tunnel(0).Peers)
	if err != nil {
		return err
	}
	// Where less is left only what leaves is relayed. The kernel takes IPv6 off a device
	// that is smaller.
	spec := w.tunnel(max(mtu, exchange.MinMTU))
	devices, err := tunnel.Ensure(spec)
	if err != nil {
		return err
	}
	plan := w.plan(devices, r.Timing)
	r.telling.plan(w, plan, r.kernel)
	failed, unguarded := r.applyFamilies(plan)
	if unguarded != nil || len(failed) == len(rules.Families) {
		return errors.Join(append(failed, unguarded)...)
	}
	if !reflect.DeepEqual(plan, r.applied) { // the same one says that nothing has changed
		r.applied = plan
	}
	r.telling.keep(r, plan)
	return errors.Join(append(failed, tunnel.Up(spec))...)
}

// applyFamilies makes the tables that aren't as planned, each for itself: one that can't
// be made is tried again, and keeps nothing from the other family. Without any table,
// not even one that guards, the devices mustn't be up.
func (r *Relay) applyFamilies(plan *rules.Plan) (failed []error, unguarded error) {
	changed := !reflect.DeepEqual(plan, r.applied)
	for _, f := range rules.Families {
		if !rules.Possible(f) {
			continue
		}
		exists, err := r.kernel.Exists(f)
		if err == nil && exists && !changed && !r.lacks[f] {
			continue
		}
		if err == nil {
			err = r.kernel.Apply(f, plan)
		}
		if err == nil {
			r.lacks[f] = false
			r.Log.Info("applied", "family", f, "learn", len(plan.Learn), "leaving", len(plan.Leaving), "pathMTU", len(plan.PathMTU), "peers", len(plan.Peers))
			continue
		}
		failed = append(failed, fmt.Errorf("%s: %w", f, err))
		r.lacks[f] = true
		// What was there before goes on, as long as it is of these devices.
		if exists && (r.applied == nil || r.applied.Data == plan.Data && r.applied.Claim == plan.Claim) {
			continue
		}
		if err := r.kernel.Guard(f, plan); err != nil {
			unguarded = errors.Join(unguarded, fmt.Errorf("%s: %w", f, err))
		}
	}
	return failed, unguarded
}

// remove takes away devices and tables, devices first: what they bring in must not
// find a node without rules.
func (r *Relay) remove() []exchange.Problem {
	r.telling.close()
	r.telling.notes = nil
	if err := tunnel.Remove(); err != nil {
		return []exchange.Problem{failed("%v", err)}
	}
	if err := r.kernel.Remove(); err != nil {
		return []exchange.Problem{failed("%v", err)}
	}
	if r.applied != nil {
		r.Log.Info("removed")
	}
	r.applied, r.memory = nil, rules.Memory{}
	return nil
}

// remember reads what is learned. Without a plan the peers are those desired.
func (r *Relay) remember(before []exchange.Frontend) error {
	if len(before) == 0 {
		r.memory = rules.Memory{}
		return nil
	}
	plan := r.applied
	if plan == nil {
		plan = decide(r.desired, nil, nil, nil).plan(tunnel.Devices{}, r.Timing)
	}
	memory, err := r.kernel.Remember(plan)
	if err != nil {
		return err
	}
	r.memory = memory
	return nil
}
