package vty

import (
	"bufio"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// daemon answers each command with the next of its answers, as bytes on the
// wire; "" says nothing and "close" hangs up.
func daemon(t *testing.T, answers ...string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "d.vty")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
		r := bufio.NewReader(conn)
		for _, answer := range answers {
			if _, err := r.ReadString(0); err != nil {
				return
			}
			if answer == "close" {
				conn.Close()
				return
			}
			if _, err := conn.Write([]byte(answer)); err != nil {
				return
			}
		}
		_, _ = r.ReadString(0) // say nothing more
	}()
	return socket
}

const ok = "\x00\x00\x00\x00"

func dial(t *testing.T, socket string) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), "bgpd", socket, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestExec(t *testing.T) {
	big := strings.Repeat("a line of the running configuration\n", 50000)
	tests := []struct {
		name, answer, output string
		status               byte
		broken               bool
	}{
		{name: "nothing-to-say", answer: ok},
		{name: "output", answer: "hello\n" + ok, output: "hello\n"},
		{name: "large-output", answer: big + ok, output: big},
		{name: "refused", answer: "% no\n\x00\x00\x00\x0d", output: "% no\n", status: 13},
		{name: "warning", answer: "\x00\x00\x00\x01", status: 1},
		{name: "truncated-output", answer: "hello", broken: true},
		{name: "truncated-trailer", answer: "hello\x00\x00\x00", broken: true},
		{name: "silence", answer: "", broken: true},
		{name: "hangs-up", answer: "close", broken: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, daemon(t, ok, tt.answer, "next"+ok))
			if tt.broken {
				c.timeout = 200 * time.Millisecond // what follows doesn't come
			}
			output, err := c.Exec("show something")
			if tt.broken {
				if !errors.Is(err, ErrBroken) || !c.Broken() {
					t.Fatalf("%v", err)
				}
				if _, err := c.Exec("next"); !errors.Is(err, ErrBroken) {
					t.Errorf("a broken connection was used again: %v", err)
				}
				return
			}
			var refused *CommandError
			if errors.As(err, &refused) != (tt.status != 0) || refused != nil && refused.Status != tt.status {
				t.Fatalf("%v", err)
			}
			if output != tt.output {
				t.Errorf("%d bytes, want %d", len(output), len(tt.output))
			}
			if next, err := c.Exec("next"); next != "next" || err != nil {
				t.Errorf("the next command: %q %v", next, err)
			}
		})
	}
}

func TestConfigureStopsAtTheFirstFailureAndLeaves(t *testing.T) {
	c := dial(t, daemon(t, ok, ok, ok, "% nonsense\x00\x00\x00\x02", "left"+ok, "after"+ok))
	err := c.Configure([]string{"router bgp 1", "nonsense", "never sent"})
	var refused *CommandError
	if !errors.As(err, &refused) || refused.Command != "nonsense" || refused.Status != StatusNoMatch {
		t.Fatal(err)
	}
	if out, err := c.Exec("x"); out != "after" || err != nil {
		t.Errorf("%q %v: configuration mode wasn't left", out, err)
	}
}

func TestCommandsWithLineBreaksAreNotSent(t *testing.T) {
	c := dial(t, daemon(t, ok, "answer"+ok))
	for _, command := range []string{"a\nb", "a\x00b", "a\rb"} {
		if _, err := c.Exec(command); err == nil {
			t.Errorf("%q was sent", command)
		}
	}
	if out, err := c.Exec("x"); out != "answer" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

func TestErrorsHoldNoPassword(t *testing.T) {
	c := dial(t, daemon(t, ok, "% bad: neighbor 10.0.0.1 password hunter2\n\x00\x00\x00\x0d", "close"))
	_, err := c.Exec("neighbor 10.0.0.1 password hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "password ***") {
		t.Errorf("%v", err)
	}
	_, err = c.Exec("neighbor 10.0.0.1 password hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestRedact(t *testing.T) {
	tests := map[string]string{
		"no secret": "no secret",
		"line 3: neighbor a password x y\nnext line": "line 3: neighbor a password ***\nnext line",
		"neighbor a password ":                       "neighbor a password ",
	}
	for in, want := range tests {
		if got := Redact(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A daemon that ends hangs up; one that says nothing hasn't.
func TestHungUp(t *testing.T) {
	c := dial(t, daemon(t, ok, "answer"+ok, "close"))
	if _, err := c.Exec("show something"); err != nil || c.HungUp() {
		t.Fatalf("hung up while it answers: %v", err)
	}
	if _, err := c.conn.Write([]byte("bye\x00")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); !c.HungUp(); {
		if time.Now().After(end) {
			t.Fatal("the end of a daemon wasn't seen")
		}
	}
	if c.Broken() {
		t.Error("a look has broken the connection")
	}
	c.Close()
	if !c.HungUp() {
		t.Error("a closed connection is up")
	}
}

func TestDialNobody(t *testing.T) {
	if _, err := Dial(t.Context(), "bgpd", filepath.Join(t.TempDir(), "none"), time.Second); err == nil || !strings.HasPrefix(err.Error(), "bgpd: ") {
		t.Error(err)
	}
}
