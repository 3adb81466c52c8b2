package docs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/binaries"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/thirdparty"
)

// demoTimeout bounds bringing the demo up, and each command of the page.
const (
	demoTimeout    = 6 * time.Minute
	commandTimeout = time.Minute
)

var labDirectory = regexp.MustCompile(`Logs, kubeconfigs and run directories: (\S+)`)

// TestGettingStarted runs the page's commands, word for word, on the lab that the
// demo leaves up.
func TestGettingStarted(t *testing.T) {
	thirdparty.Need(t, lab.Parts()...)
	if err := binaries.Build(); err != nil {
		t.Fatal(err)
	}
	dir := startDemo(t)
	left := slices.Clone(promised)
	ran := 0
	for _, b := range blocksOf(t, "getting-started.md") {
		if !strings.Contains(b.text, "$LAB/") {
			continue // what comes before the lab, or what the demo prints
		}
		for command := range strings.Lines(b.text) {
			command = strings.TrimSpace(command)
			t.Log(command)
			var want *regexp.Regexp
			if len(left) > 0 && strings.HasSuffix(command, left[0].command) {
				want, left = left[0].shows, left[1:]
			}
			out, err := runUntil(t, dir, command, want)
			switch {
			case isImpossible(command):
				if err == nil || !strings.Contains(out, "Invalid value") {
					t.Errorf("%s: it isn't refused as the page says: %v\n%s", command, err, out)
				}
			case err != nil:
				t.Errorf("%s: %v\n%s", command, err, out)
			}
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("only %d commands were found on the page", ran)
	}
	if len(left) > 0 {
		t.Errorf("%q, and what follows it here, isn't on the page in this order", left[0].command)
	}
}

// promised is what the page says of commands, in its order: how each ends, and what it
// shows, at once or as soon as Herald and the routers have followed the change before.
var promised = []struct {
	command string
	shows   *regexp.Regexp
}{
	{"get herald", regexp.MustCompile(`(?s)bgpadvertisement.*bgpnode.*bgppeer.*bgpsession.*ipaddresspool`)},
	{"get hsess", regexp.MustCompile(`(.* Established .*\n){6}`)},
	{"status", regexp.MustCompile(`Nothing is wrong`)},
	{"explain service/web", regexp.MustCompile(`Announced by 3 of 3 nodes`)},
	{"'show running-config'", regexp.MustCompile(`network 203\.0\.113\.0/32 route-map herald\.`)},
	{"'show bgp ipv4 unicast'", regexp.MustCompile(`203\.0\.113\.0/32`)},
	{"ip route", regexp.MustCompile(`203\.0\.113\.0 .*\n(\s+nexthop.*\n){3}`)},
	{"show route all", regexp.MustCompile(`203\.0\.113\.0/32`)},
	{"curl -s http://203.0.113.0/", regexp.MustCompile(`\w`)},
	{"203.0.113.0/32'", regexp.MustCompile(`(?s)(Community: 64512:100.*){3}`)},
	{"ip route", regexp.MustCompile(`203\.0\.113\.0 .*via 10\.10\.0\.11 `)},
	{"get hadv all -o wide", regexp.MustCompile(`False .*PeerNotFound`)},
	{"describe service web", regexp.MustCompile(`Warning +NoPeer `)},
}

// runUntil runs a command until it shows what is wanted: what changes before it takes a
// moment to reach FRR and the routers.
func runUntil(t *testing.T, dir, command string, want *regexp.Regexp) (out string, err error) {
	t.Helper()
	if want == nil {
		return runCommand(t, dir, command)
	}
	failed := wait.Until(t.Context(), command, commandTimeout, func(context.Context) (bool, error) {
		out, err = runCommand(t, dir, command)
		return err == nil && want.MatchString(out), nil
	})
	if err == nil && failed != nil {
		err = fmt.Errorf("it doesn't show %s", want)
	}
	return out, err
}

// isImpossible: the page asks for something impossible once, on purpose.
func isImpossible(command string) bool { return strings.Contains(command, "64512:70000") }

func runCommand(t *testing.T, dir, command string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", command)
	shell.Env = append(os.Environ(), "LAB="+dir)
	out, err := shell.CombinedOutput()
	return string(out), err
}

// startDemo runs the demo until the test ends, and returns the lab's directory.
func startDemo(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../demo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	demo := exec.Command(program) //nolint:noctx // it is ended by a signal, and takes its lab down
	printed, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	demo.Stderr = demo.Stdout
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := demo.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		if err := demo.Wait(); err != nil {
			t.Errorf("the demo: %v", err)
		}
	})
	found := make(chan string, 1)
	go follow(printed, found)
	select {
	case dir := <-found:
		if dir == "" {
			t.Fatal("the demo ended, or printed no directory")
		}
		return dir
	case <-time.After(demoTimeout):
		t.Fatal("the demo isn't up in time")
	}
	return ""
}

// follow reads what the demo prints to its end, and hands the lab's directory on.
func follow(printed io.Reader, found chan<- string) {
	lines := bufio.NewScanner(printed)
	for lines.Scan() {
		if match := labDirectory.FindStringSubmatch(lines.Text()); match != nil {
			found <- match[1]
		}
	}
	close(found)
}
