// Command reloader applies the configuration of the exchange directory to the
// FRR of this node and reports what FRR does. It runs in FRR's image, beside
// the agent, and knows nothing of Kubernetes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/herald-lb/herald/internal/version"
	"github.com/herald-lb/herald/reloader/apply"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/loop"
	"github.com/herald-lb/herald/reloader/observe"
	"github.com/herald-lb/herald/reloader/publish"
	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/trial"
)

type options struct {
	exchangeDir, frrRunDir, vtysh, frrReload string
	checkInterval                            time.Duration
	way                                      apply.Way
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == trial.Command {
		trial.Main()
	}
	o := options{way: apply.BySteps}
	flag.StringVar(&o.exchangeDir, "exchange-dir", exchange.DefaultDir, "directory shared with the agent")
	flag.StringVar(&o.frrRunDir, "frr-run-dir", "/var/run/frr", "FRR's run directory with its vty sockets")
	flag.StringVar(&o.vtysh, "vtysh", "/usr/bin/vtysh", "FRR's vtysh")
	flag.StringVar(&o.frrReload, "frr-reload", "/usr/lib/frr/frr-reload.py", "FRR's frr-reload.py")
	flag.DurationVar(&o.checkInterval, "check-interval", loop.DefaultCheckInterval, "time between two comparisons of everything that FRR runs")
	flag.Var(&o.way, "apply", "how FRR is brought to a file: steps, or frr-reload (everything by frr-reload.py, to compare with: slower, and prefixes that change are withdrawn meanwhile)")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Println(version.Version)
		return
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o, log); err != nil {
		log.Error("the reloader can't work", "error", err)
		fmt.Fprintln(os.Stderr, "reloader: "+err.Error())
		os.Exit(1)
	}
}

// run works until the context ends. An error is about where it runs, not about
// FRR or the file, which may come and change.
func run(ctx context.Context, o options, log *slog.Logger) error {
	syscall.Umask(0o077) // FRR's tools write passwords to files
	if err := checkExchangeDir(o.exchangeDir); err != nil {
		return err
	}
	before := lastSessions(o.exchangeDir)
	writer := publish.New(o.exchangeDir, log, time.Now)
	if err := o.check(); err != nil {
		writer.Update(func(r *report.Report) { r.FRR.Error = err.Error() })
		writer.Write()
		return err
	}
	bootID, err := exchange.BootID()
	if err != nil {
		return fmt.Errorf("the kernel's boot id: %w: mount /proc", err)
	}
	unlock, err := lock(ctx, o.frrRunDir, log)
	if err != nil {
		return err
	}
	defer unlock()
	log.Info("started", "version", version.Version)
	work(ctx, o, bootID, before, writer, log)
	log.Info("stopped; FRR goes on as it is")
	return nil
}

// work runs the loop, the observer and the report's writer.
func work(ctx context.Context, o options, bootID string, before []report.Session, writer *publish.Writer, log *slog.Logger) {
	tools := &apply.Tools{Vtysh: o.vtysh, FRRReload: o.frrReload, RunDir: o.frrRunDir}
	tools.RemoveScratch()
	applier := &apply.Applier{
		FRR:     &apply.FRR{Tools: tools},
		Startup: &apply.Startup{Dir: o.frrRunDir, Version: version.Version, BootID: bootID},
		Log:     log, Now: time.Now,
		Way: o.way,
	}
	frr := trial.Job{Vtysh: o.vtysh, LibDir: filepath.Dir(o.frrReload), RunDir: o.frrRunDir, Daemons: o.scratchDaemons()}
	l := loop.New(o.exchangeDir, applier, frr, writer.Update, log)
	l.CheckInterval = max(o.checkInterval, time.Second)
	observer := &observe.Observer{
		RunDir: o.frrRunDir, Daemons: o.daemons(), Before: before, Log: log, Now: time.Now,
		Publish: writer.Update, Changed: l.DaemonChanged,
	}
	var wg sync.WaitGroup
	for _, task := range []func(context.Context){l.Run, observer.Run, writer.Run} {
		wg.Go(func() { task(ctx) })
	}
	wg.Wait()
	writer.Write()
}

// lastSessions are those in the report that the reloader before this one left: it
// saw the sessions come up. None where there is no such report.
func lastSessions(dir string) []report.Session {
	data, err := os.ReadFile(filepath.Join(dir, exchange.ReportFile))
	if err != nil {
		return nil
	}
	last, err := report.Decode(data)
	if err != nil {
		return nil
	}
	return last.Sessions
}

// daemons that must answer; mgmtd exists from FRR 9 on.
func (o options) daemons() []string {
	daemons := []string{"zebra", "bgpd", "bfdd", "staticd"}
	if _, err := os.Stat(filepath.Join(filepath.Dir(o.frrReload), "mgmtd")); err == nil {
		daemons = append(daemons, "mgmtd")
	}
	return daemons
}

// scratchDaemons are the same in the order of starting: the others take their
// configuration from mgmtd.
func (o options) scratchDaemons() []string {
	daemons := o.daemons()
	if i := slices.Index(daemons, "mgmtd"); i > 0 {
		daemons = slices.Insert(slices.Delete(daemons, i, i+1), 0, "mgmtd")
	}
	return daemons
}

func checkExchangeDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return fmt.Errorf("the exchange directory %s: %w: mount the directory that the agent writes to, or give --exchange-dir", dir, err)
	}
	return nil
}

func (o options) check() error {
	if os.Geteuid() != 0 {
		return errors.New("not root: FRR's vty sockets need it; run the container with runAsUser: 0")
	}
	for flag, path := range map[string]string{"vtysh": o.vtysh, "frr-reload": o.frrReload} {
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			return fmt.Errorf("no program %s: this is not FRR's image; run the reloader in the image of the DaemonSet herald-frr, or give --%s", path, flag)
		}
	}
	if info, err := os.Stat(o.frrRunDir); err != nil || !info.IsDir() {
		return fmt.Errorf("no directory %s: mount the one where FRR has its vty sockets, or give --frr-run-dir", o.frrRunDir)
	}
	return nil
}

// lockFile keeps two reloaders from writing to one FRR, for example while a new
// pod starts before the old one has ended. Its end releases it.
const lockFile = ".herald-reloader.lock"

func lock(ctx context.Context, dir string, log *slog.Logger) (func(), error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock in %s: %w: mount FRR's run directory writable", dir, err)
	}
	for said := false; ; said = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !said {
			log.Warn("another reloader works on this FRR: waiting for its end")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(errors.New("ended while waiting for another reloader"), f.Close())
		case <-time.After(lockPoll):
		}
	}
}

const lockPoll = 200 * time.Millisecond
