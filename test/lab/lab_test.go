package lab_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/thirdparty"
)

// testWriter shows a lab's progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

func TestSiteAnnouncesAService(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
	t.Parallel()
	if err := binaries.Build(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	l, err := lab.New(ctx, lab.Options{Log: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Cleanup(func() { l.LogFailure(t) })
	t.Logf("up after %s", time.Since(began))

	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(l.Create(ctx, lab.Pool("public", "203.0.113.0/28"), lab.Advertisement("all")))
	for _, r := range l.Routers() {
		check(l.Create(ctx, l.Peer(r.Config().Name, router.IPv4)))
	}
	for _, r := range l.Routers() {
		_, err := l.WaitEstablished(ctx, r, router.IPv4)
		check(err)
		t.Logf("%s has its sessions after %s", r.Config().Name, time.Since(began))
	}
	for i, name := range []string{"node1", "node2", "node3"} {
		_, err := l.AddPod(ctx, name, "web-"+string(rune('a'+i)), map[string]string{"app": "web"})
		check(err)
	}
	svc := lab.Service("web")
	check(l.Create(ctx, svc))
	addresses, err := l.WaitAddress(ctx, svc)
	check(err)
	for _, r := range l.Routers() {
		check(l.WaitRoutes(ctx, r, lab.HostRoute(addresses[0]), "node1", "node2", "node3"))
		check(l.WaitKernel(ctx, r, lab.HostRoute(addresses[0]), "node1", "node2", "node3"))
	}
	t.Logf("routes after %s", time.Since(began))
	for _, via := range []string{"tor-a", "tor-b"} {
		spread := l.Client().Open(ctx, 60, l.Via(via, router.IPv4), netip.AddrPortFrom(addresses[0], 80))
		if len(spread.Errors) > 0 || len(l.EnteredBy(spread)) != 3 || len(spread.ByPod()) != 3 {
			t.Errorf("through %s: entered by %v, by pod %v, errors %v", via, l.EnteredBy(spread), spread.ByPod(), spread.Errors)
		}
		t.Logf("through %s: entered by %v, answered by %v", via, l.EnteredBy(spread), spread.ByPod())
	}
	if l.Reads() == 0 {
		t.Error("nothing was asked of a router")
	}
}

// dial connects to a node from the control plane.
func dial(ctx context.Context, l *lab.Lab, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return l.ControlPlane().Box().Dial(ctx, "tcp", to.String())
}
