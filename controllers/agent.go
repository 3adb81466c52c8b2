package controllers

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/gates"
	"github.com/herald-lb/herald/controllers/hostnetwork"
	"github.com/herald-lb/herald/controllers/metrics"
	"github.com/herald-lb/herald/controllers/snapshot"
	"github.com/herald-lb/herald/controllers/status"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/reloader/exchange"
)

// AgentOptions are what an agent is told.
type AgentOptions struct {
	// Node is the name of its Node.
	Node string
	// ExchangeDir is shared with the reloader, SecretsNamespace holds the peers'
	// passwords, Version stands in the header of frr.conf.
	ExchangeDir, SecretsNamespace, Version string
	// RelayDir is shared with the relay; empty: there is none.
	RelayDir string
	// Pace of its writes to the API.
	Pace status.Pace
	// Prober asks the node's dataplane; nil: over HTTP.
	Prober gates.Prober
	// SysctlRoot and Clock; zero: the real ones.
	SysctlRoot string
	Clock      clock.Clock
	Log        logr.Logger
	// SetLogLevel is told the Herald object's, empty where it says none; nil: it stays.
	SetLogLevel func(v1alpha1.LogLevel)
	// Metrics takes what the agent knows, for Prometheus; nil: nobody asks.
	Metrics prometheus.Registerer
}

// Agent is what runs in the agent beside the watches.
type Agent struct {
	Nodes   *NodeReconciler
	Reports *ReportReconciler
}

// ManagerOptions are the parts of a controller-runtime manager's options that an
// agent depends on.
func (o AgentOptions) ManagerOptions() (manager.Options, error) {
	scheme, err := cluster.NewScheme()
	if err != nil {
		return manager.Options{}, err
	}
	return manager.Options{
		Scheme: scheme,
		Logger: o.Log,
		Cache:  AgentCache(o.Node, o.SecretsNamespace),
		// The publisher compares with what it reads: it must see what it wrote.
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
	}, nil
}

