package loop

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/rules"
)

func failed(format string, args ...any) exchange.Problem {
	return exchange.Problem{Reason: exchange.ReasonFailed, Message: fmt.Sprintf(format, args...), Learning: true, PathMTU: true}
}

// kernelProblem tells what the kernel lacks from what went wrong otherwise.
func kernelProblem(err error) exchange.Problem {
	p := failed("%v", err)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT):
		p.Reason = exchange.ReasonKernel
		p.Message += ": this kernel lacks VXLAN or a part of nftables: load the modules vxlan, nf_tables, nft_ct, nft_limit, nft_dup_ipv4, nft_dup_ipv6, nft_objref (Linux 5.10 or newer)"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		p.Message += ": the relay's container needs the capability NET_ADMIN"
	case errors.Is(err, unix.EADDRINUSE):
		p.Reason = exchange.ReasonPort
		p.Message += ": give the tunnel another port"
	}
	return p
}

// say writes the report, and logs problems once.
func (r *Relay) say(problems []exchange.Problem) {
	report := &r.report
	report.Version, report.Time, report.Applied, report.Problems = exchange.Version, r.Now().UTC(), r.hash, problems
	on := &rules.Plan{}
	if r.applied != nil {
		on = r.applied.Less(r.lacks)
	}
	report.Learning, report.PathMTU = len(on.Learn) > 0, len(on.PathMTU) > 0
	report.Leaving, report.Learned = len(on.Leaving), r.memory.Learned
	if counters, err := r.kernel.Counters(); err == nil {
		report.Counters = counters
	}
	report.Counters.NotTold = r.telling.lost.Load()
	report.Notes = r.telling.notes
	if said := fmt.Sprint(problems, report.Notes); said != r.said {
		r.said = said
		for _, p := range problems {
			r.Log.Error("problem", "reason", p.Reason, "message", p.Message)
		}
		for _, note := range report.Notes {
			r.Log.Warn("note", "message", note)
		}
	}
	if err := exchange.WriteReport(r.Dir, *report); err != nil {
		r.Log.Error("the report", "error", err)
	}
}
