package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/wait"
)

const apiGroupVersion = v1alpha1.GroupName + "/v1alpha1"

// Repetitions and rests of the benchmark of scale.
const (
	scaleChanges  = 20
	changePause   = 150 * time.Millisecond
	scaleRest     = 5 * time.Second
	restartWave   = 10
	restartPause  = 500 * time.Millisecond
	restartedMost = 100
)

// Scale is what one size of cluster costs. One agent runs; of the others the API
// server has the watches and the objects.
type Scale struct {
	Nodes    int `json:"nodes"`
	Services int `json:"services"`
	// Watches that were open; Missing says why fewer than all nodes'.
	Watches int    `json:"watches"`
	Missing string `json:"missing,omitempty"`
	// Resident memory in MiB and share of a processor in percent, at rest.
	Memory map[string]float64 `json:"residentMiB"`
	Idle   map[string]float64 `json:"idlePercent"`
	// Change is the processor time of one Service's changed endpoints, in ms; FanOut
	// the median time until all watches have had it, in ms.
	Change map[string]float64 `json:"changeMilliseconds"`
	FanOut float64            `json:"fanOutMilliseconds"`
	// Restarted nodes, one wave after the other: the seconds it took until nobody had
	// anything to do any more, and successful writes by resource, those that stand for
	// agents' (sessions) included.
	Restarted int                `json:"restartedNodes"`
	Took      float64            `json:"restartSeconds"`
	Writes    map[string]float64 `json:"restartWrites"`
	// Start is the processor time of one agent's start, in ms.
	Start map[string]float64 `json:"agentStartMilliseconds"`
}

// Names of the processes.
const (
	apiServer = "API server"
	manager   = "manager"
	oneAgent  = "agent"
)

// scaleSite is a site with many nodes of which one is real.
type scaleSite struct {
	*site
	names []string
	w     *watchers
}

// sizes in the order of measuring: what is there is kept where possible.
func sizes(nodes, services []int) (all [][2]int) {
	slices.Sort(nodes)
	for i, n := range slices.Sorted(slices.Values(services)) {
		order := slices.Clone(nodes)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, count := range order {
			all = append(all, [2]int{count, n})
		}
	}
	return all
}

// sizeTimeout bounds what one size may take, its Services' making included.
const sizeTimeout = fillTimeout + 10*time.Minute