// SetupAgent adds an agent to a manager made with ManagerOptions. Nothing runs
// before the manager starts, and nothing is undone when it stops: FRR goes on
// announcing what was applied.
func SetupAgent(mgr manager.Manager, options AgentOptions) (*Agent, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	file, store, applied, err := takeOver(options)
	if err != nil {
		return nil, err
	}
	reports := &ReportReconciler{
		Client: mgr.GetClient(), Node: options.Node, Clock: options.Clock,
		Report: NewReportFile(options.ExchangeDir, options.Clock),
		Pacer:  status.NewPacer(options.Pace, nil),
		Relay:  NewRelayReport(options.RelayDir, options.Clock),
	}
	nodes := &NodeReconciler{
		Store: store, Compiler: compile.NewCompiler(), Renderer: frrtemplates.NewRenderer(), File: file, Done: reports.Done,
		Quarantine: openQuarantine(options), Drain: openDrain(options, applied),
		FRRStop: &FRRStop{Dir: options.ExchangeDir},
	}
	store.SetFRREnds(nodes.FRRStop.Ends()) // before the first compile, which would end the drain
	others := NewDrainWatch(mgr, options.Node, nodes.SetOthers)
	nodes.Drains = others.Want
	prober := options.Prober
	if prober == nil {
		prober = &gates.HTTPProber{NodeAddresses: store.NodeAddresses, HostAddresses: gates.HostAddresses()}
	}
	keeper := gates.NewKeeper(prober, options.Clock, nodes.OpenGates)
	nodes.Want = keeper.Want
	nodes.Heed = func(herald *v1alpha1.Herald) {
		timeout := time.Duration(0)
		if settings := snapshot.SettingsOf(herald); settings != nil {
			timeout = settings.GateTimeout
		}
		keeper.SetTimeout(timeout)
		heedLogLevel(herald, options.SetLogLevel)
	}
	cluster := NewClusterWatch(mgr, nodes.SetCluster, nodes.SetNodes)
	nodes.Cluster = cluster.Want
	nodes.Relay = NewRelayFile(options.RelayDir)
	relayGate := NewRelayGate(reports, options.Clock, nodes.OpenGates)
	nodes.WantRelay = relayGate.Want
	if options.Metrics != nil {
		nodes.Latency = metrics.NewLatency(options.Clock.Now)
		if err := errors.Join(options.Metrics.Register(&metrics.Agent{View: reports.View}), options.Metrics.Register(nodes.Latency)); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	network := &hostnetwork.Watcher{Changed: nodes.NetworkChanged, Log: options.Log.WithName("network")}
	watch := &ExchangeWatch{Dir: options.ExchangeDir, ConfigChanged: nodes.ConfigChanged, EndingChanged: nodes.EndingChanged}
	watch.ReportChanged = func() {
		reports.ReportChanged()
		seen := reports.Report.Observe().Report
		if seen != nil {
			nodes.Latency.Applied(seen.AppliedHash)
		}
		nodes.ReportChanged(seen)
	}
	relayWatch := &RelayWatch{Changed: reports.RelayChanged}
	return &Agent{Nodes: nodes, Reports: reports}, errors.Join(
		mgr.Add(relayWatch), mgr.Add(relayGate.Keeper),
		nodes.SetupWithManager(mgr), reports.SetupWithManager(mgr), mgr.Add(keeper), mgr.Add(watch), mgr.Add(network), mgr.Add(cluster), mgr.Add(others))
}

// heedLogLevel tells the log level of the Herald object.
func heedLogLevel(herald *v1alpha1.Herald, set func(v1alpha1.LogLevel)) {
	var level v1alpha1.LogLevel
	if herald != nil {
		level = herald.Spec.LogLevel
	}
	if set != nil {
		set(level)
	}
}

// takeOver begins where the last agent of this boot ended: what its file holds
// is applied and open, and its numbers stay. After a reboot all gates are closed.
func takeOver(options AgentOptions) (*ConfigFile, *snapshot.Store, *snapshot.Applied, error) {
	bootID, err := exchange.BootID()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("boot id: %w", err)
	}
	root := options.SysctlRoot
	if root == "" {
		root = snapshot.SysctlRoot
	}
	host, err := snapshot.ReadHost(root)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("forwarding sysctls: %w", err)
	}
	file, previous, err := OpenConfigFile(options.ExchangeDir, options.Version, bootID)
	if err != nil {
		options.Log.Info("the file in the exchange directory is ignored and will be replaced", "reason", err.Error())
	}
	applied, host := appliedFrom(previous, host)
	store := snapshot.NewStore(gatesOf(applied, options.RelayDir), host, applied)
	store.SetSettings(snapshot.NoHerald()) // until its watch shows one
	// Before the first compile: a session whose addresses are not known yet would
	// be taken down.
	network, err := hostnetwork.Read()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the node's network: %w", err)
	}
	store.SetNetwork(network)
	return file, store, applied, nil
}

// gatesOf an agent that starts. Nothing waits for the relay where there is none, nor once
// the node has announced something in this boot: connections of other nodes reach it
// already, and an edit since then must not hold back what has replaced it. But the rules
// are gone where the relay was told to take them away, when Herald was uninstalled.
func gatesOf(applied *snapshot.Applied, relayDir string) *snapshot.Gates {
	announced := applied != nil && len(applied.Prefixes) > 0
	if relayDir == "" || announced && !relayLeft(relayDir) {
		return &snapshot.Gates{Relay: snapshot.GateOpen}
	}
	return &snapshot.Gates{}
}

// ConfigChanged is to be called when frr.conf may have been touched.
func (r *NodeReconciler) ConfigChanged() {
	if !r.File.Intact() {
		r.Wake()
	}
}

// Ready says whether the agent does its whole job: its watches have synced, the
// node's configuration is compiled, and the reloader reports.
func (a *Agent) Ready(_ *http.Request) error {
	a.Reports.mu.Lock()
	compiled := a.Reports.outcome != nil
	a.Reports.mu.Unlock()
	if !compiled {
		return errors.New("the watches have not synced yet, or the Node object is not known")
	}
	if seen := a.Reports.Report.Observe(); !seen.Fresh {
		return errors.New("the reloader does not report: look at the log of its container")
	}
	return nil
}
