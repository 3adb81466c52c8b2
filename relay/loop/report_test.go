package loop

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
)

// What the kernel answers is told from what went wrong otherwise, with its remedy, as
// deep as it may be in other errors.
func TestKernelProblem(t *testing.T) {
	const modules, capability, port = "load the modules vxlan, nf_tables,", "needs the capability NET_ADMIN", "give the tunnel another port"
	for _, c := range []struct {
		err            error
		reason, remedy string
	}{
		{unix.EOPNOTSUPP, exchange.ReasonKernel, modules},
		{unix.ENOENT, exchange.ReasonKernel, modules},
		{unix.EAFNOSUPPORT, exchange.ReasonKernel, modules},
		{unix.EPROTONOSUPPORT, exchange.ReasonKernel, modules},
		{unix.EPERM, exchange.ReasonFailed, capability},
		{unix.EACCES, exchange.ReasonFailed, capability},
		{unix.EADDRINUSE, exchange.ReasonPort, port},
		{unix.ENOBUFS, exchange.ReasonFailed, ""},
	} {
		for _, err := range []error{c.err, fmt.Errorf("device herald-data: %w", errors.Join(errors.New("IPv6"), c.err))} {
			p := kernelProblem(err)
			if p.Reason != c.reason || !p.Learning || !p.PathMTU || !strings.HasPrefix(p.Message, err.Error()) {
				t.Errorf("%v: %+v", err, p)
			}
			remedy := strings.TrimPrefix(p.Message, err.Error())
			for _, known := range []string{modules, capability, port} {
				if strings.Contains(remedy, known) != (known == c.remedy) {
					t.Errorf("%v: remedy %q, want %q alone", err, remedy, c.remedy)
				}
			}
		}
	}
}
