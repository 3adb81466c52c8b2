// Command demo shows Herald at work on a lab of real parts: sessions, an
// announced Service, each router's routes, the spread of a client's connections,
// and a pod that moves with the routes following it. `make demo` runs it.
//
// It leaves the lab up until Ctrl-C; with HOLD=0 in the environment it takes the
// lab down and ends with the line "demo: ok". Anything that isn't as it should
// be ends it with a non-zero exit and says what.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Printf("\ndemo: FAILED: %v\n", err)
		os.Exit(1)
	}
	fmt.Println("demo: ok")
}

// routers of the demo: two makes that both forward.
func routers() []lab.RouterOptions {
	return []lab.RouterOptions{{Name: "tor-a", Make: router.FRR}, {Name: "tor-b", Make: router.BIRD}}
}

func run(ctx context.Context) error {
	began := time.Now()
	title("A site on this machine: 3 nodes, 2 routers, 1 client, all in network namespaces")
	l, err := lab.New(ctx, lab.Options{Routers: routers(), Log: indented{}})
	if err != nil {
		return err
	}
	defer l.Close()
	d := &demo{lab: l}
	for _, step := range []func(context.Context) error{d.peer, d.service, d.routes, d.spread, d.local, d.move} {
		if err := step(ctx); err != nil {
			if errors.Is(ctx.Err(), context.Canceled) {
				return errors.New("interrupted")
			}
			fmt.Printf("\nLogs:\n%s\n", l.Logs(15))
			return err
		}
	}
	fmt.Printf("\nAll of it took %.0f s.\n", time.Since(began).Seconds())
	if os.Getenv("HOLD") == "0" {
		return nil
	}
	return d.hold(ctx)
}

// indented shows the lab's progress.
type indented struct{}

func (indented) Write(p []byte) (int, error) {
	fmt.Printf("  %s", p)
	return len(p), nil
}

func title(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// hold keeps the lab up and says how to look around.
func (d *demo) hold(ctx context.Context) error {
	if err := d.lab.WriteShellWrappers(); err != nil {
		return err
	}
	dir := d.lab.Dir()
	fmt.Printf(`
The lab stays up until Ctrl-C. Look around from another terminal (as root):
  %[1]s/lab-kubectl get bgpsessions,bgpnodes,bgppeers,services
  %[1]s/lab-kubectl describe service web
  %[1]s/lab-vtysh node1 -c 'show running-config'      FRR of a node (node1, node2, node3)
  %[1]s/lab-vtysh tor-a -c 'show bgp ipv4 unicast'    the router that is FRR
  %[1]s/lab-vtysh tor-b show route all                the router that is BIRD
  %[1]s/lab-in tor-a ip route                         any command in any host
  %[1]s/lab-in client curl -s http://%[2]s/
Logs, kubeconfigs and run directories: %[1]s
`, dir, d.address)
	<-ctx.Done()
	fmt.Println("\nTaking the lab down.")
	return nil
}
