// Command ctl brings a real cluster up on this machine and takes it down: `make
// cluster`, `make cluster-down`.
//
//	cluster up      brings it up; it stays up in the background
//	cluster down    takes it down
//
// A process in the background holds the cluster, which dies with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/internal/version"
	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

func main() {
	commands := map[string]func() error{"up": up, "down": down, holdCommand: hold}
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: cluster up|down")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// holdCommand is how the process in the background is started; progressFD is
// where it tells its progress until the cluster is up.
const (
	holdCommand = "hold"
	progressFD  = 3
)

// ready is the last line of progress.
const ready = "The cluster is up.\n"

func stateDir() string { return filepath.Join(thirdparty.CacheDir(), "cluster") }

// lockFile is locked while there is a cluster and holds the PID of its holder.
func lockFile() string { return filepath.Join(stateDir(), "lock") }

// lock takes the lock, or says that another has it.
func lock() (*os.File, error) {
	if err := os.MkdirAll(stateDir(), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(lockFile(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errUp
	}
	return f, nil
}

var errUp = errors.New("a cluster is up: `make cluster-down` takes it down")

func up() error {
	if missing := cluster.Missing(); missing != "" {
		return errors.New(missing)
	}
	free, err := lock()
	if err != nil {
		return err
	}
	free.Close()
	progress, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(stateDir(), "log"))
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", holdCommand)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	theirs.Close()
	var said strings.Builder
	_, _ = io.Copy(io.MultiWriter(os.Stdout, &said), progress)
	if !strings.Contains(said.String(), ready) {
		return fmt.Errorf("it didn't come up; see %s", log.Name())
	}
	return nil
}

// hold is the process in the background.
func hold() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	held, err := lock()
	if err != nil {
		return err
	}
	defer held.Close()
	ctrllog.SetLogger(logr.Discard())
	progress := os.NewFile(progressFD, "progress")
	syscall.CloseOnExec(progressFD)
	if err := bringUp(ctx, held, progress, func() { <-ctx.Done() }); err != nil {
		fmt.Fprintln(progress, err)
		return err
	}
	return nil
}

func bringUp(ctx context.Context, held *os.File, progress *os.File, stay func()) error {
	if err := held.Truncate(0); err != nil {
		return err
	}
	if _, err := held.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return err
	}
	programs, err := workdir.New("image")
	if err != nil {
		return err
	}
	defer programs.Remove()
	herald, err := cluster.HeraldImage(programs.Path, version.Version)
	if err != nil {
		return err
	}
	o := cluster.Options{Log: progress}
	o.Images = append(o.Images, herald, cluster.FRR())
	c, err := cluster.New(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(progress, usage, c.Dir(), lab.KubectlWrapper, lab.ShellWrapper, lab.VtyshWrapper, herald.Ref, cluster.FRRImage, cluster.EchoImage)
	fmt.Fprint(progress, ready)
	progress.Close()
	stay()
	return nil
}

const usage = `
Three nodes, the routers tor-a (FRR) and tor-b (BIRD), and a client. As root:
  %[1]s/%[2]s get nodes,pods -A
  %[1]s/%[3]s node1 ctr -n k8s.io c ls       any command in any host (node1, tor-a, client, …)
  %[1]s/%[3]s client curl -s http://…
  %[1]s/%[4]s tor-a -c 'show bgp summary'   the router that is FRR
  %[1]s/%[4]s tor-b show protocols          the router that is BIRD
Images that the nodes have (imagePullPolicy: Never, there is no registry):
  %[5]s  %[6]s  %[7]s
Files and logs: %[1]s. make cluster-down takes it down.

`

func down() error {
	text, err := os.ReadFile(lockFile())
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	free, err := lock()
	if err == nil {
		free.Close()
		fmt.Println("no cluster is up")
		return nil
	}
	if !errors.Is(err, errUp) {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s has no PID: %w", lockFile(), err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending process %d: %w", pid, err)
	}
	err = wait.Until(context.Background(), "the cluster is down", wait.BringUp, func(context.Context) (bool, error) {
		free, err := lock()
		if err != nil {
			return false, err
		}
		return true, free.Close()
	})
	if err == nil {
		fmt.Println("the cluster is down")
	}
	return err
}
