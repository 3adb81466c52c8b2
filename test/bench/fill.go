package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
)

// fillTimeout bounds the making of all Services: 10,000 take some 500 s of processor
// time, most of it the API server's.
const fillTimeout = 30 * time.Minute

// givenFrom is the first address that fill gives: the manager gives from the pool's
// beginning, and the comparison takes its end.
var givenFrom = netip.MustParseAddr("10.64.64.0")

// fill brings the announced Services to a number. It isn't measured, so that it is
// made cheap: manager, agent and kube-proxy rest meanwhile, and the benchmark writes
// the status that the manager would, three writes a Service instead of five.
func (s *site) fill(ctx context.Context, n int) error {
	ready := s.names(n - len(s.present))
	spares := s.names(s.wantSpares - len(s.spares))
	if len(ready)+len(spares) == 0 {
		return nil
	}
	said := map[bool]pattern{}
	for _, isReady := range []bool{true, false} {
		var err error
		if said[isReady], err = s.pattern(ctx, isReady); err != nil {
			return err
		}
	}
	for _, name := range []string{node.KubeProxy, node.Agent} {
		s.node().Stop(name, agentGrace)
	}
	s.lab.StopManagers(agentGrace)
	began := time.Now()
	for _, some := range []struct {
		names []string
		ready bool
	}{{ready, true}, {spares, false}} {
		first := s.given
		s.given += len(some.names)
		addresses := make(map[string]netip.Addr, len(some.names))
		for i, name := range some.names {
			addresses[name] = after(givenFrom, first+i)
		}
		err := s.each(ctx, some.names, func(ctx context.Context, name string) error {
			return s.put(ctx, name, addresses[name], some.ready, said[some.ready])
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "bench: made %d Services, %.0f writes a second\n", len(ready)+len(spares), 3*float64(len(ready)+len(spares))/time.Since(began).Seconds())
	s.present, s.spares = append(s.present, ready...), append(s.spares, spares...)
	if err := s.lab.StartManagers(ctx); err != nil {
		return err
	}
	for _, name := range []string{node.KubeProxy, node.Agent} {
		if err := s.node().StartContainer(name); err != nil {
			return err
		}
	}
	if _, err := s.routes.waitCount(ctx, n); err != nil {
		return err
	}
	return s.settle(ctx)
}

// put makes one Service with its endpoints and with what the manager would say of it.
func (s *site) put(ctx context.Context, name string, address netip.Addr, ready bool, like pattern) error {
	if err := s.lab.API().Create(ctx, slice(name, ready)); err != nil {
		return err
	}
	svc := service(name)
	if err := s.lab.API().Create(ctx, svc); err != nil {
		return err
	}
	svc.Status.Conditions = like.of(address)
	svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address.String()}}
	return s.lab.API().Status().Update(ctx, svc)
}

// pattern is a Service that was made as usual: what the manager says of it, word for
// word but for the address, is what it would say of others. Any other word, and it
// would write 10,000 conditions anew while the first figures are taken.
type pattern struct {
	address    netip.Addr
	conditions []metav1.Condition
}

func (e pattern) of(address netip.Addr) []metav1.Condition {
	conditions := slices.Clone(e.conditions)
	for i := range conditions {
		conditions[i].Message = strings.ReplaceAll(conditions[i].Message, e.address.String(), address.String())
	}
	return conditions
}

// pattern of a Service whose endpoints are ready, or aren't.
func (s *site) pattern(ctx context.Context, ready bool) (e pattern, err error) {
	name, before := s.name(), s.routes.count()
	if _, err := s.add(ctx, []string{name}, ready); err != nil {
		return e, err
	}
	prefix, err := s.address(ctx, name)
	if err != nil {
		return e, err
	}
	svc := service(name)
	err = wait.Until(ctx, "the conditions of a Service", stepTimeout, func(ctx context.Context) (bool, error) {
		err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc)
		announced := meta.FindStatusCondition(svc.Status.Conditions, v1alpha1.ConditionAnnounced)
		return announced != nil && (announced.Status == metav1.ConditionTrue) == ready, err
	})
	if err != nil {
		return e, err
	}
	if err := s.remove(ctx, []string{name}); err != nil {
		return e, err
	}
	_, err = s.routes.waitCount(ctx, before)
	return pattern{prefix.Addr(), svc.Status.Conditions}, err
}

// after is the address so many behind another one.
func after(addr netip.Addr, n int) netip.Addr {
	bytes := addr.As4()
	value := uint32(bytes[0])<<24 | uint32(bytes[1])<<16 | uint32(bytes[2])<<8 | uint32(bytes[3])
	value += uint32(n)
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)})
}

// use another release of FRR on the node, with all Services that are there.
func (s *site) use(ctx context.Context, version frr.Version) error {
	if s.version == version {
		return nil
	}
	if err := s.node().SetFRR(version); err != nil {
		return err
	}
	s.version = version
	if _, err := s.lab.WaitEstablished(ctx, s.lab.Router(routerName), router.IPv4); err != nil {
		return err
	}
	file, err := exchange.ReadConfig(s.node().ExchangeDir())
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.node().ExchangeDir(), exchange.ConfigFile), err)
	}
	if err := s.applied(ctx, file.Hash); err != nil {
		return err
	}
	if _, err := s.routes.waitCount(ctx, len(s.present)); err != nil {
		return err
	}
	return s.settle(ctx)
}
