package apply

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-lb/herald/reloader/plan"
)

func TestParseVersion(t *testing.T) {
	tests := []struct {
		output, text string
		tooOld, via  bool
	}{
		{"FRRouting 8.4.4 (node) on Linux(6.1).\n", "8.4.4", false, false},
		{"FRRouting 10.3 (node) on Linux(6.1).\n", "10.3", false, true},
		{"FRRouting 10.5.1-my-build (node).\n", "10.5.1-my-build", false, true},
		{"FRRouting 9.0.2 (x)\n", "9.0.2", false, false},
		{"FRRouting 9.1 (x)\n", "9.1", false, true},
		{"FRRouting 8.3.1 (x)\n", "8.3.1", true, false},
		{"FRRouting 7.5.1 (x)\n", "7.5.1", true, false},
	}
	for _, tt := range tests {
		v, err := parseVersion(tt.output)
		if err != nil || v.Text != tt.text || v.Less(oldest) != tt.tooOld || v.quirks().ResolveViaDefault != tt.via {
			t.Errorf("%q: %+v %v", tt.output, v, err)
		}
	}
	for _, bad := range []string{"", "FRRouting", "Quagga 1.2", "FRRouting x.y"} {
		if v, err := parseVersion(bad); err == nil {
			t.Errorf("%q: %+v", bad, v)
		}
	}
}

// bgpd answers by a function of the command: output and status.
func bgpd(t *testing.T, answer func(string) (string, byte)) *FRR {
	t.Helper()
	dir := t.TempDir()
	daemon(t, dir, plan.BGPDaemon, answer)
	f := &FRR{Tools: &Tools{RunDir: dir, Vtysh: "/usr/bin/vtysh"}, Timeout: time.Minute}
	t.Cleanup(f.Disconnect)
	return f
}

// daemon answers on its vty socket in dir, one connection after the other.
func daemon(t *testing.T, dir, name string, answer func(string) (string, byte)) {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(dir, name+".vty"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answerAll(conn, answer)
		}
	}()
}

func answerAll(conn net.Conn, answer func(string) (string, byte)) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		command, err := r.ReadString(0)
		if err != nil {
			return
		}
		output, status := answer(strings.TrimSuffix(command, "\x00"))
		if _, err := conn.Write(append([]byte(output), 0, 0, 0, status)); err != nil {
			return
		}
	}
}

// While watchfrr starts daemons it loads their configuration by vtysh: a second
// vtysh meanwhile can leave mgmtd locked.
func TestScriptsOfWatchfrrAreAwaited(t *testing.T) {
	for name, busy := range map[string]string{
		"all daemons": "watchfrr global phase: Idle\n Restart Timeout: 90\n  global restart running, pid 44\n  zebra                Down\n",
		"one daemon":  "watchfrr global phase: Idle\n  zebra                Up\n  bgpd                 Down\n      restart running, pid 69\n",
	} {
		asked := 0
		f := bgpd(t, nil)
		daemon(t, f.Tools.RunDir, watchfrr, func(command string) (string, byte) {
			if command != "show watchfrr" {
				return "", 0
			}
			if asked++; asked < 3 {
				return busy, 0
			}
			return "watchfrr global phase: Idle\n  zebra                Up\n  bgpd                 Up\n", 0
		})
		if f.AwaitScripts(t.Context()); asked != 3 {
			t.Errorf("%s: asked %d times, want 3", name, asked)
		}
	}
	f := bgpd(t, nil)
	began := time.Now()
	if f.AwaitScripts(t.Context()); time.Since(began) > f.Timeout {
		t.Error("waits for a watchfrr that isn't there")
	}
}

func TestTooOldFRRIsRefusedWithTheRemedy(t *testing.T) {
	f := bgpd(t, func(string) (string, byte) { return "FRRouting 7.5.1 (x)\n", 0 })
	err := f.Connect(t.Context())
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) || f.Connected() {
		t.Fatal(err)
	}
	if want := "FRR 7.5.1 is not supported: use an FRR image of version 8.4 or later (spec.frr.image of the Herald object)"; unsupported.Error() != want {
		t.Error(unsupported)
	}
}

