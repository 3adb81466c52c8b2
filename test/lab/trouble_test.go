package lab_test

import (
	"context"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/frr"
	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

const md5 = "correct-horse"

// TestTroubleAndDualStack makes every trouble that the lab can make, on a site
// of two nodes with both FRR releases, and sees that it takes place and passes.
func TestTroubleAndDualStack(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
	t.Parallel() // beside another lab
	l := newLab(t, lab.Options{
		Nodes: 2, NodeFRR: map[int]frr.Version{1: frr.V8_4},
		Routers: []lab.RouterOptions{
			{Name: "tor-a", Make: router.FRR, FRRVersion: frr.V8_4, Password: md5},
			{Name: "tor-b", Make: router.BIRD, ASN: 64501, Port: 1790, Password: md5},
		},
	})
	s := &trouble{T: t, lab: l}
	s.announceDualStack()
	s.killContainers()
	s.killAPI()
	s.cutCable()
	s.reboot()
}

func newLab(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	o.Log = testWriter{t}
	if err := binaries.Build(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait.BringUp)
	defer cancel()
	l, err := lab.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Cleanup(func() { l.LogFailure(t) })
	return l
}

type trouble struct {
	*testing.T
	lab      *lab.Lab
	prefixes []netip.Prefix
}

func (s *trouble) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// announceDualStack has sessions over both families, with a password, to
// another ASN and port, and a Service with an address of each.
func (s *trouble) announceDualStack() {
	ctx, l := s.Context(), s.lab
	s.check(l.Create(ctx, lab.Pool("public", "203.0.113.0/28", "2001:db8:1::/120"), lab.Advertisement("all"),
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: lab.SecretsNamespace, Name: "tor"},
			Type:       corev1.SecretTypeBasicAuth, Data: map[string][]byte{corev1.BasicAuthPasswordKey: []byte(md5)},
		}))
	for _, r := range l.Routers() {
		for _, family := range []router.Family{router.IPv4, router.IPv6} {
			peer := l.Peer(r.Config().Name, family)
			peer.Name += "-" + string(family)
			peer.Spec.PasswordSecret = &v1alpha1.SecretReference{Name: "tor"}
			s.check(l.Create(ctx, peer))
		}
	}
	for _, name := range []string{"node1", "node2"} {
		_, err := l.AddPod(ctx, name, "web-"+name, map[string]string{"app": "web"})
		s.check(err)
	}
	svc := lab.Service("web")
	svc.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicyRequireDualStack)
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	s.check(l.Create(ctx, svc))
	addresses, err := l.WaitAddress(ctx, svc)
	s.check(err)
	for _, a := range addresses {
		s.prefixes = append(s.prefixes, lab.HostRoute(a))
	}
	if len(s.prefixes) != 2 {
		s.Fatalf("addresses %v, want one of each family", addresses)
	}
	s.expect("node1", "node2")
	for _, r := range l.Routers() {
		for _, p := range s.prefixes {
			spread := l.Client().Open(ctx, 40, l.Via(r.Config().Name, router.FamilyOf(p)), netip.AddrPortFrom(p.Addr(), 80))
			if len(spread.Errors) > 0 || len(spread.ByNode()) != 2 {
				s.Errorf("%s through %s: %v, errors %v", p, r.Config().Name, spread.ByNode(), spread.Errors)
			}
			if by := spread.BySource(); len(by) != 1 || by[l.Via(r.Config().Name, router.FamilyOf(p))] != 40 {
				s.Errorf("%s: policy Local must keep the client's address, pods saw %v", p, by)
			}
		}
	}
}

// expect waits for the routes of both families everywhere.
func (s *trouble) expect(nodes ...string) {
	s.Helper()
	for _, r := range s.lab.Routers() {
		for _, p := range s.prefixes {
			s.check(s.lab.WaitRoutes(s.Context(), r, p, nodes...))
			s.check(s.lab.WaitKernel(s.Context(), r, p, nodes...))
		}
	}
}

// killContainers: agent, reloader, kube-proxy and manager come back by
// themselves; FRR too, with its configuration.
func (s *trouble) killContainers() {
	n := s.lab.Node("node1")
	for _, name := range []string{node.Agent, node.Reloader, node.KubeProxy, node.FRR} {
		c := n.Container(name)
		starts := c.Starts()
		c.Kill()
		s.check(wait.Until(s.Context(), name+" runs again", wait.Process, func(context.Context) (bool, error) {
			return c.Running() && c.Starts() > starts, nil
		}))
	}
	s.lab.Managers()[0].Kill()
	s.expect("node1", "node2")
}

func (s *trouble) killAPI() {
	cp := s.lab.ControlPlane()
	cp.KillAPI()
	s.expect("node1", "node2")
	s.check(cp.StartAPI(s.Context()))
}

// cutCable: the sessions die with the path once their hold time is over; here it
// is enough that no packet gets through.
func (s *trouble) cutCable() {
	s.check(s.lab.SetCable("node2", false))
	to := netip.AddrPortFrom(s.lab.Node("node2").Config().IPv4, 10256)
	if conn, err := dial(s.Context(), s.lab, to); err == nil {
		conn.Close()
		s.Error("a node without a cable is reached")
	}
	s.check(s.lab.SetCable("node2", true))
	s.check(wait.Until(s.Context(), "the cable is mended", wait.Process, func(ctx context.Context) (bool, error) {
		conn, err := dial(ctx, s.lab, to)
		if err == nil {
			conn.Close()
		}
		return err == nil, err
	}))
}

func (s *trouble) reboot() {
	n := s.lab.Node("node2")
	before := n.BootID()
	r := s.lab.Router("tor-a")
	sessions, err := s.lab.WaitEstablished(s.Context(), r, router.IPv4)
	s.check(err)
	s.check(s.lab.Reboot(s.Context(), "node2"))
	out, err := n.Box().Run(s.Context(), "cat", "/proc/sys/kernel/random/boot_id")
	s.check(err)
	if n.BootID() == before || out != n.BootID()+"\n" {
		s.Errorf("boot id is %q, was %q, the node reads %q", n.BootID(), before, out)
	}
	// The router keeps the routes of the old session until the new one.
	now, err := s.lab.WaitSettled(s.Context(), r, router.IPv4)
	s.check(err)
	if address := n.Config().IPv4; !sessions[address].ResetUntil(now[address]) {
		s.Errorf("the session of the node before it crashed counts as settled: %+v", now[address])
	}
	if err := lab.CheckNoReset(s.Context(), r, sessions); err == nil {
		s.Error("CheckNoReset sees no reset of a rebooted node")
	}
	s.expect("node1", "node2")
}
