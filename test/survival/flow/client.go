package flow

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Protocols of connections.
const (
	TCP  = "TCP"
	QUIC = "QUIC"
)

// Fates of a connection.
const (
	// Alive: what was sent lately was answered.
	Alive = "alive"
	// Reset: somebody said that it is gone (a RST, or a stateless reset).
	Reset = "reset"
	// Silent: nothing is answered, and nobody says why.
	Silent = "silent"
)

// Dial opens a socket, in whatever network it should be opened.
type Dial func(ctx context.Context, network string) (net.Conn, error)

// Conn is one connection that sends a message each Interval and waits for its echo.
type Conn struct {
	Protocol string
	// Local is the client's end, Remote the Service's.
	Local, Remote net.Addr

	socket   net.Conn
	id       [idBytes]byte
	interval time.Duration

	mu sync.Mutex
	// answered is when the last echo came, ended when and why none can come any more.
	answered, ended time.Time
	why             error
	sent, echoed    uint64
}

// handshake bounds the opening of a connection.
const handshake = 10 * time.Second

// Open opens a connection and has its first message echoed; it then goes on by
// itself until Close.
func Open(ctx context.Context, protocol string, interval time.Duration, dial Dial) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	socket, err := dial(ctx, map[string]string{TCP: "tcp", QUIC: "udp"}[protocol])
	if err != nil {
		return nil, err
	}
	c := &Conn{Protocol: protocol, Local: socket.LocalAddr(), Remote: socket.RemoteAddr(), socket: socket, interval: interval}
	if _, err := rand.Read(c.id[:]); err != nil {
		return nil, err
	}
	c.id[0] = 0 // never a reset's mark
	if err := c.first(); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("%s connection from %s to %s: %w", protocol, c.Local, socket.RemoteAddr(), err)
	}
	go c.send()
	go c.receive()
	return c, nil
}

// first has the first message echoed; a datagram may be lost, so it is sent again.
func (c *Conn) first() error {
	for try := time.Now(); time.Since(try) < handshake; {
		if err := c.write(c.Protocol == QUIC); err != nil {
			return err
		}
		_ = c.socket.SetReadDeadline(time.Now().Add(c.answerTime()))
		err := c.read()
		if err == nil {
			c.answered = time.Now()
			return c.socket.SetReadDeadline(time.Time{})
		}
		if c.Protocol == TCP || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return os.ErrDeadlineExceeded
}

// answerTime is how long the first echo may take: TCP sends again by itself.
func (c *Conn) answerTime() time.Duration {
	if c.Protocol == QUIC {
		return handshake / 5
	}
	return handshake
}

func (c *Conn) write(long bool) error {
	c.sent++
	message := packet{long: long, id: c.id, number: c.sent}.encode()
	if c.Protocol == TCP {
		message = binary.BigEndian.AppendUint64(nil, c.sent)
		message = append(message, bytes.Repeat([]byte{'.'}, messageBytes-len(message))...)
	}
	_, err := c.socket.Write(message)
	return err
}

// errReset is what a QUIC-like server says that doesn't know the connection.
var errReset = errors.New("stateless reset")

// read takes one echo. TCP's come in order and whole, or the connection is broken.
func (c *Conn) read() error {
	if c.Protocol == TCP {
		var message [messageBytes]byte
		if _, err := io.ReadFull(c.socket, message[:]); err != nil {
			return err
		}
		if got := binary.BigEndian.Uint64(message[:]); got != c.echoed+1 {
			return fmt.Errorf("echo %d after %d: these are not this connection's bytes", got, c.echoed)
		}
		c.echoed++
		return nil
	}
	var datagram [2048]byte
	n, err := c.socket.Read(datagram[:])
	if err != nil {
		return err
	}
	p, err := decode(datagram[:n])
	switch {
	case err != nil:
		return err
	case p.id != c.id:
		return errForm
	case p.reset:
		return errReset
	}
	return nil
}

func (c *Conn) send() {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for range ticker.C {
		if c.over() {
			return
		}
		if err := c.write(false); err != nil && (c.Protocol == TCP || errors.Is(err, net.ErrClosed)) {
			c.end(err)
			return
		}
	}
}

func (c *Conn) receive() {
	for {
		err := c.read()
		if c.Protocol == QUIC && errors.Is(err, syscall.ECONNREFUSED) {
			continue // RFC 9000 section 14.2.1: ICMP alone ends nothing
		}
		if err != nil {
			c.end(err)
			return
		}
		c.mu.Lock()
		c.answered = time.Now()
		c.mu.Unlock()
	}
}

func (c *Conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why != nil
}

func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		c.why, c.ended = why, time.Now()
	}
}

// Fate says how the connection is: Alive if an echo came within the last patience,
// and since when it isn't (zero where it is), and why.
func (c *Conn) Fate(patience time.Duration) (fate string, since time.Time, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.why != nil:
		return Reset, c.ended, c.why
	case time.Since(c.answered) > patience:
		return Silent, c.answered, nil
	}
	return Alive, time.Time{}, nil
}

// Transmissions are when the next two packets are sent if nothing comes meanwhile:
// messages, or with TCP what waits for an answer, as often as RFC 6298 says.
func (c *Conn) Transmissions() (next, second time.Time, err error) {
	soon := time.Now().Add(c.interval)
	socket, ok := c.socket.(syscall.Conn)
	if !ok || c.Protocol != TCP {
		return soon, soon.Add(c.interval), nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return soon, soon, err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err := errors.Join(err, failed); err != nil || info.Unacked == 0 {
		return soon, soon.Add(c.interval), err
	}
	timeout := time.Duration(info.Rto) * time.Microsecond
	next = time.Now().Add(timeout - time.Duration(info.Last_data_sent)*time.Millisecond)
	if now := time.Now(); next.Before(now) {
		next = now
	}
	return next, next.Add(2 * timeout), nil // section 5.5: it doubles
}

// Close ends the connection. Its fate is no longer to be asked.
func (c *Conn) Close() {
	c.end(net.ErrClosed)
	_ = c.socket.Close()
}
