package flow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-lb/herald/test/lab/wait"
)

func TestPackets(t *testing.T) {
	for name, want := range map[string]packet{
		"begins":       {long: true, id: [idBytes]byte{0, 1, 2}, number: 7},
		"goes on":      {id: [idBytes]byte{0, 1, 2}, number: 1 << 40},
		"is not known": {reset: true, id: [idBytes]byte{0, 9}},
	} {
		got, err := decode(want.encode())
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(packet{})); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if _, err := decode(want.encode()[:5]); err == nil {
			t.Errorf("%s: a part of it is taken", name)
		}
	}
}

const (
	pace     = 5 * time.Millisecond
	patience = 500 * time.Millisecond
	deadline = 20 * time.Second
)

func to(address string) Dial {
	return func(ctx context.Context, network string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func open(t *testing.T, protocol, address string) *Conn {
	t.Helper()
	c, err := Open(t.Context(), protocol, pace, to(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// comesTo waits until the connection has a fate.
func comesTo(t *testing.T, c *Conn, want string) (since time.Time, why error) {
	t.Helper()
	err := wait.Until(t.Context(), "the connection is "+want, deadline, func(context.Context) (bool, error) {
		var fate string
		fate, since, why = c.Fate(patience)
		return fate == want, fmt.Errorf("it is %s (%w)", fate, why)
	})
	if err != nil {
		t.Fatal(err)
	}
	return since, why
}

func TestTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			accepted <- conn
		}
	}()
	relay, server := net.Pipe() // what the server would have answered, held in the hand
	go serveTCP(&single{conn: server})
	goOn := make(chan struct{})
	go func() {
		conn := <-accepted
		go pump(conn, relay, nil)
		pump(relay, conn, goOn)
	}()
	c := open(t, TCP, listener.Addr().String())
	comesTo(t, c, Alive)
	close(goOn)
	since, _ := comesTo(t, c, Silent)
	if time.Since(since) < patience {
		t.Errorf("silent since %s, which is less than patience", since)
	}
	listener.Close()
	relay.Close()
}

// pump copies until stop is closed, and then swallows.
func pump(from, to net.Conn, stop chan struct{}) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			to.Close()
			return
		}
		select {
		case <-stop:
			continue
		default:
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// single is a listener of one connection.
type single struct{ conn net.Conn }

func (s *single) Accept() (net.Conn, error) {
	if s.conn == nil {
		return nil, net.ErrClosed
	}
	conn := s.conn
	s.conn = nil
	return conn, nil
}
func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return nil }

func TestTCPIsToldOfAReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conns := make(chan *net.TCPConn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		conns <- conn.(*net.TCPConn)
		_ = serveTCP(&single{conn: conn})
	}()
	c := open(t, TCP, listener.Addr().String())
	comesTo(t, c, Alive)
	server := <-conns
	if err := server.SetLinger(0); err != nil { // a RST, not a FIN
		t.Fatal(err)
	}
	server.Close()
	if _, why := comesTo(t, c, Reset); why == nil {
		t.Error("nobody says why")
	}
}

func TestQUICIsToldByAServerThatDoesNotKnowIt(t *testing.T) {
	first, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serveQUIC(first)
	c := open(t, QUIC, first.LocalAddr().String())
	comesTo(t, c, Alive)
	address := first.LocalAddr().String()
	first.Close()
	second, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	go serveQUIC(second)
	// Between the two the port may have refused a packet, which ends it as well.
	if _, why := comesTo(t, c, Reset); why == nil {
		t.Error("nobody says why")
	}
	stranger, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Write(packet{id: [idBytes]byte{0, 5}, number: 3}.encode()); err != nil {
		t.Fatal(err)
	}
	lost := &Conn{Protocol: QUIC, socket: stranger, id: [idBytes]byte{0, 5}}
	_ = stranger.SetReadDeadline(time.Now().Add(deadline))
	if err := lost.read(); !errors.Is(err, errReset) {
		t.Errorf("a connection that never began: %v", err)
	}
}
