package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
)

const (
	nodeName   = "node1"
	routerName = "tor-a"
	// writers at a time towards the API server, as a controller manager has.
	writers = 16
	// endpointsEach Service has, on its node.
	endpointsEach = 3
	// proxyMinSync is kube-proxy's default: it writes its rules at once, and not again
	// within this time.
	proxyMinSync = time.Second
)

// pool that all addresses come from: room for more than 10,000.
var pool = netip.MustParsePrefix("10.64.0.0/16")

// site is one node and one router, and what the router's kernel has.
type site struct {
	lab     *lab.Lab
	routes  *arrivals
	version frr.Version
	next    int
	// present are the names of the Services that were made to be there; spares are some
	// more whose endpoints aren't ready, wantSpares how many there shall be.
	present, spares []string
	wantSpares      int
	// given counts the addresses that fill gave out.
	given int
}

// newSite brings up a site with a session and nothing announced.
func newSite(ctx context.Context, version frr.Version) (*site, error) {
	l, err := lab.New(ctx, lab.Options{
		Nodes: 1, FRR: version, ProxyMinSync: proxyMinSync,
		Routers: []lab.RouterOptions{{Name: routerName, Make: router.FRR}, {Name: secondRouter, Make: router.BIRD}},
	})
	if err != nil {
		return nil, err
	}
	s := &site{lab: l, version: version}
	if s.routes, err = watchRoutes(l.Router(routerName).Box(), pool); err == nil {
		err = l.Create(ctx, lab.Pool("bench", v1alpha1.AddressBlock(pool.String())), lab.Advertisement("all"), l.Peer(routerName, router.IPv4))
	}
	if err == nil {
		_, err = l.WaitEstablished(ctx, l.Router(routerName), router.IPv4)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *site) close() {
	if s.routes != nil {
		s.routes.close()
	}
	s.lab.Close()
}

func (s *site) node() *node.Node { return s.lab.Node(nodeName) }

// name of the next Service.
func (s *site) name() string {
	s.next++
	return fmt.Sprintf("s%05d", s.next)
}

// service without selector: its EndpointSlice is written by hand.
func service(name string, change ...func(*corev1.Service)) *corev1.Service {
	svc := lab.Service(name)
	svc.Spec.Selector = nil
	svc.Spec.AllocateLoadBalancerNodePorts = ptr.To(false) // there are fewer ports than Services
	for _, f := range change {
		f(svc)
	}
	return svc
}

// slice of a Service with its endpoints on the node, ready or not.
func slice(name string, ready bool) *discoveryv1.EndpointSlice {
	es := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	for i := range endpointsEach {
		es.Endpoints = append(es.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("10.244.1.%d", 10+i)}, NodeName: ptr.To(nodeName),
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready},
		})
	}
	return es
}

// add makes Services with ready endpoints, by several writers, and returns when
// the last write is acknowledged.
func (s *site) add(ctx context.Context, names []string, ready bool, change ...func(*corev1.Service)) (time.Time, error) {
	err := s.each(ctx, names, func(ctx context.Context, name string) error {
		if err := s.lab.API().Create(ctx, slice(name, ready)); err != nil {
			return err
		}
		return s.lab.API().Create(ctx, service(name, change...))
	})
	return time.Now(), err
}

// remove deletes Services and their slices.
func (s *site) remove(ctx context.Context, names []string) error {
	return s.each(ctx, names, func(ctx context.Context, name string) error {
		if err := s.lab.API().Delete(ctx, service(name)); err != nil {
			return err
		}
		return s.lab.API().Delete(ctx, slice(name, true))
	})
}

func (s *site) each(ctx context.Context, names []string, do func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for _, name := range names {
		g.Go(func() error { return do(ctx, name) })
	}
	return g.Wait()
}

func (s *site) names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = s.name()
	}
	return names
}

// address of a Service, once it has one.
func (s *site) address(ctx context.Context, name string) (netip.Prefix, error) {
	addresses, err := s.lab.WaitAddress(ctx, service(name))
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(addresses[0], addresses[0].BitLen()), nil
}

// setReady changes the endpoints of a Service; the write takes place between the
// two times.
func (s *site) setReady(ctx context.Context, name string, ready bool) (before, after time.Time, err error) {
	es := slice(name, ready)
	if err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(es), es); err != nil {
		return before, after, err
	}
	for i := range es.Endpoints {
		es.Endpoints[i].Conditions.Ready, es.Endpoints[i].Conditions.Serving = &ready, &ready
	}
	before = time.Now()
	err = s.lab.API().Update(ctx, es)
	return before, time.Now(), err
}

// applies counts what the reloader has applied, by its log.
func (s *site) applies() (int, error) {
	log, err := readAll(s.node().LogFile(node.Reloader))
	return strings.Count(log, `"msg":"applied"`), err
}
