package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-lb/herald/images/archive"
	"github.com/herald-lb/herald/test/cluster/cgroup"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Options say what the cluster consists of. The zero value is three nodes, an
// FRR and a BIRD router, and no image but those that package cluster needs.
type Options struct {
	// Nodes is how many nodes there are, 3 if 0.
	Nodes int
	// Images that every node has: there is no registry.
	Images []archive.Image
	// ProxyMode is kube-proxy's: nftables if empty, or iptables.
	ProxyMode string
	// Log takes progress; nothing is said if nil.
	Log io.Writer
}

// Cluster is a running cluster.
type Cluster struct {
	*lab.Lab
	options Options
	groups  *cgroup.Tree
	nodes   []*Node
}

// Parts are what `make thirdparty-cluster` must have built, for Need.
func Parts() []string {
	return append(lab.Parts(), thirdparty.NodeKubernetesDir(), thirdparty.NodeRoot())
}

// Missing says in one line what keeps a cluster from running here; it is empty
// if nothing does.
func Missing() string {
	if missing := thirdparty.Missing(Parts()...); missing != "" {
		return missing
	}
	return machineMissing()
}

// New brings a cluster up: all nodes are Ready. On an error everything is down
// again.
func New(ctx context.Context, o Options) (*Cluster, error) {
	if missing := Missing(); missing != "" {
		return nil, errors.New(missing)
	}
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.ProxyMode == "" {
		o.ProxyMode = "nftables"
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	l, err := lab.New(ctx, lab.Options{
		Bare: true, Nodes: o.Nodes, Log: o.Log,
		Routers: []lab.RouterOptions{
			{Name: "tor-a", Make: router.FRR},
			{Name: "tor-b", Make: router.BIRD},
		},
	})
	if err != nil {
		return nil, err
	}
	c := &Cluster{Lab: l, options: o}
	if err := c.bringUp(ctx); err != nil {
		err = fmt.Errorf("cluster: %w\n%s", err, c.Logs(failureLines))
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) bringUp(ctx context.Context) error {
	var err error
	if c.groups, err = cgroup.New(cgroup.Mount, filepath.Base(c.Dir())); err != nil {
		return err
	}
	if err := c.ControlPlane().StartControllers(lab.ClusterCIDRs); err != nil {
		return err
	}
	if err := c.buildImages(c.options.Images); err != nil {
		return err
	}
	if err := c.startNodes(ctx); err != nil {
		return err
	}
	if err := c.WriteShellWrappers(); err != nil {
		return err
	}
	return c.waitDefaultAccount(ctx)
}

func (c *Cluster) startNodes(ctx context.Context) error {
	defer c.step(fmt.Sprintf("%d nodes are Ready", c.options.Nodes))()
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.options.Nodes {
		n := &Node{cluster: c, number: i + 1, site: c.Site(i + 1)}
		c.nodes = append(c.nodes, n)
		g.Go(func() error {
			if err := n.prepare(); err != nil {
				return fmt.Errorf("node %q: %w", n.Name(), err)
			}
			return n.Boot(ctx)
		})
	}
	return g.Wait()
}

// waitDefaultAccount waits for the ServiceAccount without which no pod can be
// made.
func (c *Cluster) waitDefaultAccount(ctx context.Context) error {
	return wait.Until(ctx, "the default ServiceAccount is there", wait.BringUp, func(ctx context.Context) (bool, error) {
		_, err := c.Kubectl(ctx, "get", "serviceaccount", "default")
		return err == nil, err
	})
}

// step says that something takes place, and when it is done how long it took.
func (c *Cluster) step(done string) func() {
	began := time.Now()
	return func() {
		fmt.Fprintf(c.options.Log, "%s (%s)\n", done, time.Since(began).Round(100*time.Millisecond))
	}
}

// Node is the node of that name; it panics if there is none.
func (c *Cluster) Node(name string) *Node {
	for _, n := range c.nodes {
		if n.Name() == name {
			return n
		}
	}
	panic("cluster: no node " + name)
}

// Nodes are all nodes, node1 first.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Kubectl runs kubectl as the cluster's admin and returns what it says.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, "", args...)
}

// KubectlInput is Kubectl with a standard input.
func (c *Cluster) KubectlInput(ctx context.Context, input string, args ...string) (string, error) {
	kubeconfig, err := c.ControlPlane().AdminKubeconfig()
	if err != nil {
		return "", err
	}
	return c.ControlPlane().Box().RunInput(ctx, input,
		append([]string{thirdparty.Binary("kubectl"), "--kubeconfig=" + kubeconfig}, args...)...)
}

// Close takes everything down and removes the cluster's files and cgroups. It
// may be called more than once.
func (c *Cluster) Close() {
	var crashes sync.WaitGroup
	for _, n := range c.nodes {
		crashes.Go(n.Crash)
	}
	crashes.Wait()
	c.Lab.Close()
	if c.groups != nil {
		c.groups.Remove()
	}
}
