package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// State is what stands in the API.
type State struct {
	Services []*corev1.Service
	Pools    []*v1alpha1.IPAddressPool
}

// universe is which pool every address is of.
type universe map[netip.Addr]*v1alpha1.IPAddressPool

func bounds(block v1alpha1.AddressBlock) (first, last netip.Addr) {
	if from, to, isRange := strings.Cut(string(block), "-"); isRange {
		return netip.MustParseAddr(from), netip.MustParseAddr(to)
	}
	prefix := netip.MustParsePrefix(string(block))
	first = prefix.Addr()
	for last = first; prefix.Contains(last.Next()); last = last.Next() {
	}
	return first, last
}

func listed(blocks []v1alpha1.AddressBlock, addr netip.Addr) bool {
	return slices.ContainsFunc(blocks, func(block v1alpha1.AddressBlock) bool {
		first, last := bounds(block)
		return first.Is4() == addr.Is4() && first.Compare(addr) <= 0 && addr.Compare(last) <= 0
	})
}

// addressesOf all pools. Where blocks overlap the older pool's counts, as a whole.
func addressesOf(pools []*v1alpha1.IPAddressPool) universe {
	pools = slices.Clone(pools)
	slices.SortFunc(pools, func(a, b *v1alpha1.IPAddressPool) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	claimed := universe{}
	for _, pool := range pools {
		for _, block := range pool.Spec.Addresses {
			claim(claimed, pool, block)
		}
	}
	for addr, pool := range claimed {
		text := addr.String()
		if pool.Spec.AvoidBuggyIPs && addr.Is4() && (strings.HasSuffix(text, ".0") || strings.HasSuffix(text, ".255")) {
			delete(claimed, addr)
		}
	}
	return claimed
}

func claim(claimed universe, pool *v1alpha1.IPAddressPool, block v1alpha1.AddressBlock) {
	var fresh []netip.Addr
	first, last := bounds(block)
	for addr := first; addr.Compare(last) <= 0; addr = addr.Next() {
		if listed(pool.Spec.Exclude, addr) {
			continue
		}
		if claimed[addr] != nil {
			return
		}
		fresh = append(fresh, addr)
	}
	for _, addr := range fresh {
		claimed[addr] = pool
	}
}

// view is one Service as the checker sees it.
type view struct {
	*corev1.Service
	reason  string
	current []netip.Addr
	asked   []netip.Addr
	pool    string
	invalid bool
}

func viewOf(service *corev1.Service) view {
	v := view{Service: service, pool: service.Annotations[v1alpha1.AnnotationPool]}
	if condition := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionAllocated); condition != nil {
		v.reason = condition.Reason
	}
	for _, entry := range service.Status.LoadBalancer.Ingress {
		v.current = append(v.current, netip.MustParseAddr(entry.IP))
	}
	texts := strings.Split(service.Annotations[v1alpha1.AnnotationIPs], ",")
	if ip := service.Spec.LoadBalancerIP; ip != "" && !slices.Contains(texts, ip) {
		v.invalid = texts[0] != ""
		texts = []string{ip}
	}
	for _, text := range texts {
		if text == "" {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil || !slices.Contains(service.Spec.IPFamilies, familyOf(addr)) || of(v.asked, familyOf(addr)).IsValid() {
			v.invalid = true
			continue
		}
		v.asked = append(v.asked, addr)
	}
	return v
}

// heralds says whether Herald has given the Service what it has, or taken it over.
func (v view) heralds() bool { return v.reason != "" && v.reason != v1alpha1.ReasonForeignAddress }

func (v view) asksFor() bool { return v.pool != "" || len(v.asked) > 0 }

func familyOf(addr netip.Addr) corev1.IPFamily {
	if addr.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func of(addresses []netip.Addr, family corev1.IPFamily) netip.Addr {
	for _, addr := range addresses {
		if familyOf(addr) == family {
			return addr
		}
	}
	return netip.Addr{}
}

func matches(selectors []metav1.LabelSelector, labels map[string]string) bool {
	return slices.ContainsFunc(selectors, func(s metav1.LabelSelector) bool {
		for key, value := range s.MatchLabels {
			if labels[key] != value {
				return false
			}
		}
		return true
	})
}

func serves(pool *v1alpha1.IPAddressPool, service *corev1.Service) bool {
	allocation := pool.Spec.ServiceAllocation
	if allocation == nil {
		return true
	}
	if len(allocation.Namespaces) > 0 && !slices.Contains(allocation.Namespaces, v1alpha1.NamespaceName(service.Namespace)) {
		return false
	}
	return len(allocation.ServiceSelectors) == 0 || matches(allocation.ServiceSelectors, service.Labels)
}

func on(value *bool) bool { return value == nil || *value }

// share says whether two Services have the right to one address.
func share(a, b *corev1.Service) bool {
	key := a.Annotations[v1alpha1.AnnotationSharingKey]
	if key == "" || key != b.Annotations[v1alpha1.AnnotationSharingKey] {
		return false
	}
	for _, p := range a.Spec.Ports {
		for _, q := range b.Spec.Ports {
			if p.Port == q.Port && p.Protocol == q.Protocol {
				return false
			}
		}
	}
	aLocal := a.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	bLocal := b.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	if !aLocal && !bLocal {
		return true
	}
	same := fmt.Sprint(a.Spec.Selector) == fmt.Sprint(b.Spec.Selector)
	return aLocal && bLocal && same && len(a.Spec.Selector) > 0
}

// Excuses are what has happened since an earlier state.
type Excuses struct {
	// Services that were changed, or whose status somebody else wrote to, by name.
	Services map[string]bool
	// Keys for sharing that a changed Service had.
	Keys map[string]bool
	// Gone are addresses that were in no pool for a while, Came those that were in
	// one.
	Gone, Came map[netip.Addr]bool
}

// NewExcuses has none.
func NewExcuses() Excuses {
	return Excuses{Services: map[string]bool{}, Keys: map[string]bool{}, Gone: map[netip.Addr]bool{}, Came: map[netip.Addr]bool{}}
}

// Note that a Service was changed, as it was before that.
func (e Excuses) Note(name string, state State) {
	e.Services[name] = true
	for _, service := range state.Services {
		if service.Name == name {
			e.Keys[service.Annotations[v1alpha1.AnnotationSharingKey]] = true
		}
	}
}

// NotePools notes which addresses that Services had are in no pool now.
func (e Excuses) NotePools(before *State, now State) {
	if before == nil {
		return
	}
	universe := addressesOf(now.Pools)
	for _, service := range before.Services {
		for _, addr := range viewOf(service).current {
			if universe[addr] == nil {
				e.Gone[addr] = true
			} else {
				e.Came[addr] = true
			}
		}
	}
}

// Check says what is wrong with a state in which nothing is left to do. before is
// an earlier such state, nil at first.
func Check(before *State, now State, excuses Excuses) []string {
	c := checker{universe: addressesOf(now.Pools), users: map[netip.Addr][]view{}}
	for _, service := range now.Services {
		v := viewOf(service)
		c.views = append(c.views, v)
		for _, addr := range v.current {
			c.users[addr] = append(c.users[addr], v)
		}
	}
	if len(now.Pools) > 0 {
		for _, v := range c.views {
			c.checkOne(v)
		}
		c.checkDuplicates()
	}
	if before != nil {
		c.checkMoves(before, now, excuses)
	}
	slices.Sort(c.wrong)
	return c.wrong
}

type checker struct {
	universe universe
	views    []view
	users    map[netip.Addr][]view
	wrong    []string
}

func (c *checker) say(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *checker) checkDuplicates() {
	for addr, users := range c.users {
		for i := range users {
			for j := range i {
				if users[i].heralds() && users[j].heralds() && !share(users[i].Service, users[j].Service) {
					c.say("%s is with %s and %s, which have no right to share it", addr, users[j].Name, users[i].Name)
				}
			}
		}
	}
}

func (c *checker) checkOne(v view) {
	switch v.reason {
	case "":
		c.say("%s has no condition", v.Name)
		return
	case v1alpha1.ReasonForeignAddress:
		for _, addr := range v.current {
			if c.universe[addr] != nil {
				c.say("%s: %s is foreign, but is in a pool", v.Name, addr)
			}
		}
		return
	}
	for _, addr := range v.current {
		if c.universe[addr] == nil {
			c.say("%s has %s, which is in no pool", v.Name, addr)
		}
		if !slices.Contains(v.Spec.IPFamilies, familyOf(addr)) {
			c.say("%s has %s of a family that it doesn't want", v.Name, addr)
		}
	}
	if len(v.current) == 2 && familyOf(v.current[0]) == familyOf(v.current[1]) || len(v.current) > 2 {
		c.say("%s has %v", v.Name, v.current)
	}
	c.checkServed(v)
}

// checkServed: it has what it asks for, or nobody could give it that.
func (c *checker) checkServed(v view) {
	has, could, missed := 0, 0, false
	for _, family := range v.Spec.IPFamilies {
		switch {
		case c.satisfied(v, family):
			has++
		case c.could(v, family):
			could++
		default:
			missed = missed || of(v.asked, family).IsValid()
		}
	}
	prefers := v.Spec.IPFamilyPolicy != nil && *v.Spec.IPFamilyPolicy == corev1.IPFamilyPolicyPreferDualStack
	all := len(v.Spec.IPFamilies)
	allocated := v.reason == v1alpha1.ReasonAllocated
	switch {
	case allocated && (v.invalid || missed || has == 0 || has < all && !prefers):
		c.say("%s is allocated %v, but asks for %v %q", v.Name, v.current, v.asked, v.pool)
	case v.invalid || missed:
	case has+could == all && could > 0, prefers && could > 0:
		c.say("%s waits (%s) with %v, but could be served", v.Name, v.reason, v.current)
	case !allocated && (has == all || prefers && has > 0):
		c.say("%s has %v and what it asks for, but says %s", v.Name, v.current, v.reason)
	}
}

func (c *checker) satisfied(v view, family corev1.IPFamily) bool {
	has := of(v.current, family)
	asked := of(v.asked, family)
	return has.IsValid() && c.universe[has] != nil &&
		(!asked.IsValid() || asked == has) && (v.pool == "" || c.universe[has].Name == v.pool)
}

func (c *checker) could(v view, family corev1.IPFamily) bool {
	for addr, pool := range c.universe {
		if familyOf(addr) != family || pool.Spec.Disabled || !serves(pool, v.Service) || v.pool != "" && v.pool != pool.Name {
			continue
		}
		asked := of(v.asked, family)
		if asked.IsValid() && asked != addr {
			continue
		}
		if asks := asked.IsValid() || v.pool != ""; asks && !on(pool.Spec.AllowRequests) || !asks && !on(pool.Spec.AutoAssign) {
			continue
		}
		if !slices.ContainsFunc(c.users[addr], func(u view) bool { return u.UID != v.UID && !share(u.Service, v.Service) }) {
			return true
		}
	}
	return false
}

// checkMoves: an address goes only with its pool, its family, its Service, or
// because the Service asks for another one.
func (c *checker) checkMoves(before *State, now State, excuses Excuses) {
	for _, old := range before.Services {
		at := slices.IndexFunc(now.Services, func(s *corev1.Service) bool { return s.UID == old.UID })
		if at < 0 || excuses.Services[old.Name] {
			continue
		}
		if !sharesWith(old, excuses) {
			c.checkMove(viewOf(old), c.views[at], excuses)
		}
	}
}

// sharesWith says whether one that was changed has the Service's sharing key: where
// the two lose the right to share, the one that has the address longer keeps it.
func sharesWith(service *corev1.Service, excuses Excuses) bool {
	key := service.Annotations[v1alpha1.AnnotationSharingKey]
	return key != "" && excuses.Keys[key]
}

func (c *checker) checkMove(was, is view, excuses Excuses) {
	for _, addr := range was.current {
		if slices.Contains(is.current, addr) {
			continue
		}
		then := is
		then.current = []netip.Addr{addr}
		inPool := c.universe[addr] != nil
		// What is in no pool is only taken from those that Herald gave it to.
		free := was.heralds() && !inPool || was.heralds() && excuses.Gone[addr] || !was.heralds() && (inPool || excuses.Came[addr])
		free = free || was.heralds() && was.asksFor() && was.reason != v1alpha1.ReasonAllocated // it waits for another one
		if !free && (!inPool || c.satisfied(then, familyOf(addr))) {
			c.say("%s lost %s and has %v without a cause", is.Name, addr, is.current)
		}
	}
}

// Describe a state for a failure's report: what is asked for and what there is.
func Describe(before *State, now State) string {
	var text strings.Builder
	for i, state := range []*State{before, &now} {
		if state == nil {
			continue
		}
		fmt.Fprintln(&text, []string{"before:", "now:"}[i])
		for _, pool := range state.Pools {
			spec := &pool.Spec
			fmt.Fprintf(&text, "  pool %s %v exclude=%v auto=%v requests=%v buggy=%v disabled=%v %+v\n", pool.Name, spec.Addresses, spec.Exclude,
				on(spec.AutoAssign), on(spec.AllowRequests), spec.AvoidBuggyIPs, spec.Disabled, spec.ServiceAllocation)
		}
		for _, service := range state.Services {
			v := viewOf(service)
			fmt.Fprintf(&text, "  %s %v %s has=%v %s ips=%q ip=%q pool=%q key=%q %s %v\n", v.Name, v.Spec.IPFamilies, *v.Spec.IPFamilyPolicy, v.current, v.reason,
				v.Annotations[v1alpha1.AnnotationIPs], v.Spec.LoadBalancerIP, v.pool, v.Annotations[v1alpha1.AnnotationSharingKey], v.Spec.ExternalTrafficPolicy, v.Spec.Ports)
		}
	}
	return text.String()
}
