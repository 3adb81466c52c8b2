package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/client"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/kube"
	"github.com/herald-lb/herald/test/lab/kubelet"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Lab is a running site.
type Lab struct {
	options Options
	dir     *workdir.Dir
	source  string
	count   router.Counter

	networkSwitch *sandbox.Box
	cp            *kube.ControlPlane
	client        *client.Client
	routers       []router.Router
	managers      []*kubelet.Container

	mu    sync.Mutex
	nodes []*node.Node
	// plugged are the boxes of nodes that aren't the lab's own, by name.
	plugged map[string]*sandbox.Box

	probes sync.WaitGroup
	closed chan struct{}
	close  sync.Once

	// pods and slices are the part of kubelet and endpointslice controller.
	workload workload
}

// Parts are what `make thirdparty` must have built, for thirdparty.Need.
func Parts() []string {
	return []string{thirdparty.KubernetesDir(), frr.V8_4.Root(), frr.V10_3.Root()}
}

// New brings a site up. On an error everything is down again.
func New(ctx context.Context, o Options) (*Lab, error) {
	if missing := thirdparty.Missing(Parts()...); missing != "" {
		return nil, errors.New(missing)
	}
	o.setDefaults()
	l := &Lab{options: o, plugged: map[string]*sandbox.Box{}, closed: make(chan struct{})}
	l.workload.lab = l
	if err := l.bringUp(ctx); err != nil {
		err = fmt.Errorf("lab: %w\n%s", err, l.Logs(failureLogLines))
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Lab) bringUp(ctx context.Context) error {
	var err error
	if l.source, err = binaries.Source(); err != nil {
		return err
	}
	if l.dir, err = workdir.New("lab"); err != nil {
		return err
	}
	if err := l.startNetwork(); err != nil {
		return err
	}
	g, parallel := errgroup.WithContext(ctx)
	g.Go(func() error { return l.startControlPlane(parallel) })
	g.Go(func() error { return l.startRouters() })
	if l.options.Bare {
		return g.Wait()
	}
	g.Go(func() error {
		defer l.step("Herald's programs built")()
		return binaries.Install(l.programs())
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if err := l.startManagers(ctx); err != nil {
		return err
	}
	if err := l.startNodes(ctx); err != nil {
		return err
	}
	l.probes.Go(func() { l.probeAgents(l.closed) })
	return nil
}

// step says that something takes place, and when it is done how long it took.
func (l *Lab) step(done string) func() {
	began := time.Now()
	return func() { l.say("%s (%s)", done, time.Since(began).Round(100*time.Millisecond)) }
}

func (l *Lab) say(format string, args ...any) {
	fmt.Fprintf(l.options.Log, format+"\n", args...)
}

// Upgrade lets every container that is started from now on run Herald's programs of
// another version, built from the same tree.
func (l *Lab) Upgrade(version string) error { return binaries.Upgrade(l.programs(), version) }

func (l *Lab) programs() string { return filepath.Join(l.dir.Path, "bin") }

// Dir holds all files of the lab: logs, kubeconfigs, run directories. It is
// removed by Close.
func (l *Lab) Dir() string { return l.dir.Path }

// API is a client of the cluster's admin that always asks the server.
func (l *Lab) API() crclient.Client { return l.cp.Client() }

// ControlPlane is the API server and etcd.
func (l *Lab) ControlPlane() *kube.ControlPlane { return l.cp }

// Client is the host behind the routers.
func (l *Lab) Client() *client.Client { return l.client }

// Reads counts the questions that were asked to routers and kernels.
func (l *Lab) Reads() int64 { return l.count.Reads() }

// Close takes everything down and removes the lab's files. It may be called
// more than once.
func (l *Lab) Close() {
	l.close.Do(func() { close(l.closed) })
	l.probes.Wait()
	if l.networkSwitch != nil {
		l.networkSwitch.Kill()
	}
	var wg sync.WaitGroup
	for _, n := range l.Nodes() {
		wg.Go(n.Crash)
	}
	for _, m := range l.managers {
		wg.Go(func() { m.Stop(0) })
	}
	wg.Wait()
	for _, r := range l.routers {
		r.Stop()
		r.Box().Kill()
	}
	if l.client != nil {
		l.client.Box().Kill()
	}
	if l.cp != nil {
		l.cp.Box().Kill()
	}
	if l.dir != nil {
		l.dir.Remove()
	}
}

// Options say what the site consists of. The zero value is three nodes with the
// newest FRR, one router of each make and one manager.
type Options struct {
	// Nodes is how many nodes there are, 3 if 0.
	Nodes int
	// FRR is the release on the nodes, the newest if empty; NodeFRR says
	// otherwise for single nodes, by number from 1.
	FRR     frr.Version
	NodeFRR map[int]frr.Version
	// Routers, DefaultRouters if nil.
	Routers []RouterOptions
	// Bare: no node runs, and nothing of Herald is built or installed. Nodes is how
	// many the network is made for; PlugNode connects them.
	Bare bool
	// Managers is how many replicas run, 1 if 0, none if negative.
	Managers int
	// AgentArgs and ReloaderArgs are added to the command lines on every node,
	// ManagerArgs to the managers'.
	AgentArgs, ReloaderArgs, ManagerArgs []string
	// ProxyMinSync is kube-proxy's minSyncPeriod, 100 ms if 0: scenarios needn't wait
	// for its default, 1 s.
	ProxyMinSync time.Duration
	// ExchangeSize makes each node's exchange directory a file system of that many
	// bytes, which can be filled; 0: as large as the disk.
	ExchangeSize int
	// Relay runs the relay on every node; what it relays is said by FlowPolicies.
	Relay bool
	// VRFs of nodes are network namespaces, which AddVRF makes: they need no VRF device in
	// the kernel. Routers expect sessions from there too, over IPv4.
	VRFs bool
	// NodeASN is what the routers expect of the nodes, DefaultNodeASN if 0.
	NodeASN uint32
	// Log takes progress; nothing is said if nil.
	Log io.Writer
}

// RouterOptions is a router of the site.
type RouterOptions struct {
	Name string
	Make router.Make
	// FRRVersion for the make FRR, the newest if empty.
	FRRVersion frr.Version
	// ASN, DefaultRouterASN if 0.
	ASN uint32
	// Port to listen on, 179 if 0.
	Port uint16
	// Passive: the router doesn't connect itself, it waits for the nodes.
	Passive bool
	// Password of every session, none if empty.
	Password string
	// TTLSecurity: the nodes are one hop away by their packets' TTL (RFC 5082).
	TTLSecurity bool
}

// AS numbers that nodes and routers have by default.
const (
	DefaultNodeASN   = 64512
	DefaultRouterASN = 64500
)

// DefaultRouters is one router of each make.
func DefaultRouters() []RouterOptions {
	return []RouterOptions{
		{Name: "tor-a", Make: router.FRR},
		{Name: "tor-b", Make: router.BIRD},
		{Name: "tor-c", Make: router.GoBGP},
	}
}

func (o *Options) setDefaults() {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.FRR == "" {
		o.FRR = frr.V10_3
	}
	if o.Routers == nil {
		o.Routers = DefaultRouters()
	}
	if o.Managers == 0 {
		o.Managers = 1
	}
	if o.NodeASN == 0 {
		o.NodeASN = DefaultNodeASN
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
}
