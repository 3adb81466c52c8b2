package main

import (
	"context"
	"fmt"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/test/lab/wait"
)

// policy preserves every connection to every Service.
const policy = `
apiVersion: herald-lb.io/v1alpha1
kind: FlowPolicy
metadata: {name: all}
spec: {protocols: [TCP, QUIC]}
`

// preserve switches flow preservation on for all Services, or off, and returns when
// every node's relay says so.
func (s *site) preserve(ctx context.Context, on bool) error {
	args := []string{"delete", "flowpolicies", "all", "--ignore-not-found"}
	if on {
		args = []string{"apply", "--server-side", "--filename=-"}
	}
	if _, err := s.cluster.KubectlInput(ctx, policy, args...); err != nil {
		return err
	}
	for _, n := range s.cluster.Nodes() {
		what := fmt.Sprintf("the relay of %s learns: %t", n.Name(), on)
		err := wait.Until(ctx, what, wait.BringUp, func(ctx context.Context) (bool, error) {
			if n.Box() == nil {
				return false, fmt.Errorf("%s is without power", n.Name())
			}
			text, err := n.Box().Run(ctx, "cat", exchange.DefaultDir+"/"+exchange.ReportFile)
			if err != nil {
				return false, err
			}
			report, err := exchange.DecodeReport([]byte(text))
			if err != nil {
				return false, err
			}
			return report.Learning == on && len(report.Problems) == 0, fmt.Errorf("problems: %v", report.Problems)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
