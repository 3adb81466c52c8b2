package model

import (
	"flag"
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/allocator"
	"github.com/herald-lb/herald/controllers/pools"
	"github.com/herald-lb/herald/controllers/status"
)

var (
	seedFlag  = flag.Int64("model.seed", 0, "replay this seed only")
	stepsFlag = flag.Int("model.steps", 0, "operations per seed (0: the test's own)")
)

// pureCluster is an API server, watches that lag and one manager, without any of
// the real ones. Writes carry the version that they are based on.
type pureCluster struct {
	t       testing.TB
	random  *rand.Rand
	version int64
	// services and pools by name.
	services map[string]*corev1.Service
	pools    map[string]*v1alpha1.IPAddressPool
	alloc    *allocator.Allocator
	// seen and toWrite are the queues of the two reconcilers.
	seen, toWrite map[string]bool
	poolsSeen     bool
	// sent are writes that are under way, late those of former leaders.
	sent, late []*corev1.Service
	// wroteLate are the Services that got an address in this way.
	wroteLate map[string]bool
	// history since the last check, for a failure's report.
	history []string
}

func newPureCluster(t testing.TB, random *rand.Rand) *pureCluster {
	return &pureCluster{
		t: t, random: random, services: map[string]*corev1.Service{}, pools: map[string]*v1alpha1.IPAddressPool{},
		alloc: allocator.New(), seen: map[string]bool{}, toWrite: map[string]bool{}, wroteLate: map[string]bool{},
	}
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *pureCluster) State() State {
	var state State
	for _, name := range sorted(c.services) {
		state.Services = append(state.Services, c.services[name])
	}
	for _, name := range sorted(c.pools) {
		state.Pools = append(state.Pools, c.pools[name])
	}
	return state
}

func (c *pureCluster) store(service *corev1.Service) {
	c.version++
	service.ResourceVersion = strconv.FormatInt(c.version, 10)
	c.services[service.Name] = service
	c.seen[service.Name] = true
}

func (c *pureCluster) CreateService(service *corev1.Service) {
	service.UID = types.UID(service.Name)
	service.CreationTimestamp = metav1.NewTime(time.Unix(1_700_000_000+c.version, 0))
	c.store(service)
}
func (c *pureCluster) UpdateService(service *corev1.Service) { c.store(service) }
func (c *pureCluster) DeleteService(name string) {
	delete(c.services, name)
	c.seen[name] = true
}
func (c *pureCluster) WriteIngress(name, ip string) {
	service := c.services[name].DeepCopy()
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	c.store(service)
}
func (c *pureCluster) CreatePool(pool *v1alpha1.IPAddressPool) {
	pool.CreationTimestamp = metav1.NewTime(time.Unix(1_700_000_000+c.version, 0))
	c.UpdatePool(pool)
}
func (c *pureCluster) UpdatePool(pool *v1alpha1.IPAddressPool) {
	c.version++
	c.pools[pool.Name], c.poolsSeen = pool, true
}
func (c *pureCluster) DeletePool(name string) {
	delete(c.pools, name)
	c.poolsSeen = true
}

func (c *pureCluster) accept() *pools.Set {
	set, _ := pools.Accept(c.State().Pools)
	return set
}

func (c *pureCluster) Restart() {
	c.alloc = allocator.New()
	c.sent = nil
	c.seen, c.toWrite, c.poolsSeen = map[string]bool{}, map[string]bool{}, false
	var demands []allocator.Demand
	for _, service := range c.State().Services {
		demands = append(demands, status.DemandOf(service, nil))
	}
	c.alloc.Rebuild(c.accept(), demands)
	c.spread()
}

func (c *pureCluster) Failover() {
	c.late = append(c.late, c.sent...)
	c.Restart()
}

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

func (c *pureCluster) spread() {
	for _, changed := range c.alloc.Changed() {
		c.toWrite[changed.Name] = true
	}
	c.alloc.Conflicts()
	c.alloc.Touched()
}

// work does one thing that is waiting to be done, at random; false if there is
// nothing.
func (c *pureCluster) work() bool {
	jobs := []func(){}
	if c.poolsSeen {
		jobs = append(jobs, func() {
			c.poolsSeen = false
			c.alloc.SetPools(c.accept())
		})
	}
	if len(c.seen) > 0 {
		jobs = append(jobs, c.reconcile)
	}
	if len(c.toWrite) > 0 {
		jobs = append(jobs, c.write)
	}
	if len(c.sent) > 0 {
		jobs = append(jobs, c.land)
	}
	if len(c.late) > 0 {
		jobs = append(jobs, c.writeLate)
	}
	if len(jobs) == 0 {
		return false
	}
	pick(c.random, jobs)()
	c.spread()
	return true
}