// A future bgpd that takes no configuration on its socket: vtysh is used.
func TestNetworksGoByVtyshWhereTheSocketTakesNone(t *testing.T) {
	var sent []string
	f := bgpd(t, func(command string) (string, byte) {
		switch {
		case command == "show version":
			return "FRRouting 12.0 (x)\n", 0
		case strings.HasPrefix(command, "address-family"):
			return "% Unknown command\n", 2
		}
		return "", 0
	})
	f.Tools.Run = func(_ context.Context, _ string, args ...string) (string, error) {
		text, err := os.ReadFile(args[len(args)-1])
		sent = append(sent, string(text))
		return "", err
	}
	if err := f.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	batches := []plan.Batch{{Router: "router bgp 1", Family: "ipv4 unicast", Commands: []string{"network 10.0.0.1/32"}}}
	for range 2 {
		if err := f.WriteNetworks(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
	}
	want := "router bgp 1\naddress-family ipv4 unicast\nnetwork 10.0.0.1/32\nexit-address-family\nexit\n"
	if f.VtyNetworks() || !slices.Equal(sent, []string{want, want}) {
		t.Errorf("%v %q", f.VtyNetworks(), sent)
	}
}

func TestRefusedLockIsTriedAgain(t *testing.T) {
	tries := 0
	tools := &Tools{RunDir: t.TempDir(), Run: func(context.Context, string, ...string) (string, error) {
		if tries++; tries < 3 {
			return "% Configuration failed.\n\nthe running datastore is locked by session 7\n", errors.New("exit status 1")
		}
		return "", nil
	}}
	if err := tools.Load(t.Context(), "x\n"); err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestToolErrorsAreFRRsWordsWithoutNoiseAndPasswords(t *testing.T) {
	tools := &Tools{RunDir: t.TempDir(), Run: func(context.Context, string, ...string) (string, error) {
		return `[304|mgmtd] sending configuration
The route-map 'x' does not exist.
% Specify remote-as or peer-group commands first
Waiting for children to finish applying config...
line 2: Failure to communicate[13] to bgpd, line:  neighbor 10.0.0.1 password hunter2

[304|mgmtd] done
`, errors.New("exit status 2")
	}}
	err := tools.Load(t.Context(), "x\n")
	want := "vtysh: % Specify remote-as or peer-group commands first; line 2: Failure to communicate[13] to bgpd, line:  neighbor 10.0.0.1 password ***"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(tools.RunDir); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestHangingToolIsKilledWithItsChildren(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Command(ctx, "/bin/sh", "-c", "sleep 60 & sleep 60")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestStartupFileRoundTrip(t *testing.T) {
	s := &Startup{Dir: t.TempDir(), Version: "v1", BootID: "b"}
	if s.Read() != nil {
		t.Error("a startup file out of nothing")
	}
	good := &Good{Hash: "abc", Config: plan.Parse("router bgp 1\n bgp router-id 1.1.1.1\nexit\nroute-map a permit 1\nexit\nip forwarding\n")}
	if err := s.Write(good, plan.Quirks{}); err != nil {
		t.Fatal(err)
	}
	got := s.Read()
	if got == nil || got.Hash != "abc" || got.Config.Text(plan.Quirks{}) != good.Config.Text(plan.Quirks{}) {
		t.Fatalf("%+v", got)
	}
	text, err := os.ReadFile(filepath.Join(s.Dir, "startup.conf"))
	if err != nil || strings.Contains(string(text), "forwarding") || strings.Index(string(text), "route-map") > strings.Index(string(text), "router bgp") {
		t.Errorf("%s %v", text, err)
	}
	s.Dir = filepath.Join(s.Dir, "gone")
	good.Hash = "def"
	if err := s.Write(good, plan.Quirks{}); err == nil {
		t.Error("a directory that isn't there was written to")
	}
}
