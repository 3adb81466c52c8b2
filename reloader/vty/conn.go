package vty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// Bounds of one answer. The running configuration of 100,000 prefixes is 5 MB.
const (
	maxAnswer     = 256 << 20
	readChunk     = 64 << 10
	trailerLength = 4 // three NULs and the status
)

// DefaultTimeout of one command: printing 100,000 prefixes takes 0.1 s.
const DefaultTimeout = 5 * time.Second

// ErrBroken is every use of a Conn after its first failure that isn't a
// CommandError.
var ErrBroken = errors.New("the vty connection is broken")

var errTooLong = fmt.Errorf("answer longer than %d MiB", maxAnswer>>20)

// Conn is a connection to one daemon, in enable mode. It is not safe for
// concurrent use.
type Conn struct {
	daemon  string
	conn    net.Conn
	timeout time.Duration
	buf     []byte
	err     error
}

// Dial connects to a daemon's vty socket and enters enable mode. Each command
// has timeout to be answered whole (DefaultTimeout where it is 0).
func Dial(ctx context.Context, daemon, socket string, timeout time.Duration) (*Conn, error) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", daemon, err)
	}
	c := &Conn{daemon: daemon, conn: conn, timeout: timeout, buf: make([]byte, 0, readChunk)}
	if _, err := c.Exec("enable"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Exec runs one command and returns what it printed. A *CommandError leaves the
// connection usable; after any other error it is broken.
func (c *Conn) Exec(command string) (string, error) {
	if c.err != nil {
		return "", fmt.Errorf("%s: %w: %w", c.daemon, ErrBroken, c.err)
	}
	if strings.ContainsAny(command, "\x00\n\r") {
		return "", fmt.Errorf("%s: a command with a line break or NUL was not sent", c.daemon)
	}
	output, status, err := c.roundTrip(command)
	if err != nil {
		c.err = err
		return "", fmt.Errorf("%s: %q: %w: %w", c.daemon, Redact(command), ErrBroken, err)
	}
	if status != StatusSuccess {
		return output, &CommandError{Daemon: c.daemon, Command: Redact(command), Status: status, Output: Redact(output)}
	}
	return output, nil
}

// Configure runs commands in configuration mode and leaves it again, also when
// one fails; it stops at the first failure.
func (c *Conn) Configure(commands []string) error {
	if _, err := c.Exec("configure terminal"); err != nil {
		return err
	}
	var failed error
	for _, command := range commands {
		if _, failed = c.Exec(command); failed != nil {
			break
		}
	}
	if c.err != nil {
		return failed
	}
	_, err := c.Exec("end")
	return errors.Join(failed, err)
}

// Broken says whether the connection can no longer be used.
func (c *Conn) Broken() bool { return c.err != nil }

// HungUp says whether the daemon has closed the connection, as the kernel does for one
// that ends. It asks nothing: a daemon that hangs hasn't hung up.
func (c *Conn) HungUp() bool {
	if c.err != nil {
		return true
	}
	socket, ok := c.conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	up := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		up = n > 0 || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
	})
	return err != nil || !up
}

// Close ends the connection.
func (c *Conn) Close() error {
	if c.err == nil {
		c.err = net.ErrClosed
	}
	return c.conn.Close()
}

func (c *Conn) roundTrip(command string) (string, byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return "", 0, err
	}
	if _, err := c.conn.Write(append([]byte(command), 0)); err != nil {
		return "", 0, err
	}
	return c.readAnswer()
}

// readAnswer reads up to the trailer. One command is in flight at a time, so
// the trailer is what the answer ends with.
func (c *Conn) readAnswer() (string, byte, error) {
	c.buf = c.buf[:0]
	for {
		if cap(c.buf)-len(c.buf) < readChunk/2 {
			grown := make([]byte, len(c.buf), 2*cap(c.buf))
			copy(grown, c.buf)
			c.buf = grown
		}
		n, err := c.conn.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if output, status, ok := cutTrailer(c.buf); ok {
			return string(output), status, nil
		}
		if err != nil {
			return "", 0, err
		}
		if len(c.buf) > maxAnswer {
			return "", 0, errTooLong
		}
	}
}

// cutTrailer splits a whole answer. The status byte may be 0 itself, so four
// NULs in a row are a success.
func cutTrailer(answer []byte) (output []byte, status byte, ok bool) {
	at := len(answer) - trailerLength
	if at < 0 || !bytes.Equal(answer[at:at+3], []byte{0, 0, 0}) {
		return nil, 0, false
	}
	return answer[:at], answer[at+3], true
}
