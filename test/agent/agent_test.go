package agent_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/status"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

const secretsNamespace = "herald-secrets"

// runningAgent is an agent under test.
type runningAgent struct {
	*controllers.Agent
	dir       string
	prober    *prober
	clock     *shiftedClock
	compiles  atomic.Int64
	writes    atomic.Int64
	stop      func()
	reporting report.Report
}

// startAgent runs an agent on a node, with its options edited; it ends with the test, or
// by stop. Its clock stands until a test puts it forward: the reloader, which the test
// plays, would count as dead after report.MaxAge of a busy machine.
func startAgent(node, dir string, prober *prober, edits ...func(*controllers.AgentOptions)) *runningAgent {
	GinkgoHelper()
	agent := &runningAgent{dir: dir, prober: prober, clock: &shiftedClock{}}
	options := controllers.AgentOptions{
		Node: node, ExchangeDir: dir, SecretsNamespace: secretsNamespace, Version: "test",
		Pace: status.DefaultPace(), Prober: prober, Clock: agent.clock, SysctlRoot: sysctls(), Log: ctrl.Log,
	}
	agent.clock.stand()
	for _, edit := range edits {
		edit(&options)
	}
	managerOptions, err := options.ManagerOptions()
	Expect(err).NotTo(HaveOccurred())
	managerOptions.Metrics = server.Options{BindAddress: "0"}
	counted := rest.CopyConfig(config)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { return countWrites{next, &agent.writes} })
	mgr, err := ctrl.NewManager(counted, managerOptions)
	Expect(err).NotTo(HaveOccurred())
	agent.Agent, err = controllers.SetupAgent(mgr, options)
	Expect(err).NotTo(HaveOccurred())
	done := agent.Nodes.Done
	agent.Nodes.Done = func(outcome controllers.Outcome) { agent.compiles.Add(1); done(outcome) }

	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	agent.stop = sync.OnceFunc(func() {
		cancel()
		Eventually(ended).Should(Receive(BeNil()))
	})
	DeferCleanup(agent.stop)
	return agent
}

// countWrites counts the requests that write.
type countWrites struct {
	next  http.RoundTripper
	count *atomic.Int64
}

func (c countWrites) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		c.count.Add(1)
	}
	return c.next.RoundTrip(request)
}

// prober is the dataplane.
type prober struct {
	mu             sync.Mutex
	cluster, local gates.Answer
	asked          int
}

func (p *prober) Cluster(context.Context) gates.Answer { return p.answer(&p.cluster) }

func (p *prober) Local(context.Context, uint16) gates.Answer { return p.answer(&p.local) }

func (p *prober) answer(answer *gates.Answer) gates.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return *answer
}

func (p *prober) set(cluster, local gates.Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cluster, p.local = cluster, local
}

func ready() *prober { return &prober{cluster: gates.Ready, local: gates.Ready} }

// shiftedClock is the real clock, put forward by the test; or it stands until it is.
type shiftedClock struct {
	clock.RealClock
	shift  atomic.Int64
	stands atomic.Pointer[time.Time]
}

func (c *shiftedClock) Now() time.Time {
	now := c.RealClock.Now()
	if stood := c.stands.Load(); stood != nil {
		now = *stood
	}
	return now.Add(time.Duration(c.shift.Load()))
}

func (c *shiftedClock) stand() {
	now := c.RealClock.Now()
	c.stands.Store(&now)
}

func (c *shiftedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *shiftedClock) forward(by time.Duration) { c.shift.Add(int64(by)) }

// sysctls are those of a host that forwards IPv4 and not IPv6.
func sysctls() string {
	GinkgoHelper()
	root := GinkgoT().TempDir()
	for name, value := range map[string]string{"net/ipv4/ip_forward": "1\n", "net/ipv6/conf/all/forwarding": "0\n"} {
		path := filepath.Join(root, name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.WriteFile(path, []byte(value), 0o600)).To(Succeed())
	}
	return root
}

// frrConf is the body of the agent's file; empty while there is none.
func (a *runningAgent) frrConf() string {
	file, err := exchange.ReadConfig(a.dir)
	if err != nil {
		return ""
	}
	return string(file.Body)
}

// report plays the reloader: it reports that all is applied, after edits.
func (a *runningAgent) report(edits ...func(*report.Report)) {
	GinkgoHelper()
	file, err := exchange.ReadConfig(a.dir)
	Expect(err).NotTo(HaveOccurred())
	a.reporting.Time = a.clock.Now()
	a.reporting.AttemptedHash, a.reporting.AppliedHash = file.Hash, file.Hash
	a.reporting.FRR = report.FRR{Version: "10.3", Daemons: map[string]bool{"bgpd": true}}
	for _, edit := range edits {
		edit(&a.reporting)
	}
	data, err := a.reporting.Encode()
	Expect(err).NotTo(HaveOccurred())
	Expect(exchange.WriteFile(a.dir, exchange.ReportFile, data)).To(Succeed())
}
