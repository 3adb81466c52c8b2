package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/test/attempts"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Timeouts of the suite; those of single steps are in package wait.
const (
	// suiteTimeout bounds bringing a site up, and what follows a spec.
	suiteTimeout = 3 * time.Minute
	// specTimeout bounds a spec.
	specTimeout = 3 * time.Minute
	// patience is how long a session may take that follows on a crash: a router
	// holds the old one until a keepalive of its own isn't answered.
	patience = 90 * time.Second
	// absence is how long something is watched that must not happen: several
	// times what Herald, FRR and the routers take to show a change.
	absence = 3 * time.Second
	// counters is the agents' interval for counts and hashes, a minute by default.
	counters = 5 * time.Second
)

// swapEnv set to anything lets the first node run the newest FRR and the others
// the older one.
const swapEnv = "HERALD_LAB_SWAP_FRR"

// agentMetrics is where agents serve their metrics, on their own nodes.
const agentMetrics = "127.0.0.1:8090"

var agentArgs = []string{"--counters-interval=" + counters.String(), "--metrics-bind-address=" + agentMetrics, "--metrics-secure=false"}

// site is shared by all scenarios that leave it as they found it: three nodes,
// the first with the older FRR, a router of each make and two managers.
var site *lab.Lab

func TestScenarios(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
	RegisterFailHandler(Fail)
	// Real daemons with real timers on a machine that does other things too: a
	// spec that fails is tried again, and named as flaked if it then passes.
	suite, reporter := GinkgoConfiguration()
	suite.FlakeAttempts = 3
	RunSpecs(t, "Scenarios", suite, reporter)
}

var _ = ReportAfterSuite("failures", attempts.Print)

var _ = BeforeSuite(func() {
	Expect(binaries.Build()).To(Succeed())
	ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
	defer cancel()
	ctrllog.SetLogger(GinkgoLogr)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(wait.Route)
	SetDefaultEventuallyPollingInterval(wait.Poll)
	SetDefaultConsistentlyDuration(absence)
	SetDefaultConsistentlyPollingInterval(wait.Poll)
	first, others := frr.V8_4, frr.V10_3
	if os.Getenv(swapEnv) != "" {
		first, others = others, first
	}
	var err error
	site, err = lab.New(ctx, lab.Options{FRR: others, NodeFRR: map[int]frr.Version{1: first}, Managers: 2, AgentArgs: agentArgs, Log: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(site.Close)
	Expect(restoreSessions(ctx)).To(Succeed())
})

// otherSites are what specs brought up for themselves (siteOf).
var otherSites []*lab.Lab

// siteOf brings up another site, for specs whose routers must differ. It is
// taken down after the container or spec that calls this.
func siteOf(ctx context.Context, options lab.Options) *lab.Lab {
	GinkgoHelper()
	options.Log = GinkgoWriter
	l, err := lab.New(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	otherSites = append(otherSites, l)
	DeferCleanup(func() {
		otherSites = slices.DeleteFunc(otherSites, func(o *lab.Lab) bool { return o == l })
		l.Close()
	})
	return l
}

// reads counts the questions to routers and kernels of all sites.
func reads() int64 {
	n := site.Reads()
	for _, l := range otherSites {
		n += l.Reads()
	}
	return n
}

// readsBefore is the count when the spec began.
var readsBefore int64

var _ = BeforeEach(func() {
	readsBefore = reads()
	resetsExpected = nil
})

// After each spec: no session was reset that the spec didn't name (mayReset),
// it asked a router or kernel, what it made is removed, the sessions are as
// before, and a failure shows the logs.
var _ = AfterEach(func(ctx SpecContext) {
	for _, l := range append([]*lab.Lab{site}, otherSites...) {
		l.LogFailure(GinkgoT())
	}
	asked := reads() > readsBefore
	failed := CurrentSpecReport().Failed()
	if !failed { // what follows can fail too
		DeferCleanup(func() { site.LogFailure(GinkgoT()) })
	}
	kept := checkSessions(ctx)
	Expect(site.Reset(ctx, steadyPeers()...)).To(Succeed())
	Expect(restoreSessions(ctx)).To(Succeed())
	Expect(withdrawn(ctx)).To(Succeed(), "routers still have routes after everything was removed")
	if !failed {
		Expect(kept).To(Succeed())
		Expect(asked).To(BeTrue(), "this scenario asked no router and no kernel: it proves nothing")
	}
}, NodeTimeout(suiteTimeout))

// withdrawn waits until no router has a route from a node.
func withdrawn(ctx context.Context) error {
	for _, r := range site.Routers() {
		for _, family := range families {
			what := fmt.Sprintf("%s has no %s route", r.Config().Name, family)
			err := wait.Until(ctx, what, wait.Route, func(ctx context.Context) (bool, error) {
				routes, err := r.Routes(ctx, family)
				return err == nil && len(routes) == 0, errors.Join(err, fmt.Errorf("it has %v", routes))
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

var families = []router.Family{router.IPv4, router.IPv6}