// measureScale measures each size and hands it on. A size that fails doesn't keep the
// others from being measured.
func measureScale(ctx context.Context, version frr.Version, nodes, services []int, keep func(Scale) error) (failed error) {
	s, err := newSite(ctx, version)
	if err != nil {
		return err
	}
	defer s.close()
	sc := &scaleSite{site: s}
	defer sc.unwatch()
	for _, size := range sizes(nodes, services) {
		began := time.Now()
		var one Scale
		err := within(ctx, sizeTimeout, func(ctx context.Context) (err error) {
			one, err = sc.measure(ctx, size[0], size[1])
			return err
		})
		outcome := "done"
		if err == nil {
			err = keep(one)
		}
		if err != nil {
			failed, outcome = errors.Join(failed, fmt.Errorf("%d nodes, %d Services: %w", size[0], size[1], err)), "FAILED: "+err.Error()
		}
		fmt.Fprintf(os.Stderr, "bench-scale: %d nodes, %d Services: %s (%s)\n", size[0], size[1], outcome, time.Since(began).Round(time.Second))
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (s *scaleSite) unwatch() {
	if s.w != nil {
		s.w.close()
		s.w = nil
	}
}

func (s *scaleSite) measure(ctx context.Context, nodes, services int) (Scale, error) {
	r := Scale{Nodes: nodes, Services: services}
	if services > len(s.present) {
		s.unwatch() // filling is not what is measured
		if err := s.fill(ctx, services); err != nil {
			return r, err
		}
	}
	if err := s.setNodes(ctx, nodes-1); err != nil {
		return r, err
	}
	if err := s.watch(ctx, &r); err != nil {
		return r, err
	}
	if err := s.settle(ctx); err != nil {
		return r, err
	}
	for _, step := range []func(context.Context, *Scale) error{s.atRest, s.changes, s.restart, s.start} {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// watch for the nodes that aren't real.
func (s *scaleSite) watch(ctx context.Context, r *Scale) error {
	s.unwatch()
	list := &corev1.ServiceList{}
	if err := s.lab.API().List(ctx, list, crclient.Limit(1)); err != nil {
		return err
	}
	var err error
	if s.w, err = startWatchers(ctx, s.lab.ControlPlane().Config(), list.ResourceVersion, s.names); err != nil {
		r.Missing = err.Error()
		s.w.nodes = s.w.open / len(watched)
	}
	r.Watches = s.w.open
	return nil
}

// used is the processor time of each process so far.
func (s *scaleSite) used() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for name, pid := range s.processes() {
		var err error
		if used[name], err = processorOf(pid); err != nil {
			return nil, err
		}
	}
	return used, nil
}

func (s *scaleSite) processes() map[string]int {
	return map[string]int{
		apiServer: s.lab.ControlPlane().APIProcess().Pid(),
		manager:   s.lab.Managers()[0].Process().Pid(),
		oneAgent:  s.node().Container(node.Agent).Process().Pid(),
	}
}

// spent is what each process used more than before, in milliseconds, without what it
// uses at rest anyway.
func (s *scaleSite) spent(before map[string]time.Duration, since time.Time, idle map[string]float64) (map[string]float64, error) {
	now, err := s.used()
	spent := map[string]float64{}
	for name := range now {
		spent[name] = max(0, milliseconds(now[name]-before[name])-idle[name]/100*milliseconds(time.Since(since)))
	}
	return spent, err
}

func (s *scaleSite) atRest(ctx context.Context, r *Scale) error {
	before, err := s.used()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, scaleRest); err != nil {
		return err
	}
	spent, err := s.spent(before, began, nil)
	if err != nil {
		return err
	}
	r.Idle, r.Memory = map[string]float64{}, map[string]float64{}
	for name, ms := range spent {
		r.Idle[name] = 100 * ms / milliseconds(time.Since(began))
	}
	for name, pid := range s.processes() {
		if r.Memory[name], err = residentOf(pid); err != nil {
			return err
		}
	}
	return nil
}

// changes lets endpoints of one Service become not ready and ready again.
func (s *scaleSite) changes(ctx context.Context, r *Scale) error {
	before, err := s.used()
	if err != nil {
		return err
	}
	began := time.Now()
	var fan []float64
	for i := range scaleChanges {
		token := fmt.Sprintf("token-%d-%d-%d-", r.Nodes, r.Services, i)
		all := s.w.expect(token)
		written, err := s.mark(ctx, s.present[0], token, i%2 == 1)
		if err != nil {
			return err
		}
		if s.w.nodes > 0 {
			select {
			case <-all:
			case <-time.After(stepTimeout):
				return fmt.Errorf("not all watches had %s", token)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		fan = append(fan, milliseconds(time.Since(written)))
		if err := pause(ctx, changePause); err != nil {
			return err
		}
	}
	spent, err := s.spent(before, began, r.Idle)
	if err != nil {
		return err
	}
	r.Change = map[string]float64{}
	for name, ms := range spent {
		r.Change[name] = ms / scaleChanges
	}
	r.FanOut = quantile(slices.Sorted(slices.Values(fan)), 0.5)
	return nil
}

// mark writes a token into the EndpointSlice of a Service and changes its readiness.
func (s *scaleSite) mark(ctx context.Context, name, token string, ready bool) (time.Time, error) {
	es := slice(name, ready)
	if err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(es), es); err != nil {
		return time.Time{}, err
	}
	es.Annotations = map[string]string{"bench": token}
	for i := range es.Endpoints {
		es.Endpoints[i].Conditions.Ready, es.Endpoints[i].Conditions.Serving = &ready, &ready
	}
	before := time.Now()
	return before, s.lab.API().Update(ctx, es)
}

// restart lets FRR restart on the nodes, wave by wave: their agents would write that
// the session goes and comes.
func (s *scaleSite) restart(ctx context.Context, r *Scale) error {
	before, err := s.writes(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	names := s.names[:min(len(s.names), restartedMost)]
	for wave := range slices.Chunk(names, restartWave) {
		for _, state := range []v1alpha1.SessionState{v1alpha1.SessionIdle, v1alpha1.SessionEstablished} {
			if err := s.each(ctx, wave, func(ctx context.Context, name string) error { return s.setSession(ctx, name, state) }); err != nil {
				return err
			}
			if err := pause(ctx, restartPause); err != nil {
				return err
			}
		}
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	r.Restarted, r.Took = len(names), time.Since(began).Seconds()
	after, err := s.writes(ctx)
	if err != nil {
		return err
	}
	r.Writes = map[string]float64{}
	for what, count := range after {
		if more := count - before[what]; more > 0 {
			r.Writes[what] = more
		}
	}
	delete(r.Writes, "leases")
	return nil
}

// start kills the agent and lets it come back: it lists everything again.
func (s *scaleSite) start(ctx context.Context, r *Scale) error {
	container := s.node().Container(node.Agent)
	starts := container.Starts()
	before, err := s.used()
	if err != nil {
		return err
	}
	began := time.Now()
	container.Kill()
	err = wait.Until(ctx, "the agent runs again", wait.Process, func(context.Context) (bool, error) {
		return container.Running() && container.Starts() > starts, nil
	})
	if err != nil {
		return err
	}
	before[oneAgent] = 0 // another process
	if err := s.settle(ctx); err != nil {
		return err
	}
	r.Start, err = s.spent(before, began, r.Idle)
	return err
}

// writes that the API server has taken, by resource.
func (s *scaleSite) writes(ctx context.Context) (map[string]float64, error) {
	config := s.lab.ControlPlane().Config()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return nil, err
	}
	writes := map[string]float64{}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE"}, labels["verb"]) && strings.HasPrefix(labels["code"], "2") {
			writes[labels["resource"]] += metric.GetCounter().GetValue()
		}
	}
	return writes, nil
}

// sum of all writes.
func sum(writes map[string]float64) (total float64) {
	for count := range maps.Values(writes) {
		total += count
	}
	return total
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
