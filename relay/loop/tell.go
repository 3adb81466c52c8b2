package loop

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/rules"
	"github.com/herald-lb/herald/relay/tell"
	"github.com/herald-lb/herald/relay/tunnel"
)

// settle is how long after the search a client is told: the kernel's clock of sets ticks
// each 1 to 10 ms.
const settle = 30 * time.Millisecond

// answerTime is what a pod has to answer what it is told, and so it to come back through
// the cluster, before the client is reset.
const answerTime = 80 * time.Millisecond

// abilities are what a kernel is asked for once: rules.Kernel's.
type abilities interface {
	CanLog() error
	CanReset(rules.Family) error
}

// telling has clients told by their first packet, where the kernel can log it.
type telling struct {
	teller *tell.Teller
	spec   tell.Spec
	lost   atomic.Uint64
	// probed says that the kernel was asked, lacks that it can't log; resets are the
	// families in which it can reset, unable why it can't in others.
	probed, lacks bool
	resets        []rules.Family
	unable        map[rules.Family]error
	// notes are why clients are told by their second packet only.
	notes []string
}

// plan adds to the rules what telling needs of them. What isn't learned isn't searched.
func (t *telling) plan(w *wish, p *rules.Plan, kernel abilities) {
	t.notes = nil
	if len(p.Learn) == 0 || len(p.Peers) == 0 {
		return
	}
	if err := t.probe(kernel); err != nil {
		t.note("%v", err)
		return
	}
	if t.lacks {
		t.note("%v in this kernel: load the modules nft_log and nfnetlink_log, and restart the node's herald-agent", rules.ErrNoLog)
		return
	}
	p.Tell = &rules.Tell{
		Local: w.local, VNI: w.desired.Tunnel.VNI, Reset: t.resets,
		Ask: tunnel.AskAgain, MAC: tunnel.Again, Finish: tunnel.Finish, Own: tunnel.Own,
	}
	for _, f := range rules.Families {
		err := t.unable[f]
		if errors.Is(err, rules.ErrNoReset) {
			err = fmt.Errorf("%w in this kernel: load the modules nft_reject_ipv4 and nft_reject_ipv6, and restart the node's herald-agent", err)
		}
		if err != nil {
			t.notes = append(t.notes, fmt.Sprintf("over %s a client whose node crashed waits for its own time-out where kube-proxy sends it to a pod that is gone too: %v", f, err))
		}
	}
}

// probe asks the kernel, once. That it can't reset is no reason not to tell.
func (t *telling) probe(kernel abilities) error {
	if t.probed {
		return nil
	}
	err := kernel.CanLog()
	if t.lacks = errors.Is(err, rules.ErrNoLog); t.lacks {
		t.probed = true
		return nil
	}
	if err != nil {
		return err
	}
	t.probed, t.resets, t.unable = true, nil, map[rules.Family]error{}
	for _, f := range rules.Families {
		if !rules.Possible(f) {
			continue
		}
		if err := kernel.CanReset(f); err != nil {
			t.unable[f] = err
			t.probed = t.probed && errors.Is(err, rules.ErrNoReset)
			continue
		}
		t.resets = append(t.resets, f)
	}
	return nil
}

func (t *telling) note(format string, args ...any) {
	t.notes = append(t.notes, "a client whose node crashed is told by the second of its packets that reaches another node, not by the first: "+fmt.Sprintf(format, args...))
}

// keep has a teller that is as the rules, and none where they need none.
func (t *telling) keep(r *Relay, p *rules.Plan) {
	if p.Tell == nil {
		t.close()
		return
	}
	spec := tell.Spec{Local: p.Tell.Local, Port: p.Port, VNI: p.Tell.VNI, Ask: p.Timing.Flood / 2, Tell: p.Timing.Flood + settle}
	if len(p.Tell.Reset) > 0 {
		spec.Finish = answerTime
	}
	if t.teller != nil && t.teller.Alive() && t.spec == spec {
		return
	}
	t.close()
	teller, err := tell.Start(spec, r.Log, &t.lost)
	switch {
	case err == nil:
		t.teller, t.spec = teller, spec
		r.Log.Info("telling", "group", rules.LogGroup)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EBUSY):
		t.note("another program reads netfilter's log group %d (see /proc/net/netfilter/nfnetlink_log), which is tried again every %s: %v", rules.LogGroup, lookInterval, err)
	default:
		t.note("%v", err)
	}
}

func (t *telling) close() {
	if t.teller != nil {
		t.teller.Close()
		t.teller = nil
	}
}
