package vty

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// FuzzAnswer: whatever a daemon writes, in pieces of whatever size, an answer is
// taken whole or not at all, and nobody waits beyond the deadline.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("hello\n\x00\x00\x00\x00"), 3)
	f.Add([]byte("% Unknown command\n\x00\x00\x00\x02"), 1)
	f.Add([]byte("\x00\x00\x00"), 1)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"), 5)
	f.Add([]byte("no trailer"), 100)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		piece = max(1, piece%64)
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			command := make([]byte, len("show version")+1)
			if _, err := there.Read(command); err != nil {
				return
			}
			for rest := stream; len(rest) > 0; {
				n := min(piece, len(rest))
				if _, err := there.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		c := &Conn{daemon: "bgpd", conn: here, timeout: 5 * time.Second, buf: make([]byte, 0, readChunk)}
		defer c.Close()
		output, err := c.Exec("show version")
		var refused *CommandError
		switch {
		case err == nil && !strings.HasPrefix(string(stream), output+ok):
			t.Errorf("%q was read as %q", stream, output)
		case errors.As(err, &refused) && !strings.HasPrefix(string(stream), output+"\x00\x00\x00"+string([]byte{refused.Status})):
			t.Errorf("%q was read as %q, status %d", stream, output, refused.Status)
		case err != nil && refused == nil && !c.Broken():
			t.Errorf("%q: %v, and the connection is used again", stream, err)
		}
	})
}

// FuzzRedact: what follows "password" in a line is never told.
func FuzzRedact(f *testing.F) {
	f.Add(" neighbor 192.0.2.1 ", "hunter2")
	f.Add("password", "a b")
	f.Add("\n", "x")
	f.Fuzz(func(t *testing.T, before, secret string) {
		if len(strings.TrimSpace(secret)) < 4 || strings.ContainsAny(secret, "\n\r *") || strings.Contains(before, secret) || strings.Contains("password ***", secret) {
			return
		}
		if got := Redact(before + "password " + secret + "\nnext"); strings.Contains(got, secret) {
			t.Errorf("%q", got)
		}
	})
}