func (c *pureCluster) reconcile() {
	name := pick(c.random, sorted(c.seen))
	delete(c.seen, name)
	if service := c.services[name]; service == nil {
		c.alloc.Remove(key(name))
	} else {
		c.alloc.Set(status.DemandOf(service, nil))
		c.toWrite[name] = true
	}
}

// write sends what was decided.
func (c *pureCluster) write() {
	name := pick(c.random, sorted(c.toWrite))
	delete(c.toWrite, name)
	service := c.services[name]
	if service == nil {
		return
	}
	updated := service.DeepCopy()
	if c.alloc.Begin(key(name), status.VersionOf(service), func(d allocator.Decision) bool { return status.ApplyDecision(updated, d) }) {
		c.sent = append(c.sent, updated)
	}
}

func (c *pureCluster) trace(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf("  "+format, args...))
}

func (c *pureCluster) land() {
	at := c.random.Intn(len(c.sent))
	c.receive(c.sent[at])
	c.sent = slices.Delete(c.sent, at, at+1)
}

func (c *pureCluster) writeLate() {
	if c.receive(c.late[0]) {
		c.wroteLate[c.late[0].Name] = true
		c.trace("^ late")
	}
	c.late = c.late[1:]
}

// receive a write: it is refused if the Service has changed meanwhile.
func (c *pureCluster) receive(written *corev1.Service) bool {
	now := c.services[written.Name]
	if now == nil || now.ResourceVersion != written.ResourceVersion {
		return false
	}
	c.store(written.DeepCopy())
	c.trace("written %s %v", written.Name, viewOf(written).current)
	return true
}

func (c *pureCluster) settle() {
	for range 100_000 {
		if !c.work() {
			return
		}
	}
	c.t.Fatal("does not come to rest")
}

// checkInFlight: not even between two steps do two Services have an address in
// their status that they have no right to share, but where others write or a user
// of the address has just lost the right.
func (c *pureCluster) checkInFlight(excused map[string]bool) {
	now := Check(nil, c.State(), Excuses{})
	for _, wrong := range now {
		if !strings.Contains(wrong, "no right to share") {
			continue
		}
		addr := netip.MustParseAddr(strings.Fields(wrong)[0])
		if !slices.ContainsFunc(c.State().Services, func(s *corev1.Service) bool {
			v := viewOf(s)
			owns := v.reason == v1alpha1.ReasonAllocated || v.reason == v1alpha1.ReasonAddressKept
			return slices.Contains(v.current, addr) && (excused[s.Name] || c.wroteLate[s.Name] || !owns)
		}) {
			c.t.Fatalf("on the way: %s\n%s\n%s", wrong, strings.Join(c.history, "\n"), Describe(nil, c.State()))
		}
	}
}

// Random operations on the pure allocator, with watches that lag, writes that
// come late and leaders that come and go.
func TestModelOfTheAllocator(t *testing.T) {
	seeds, steps := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 3000
	if testing.Short() {
		steps = 600
	}
	if *seedFlag != 0 {
		seeds = []int64{*seedFlag}
	}
	if *stepsFlag != 0 {
		steps = *stepsFlag
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { runPure(t, seed, steps) })
	}
}

func runPure(t *testing.T, seed int64, steps int) {
	random := rand.New(rand.NewSource(seed))
	cluster, generator := newPureCluster(t, random), &Generator{Random: random, Most: 24}
	var before *State
	excuses, writers := NewExcuses(), map[string]bool{}
	for step := range steps {
		state := cluster.State()
		what, names := generator.Step(cluster)
		cluster.history = append(cluster.history, fmt.Sprint(step, ": ", what))
		for _, name := range names {
			excuses.Note(name, state)
			excuses.Note(name, cluster.State())
			if strings.HasPrefix(what, "write") || strings.HasPrefix(what, "change") {
				writers[name] = true
			}
		}
		excuses.NotePools(before, cluster.State())
		for range random.Intn(6) {
			cluster.work()
			cluster.checkInFlight(writers)
		}
		if random.Intn(5) > 0 {
			continue
		}
		cluster.settle()
		for name := range cluster.wroteLate {
			excuses.Note(name, cluster.State())
		}
		if wrong := Check(before, cluster.State(), excuses); len(wrong) > 0 {
			t.Fatalf("seed %d step %d, after\n%s\n%s\n%s", seed, step, strings.Join(cluster.history, "\n"), strings.Join(wrong, "\n"), Describe(before, cluster.State()))
		}
		state = cluster.State()
		before, cluster.history = &state, nil
		excuses, writers = NewExcuses(), map[string]bool{}
		clear(cluster.wroteLate)
	}
}
