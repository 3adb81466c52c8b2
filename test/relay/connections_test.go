package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// serve answers in a pod: TCP sends back what it gets.
func (s *site) serve(pod *sandbox.Box) {
	s.t.Helper()
	s.serveUDP(pod)
	must(s.t, pod.InNetwork(func() error {
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", servicePort))
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go answer(conn)
			}
		}()
		return nil
	}))
}

// discard, as the first byte of a connection, asks that nothing be sent back.
const discard = 0xff

func answer(conn net.Conn) {
	defer conn.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return
	}
	if first[0] == discard {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	if _, err := conn.Write(first); err == nil {
		_, _ = io.Copy(conn, conn)
	}
}

// crowd is connections with data in flight all the time.
type crowd struct {
	site  *site
	conns []*talk
}

// talk is one connection: it says numbers and wants them back.
type talk struct {
	conn   net.Conn
	rounds atomic.Int64
	mu     sync.Mutex
	broken error
	done   chan struct{}
}

// pause between two rounds of a connection.
const pause = 20 * time.Millisecond

// connect opens connections to the Service and keeps them talking.
func (s *site) connect(to netip.Addr, count int) *crowd {
	s.t.Helper()
	c := &crowd{site: s}
	for range count {
		ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
		conn, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(to, servicePort).String())
		cancel()
		must(s.t, err)
		t := &talk{conn: conn, done: make(chan struct{})}
		c.conns = append(c.conns, t)
		go t.run()
	}
	s.t.Cleanup(c.close)
	c.progress(1)
	return c
}

// patience is how long a connection may be silent before it counts as broken.
const patience = 8 * time.Second

func (t *talk) run() {
	defer close(t.done)
	say, hear := make([]byte, 64), make([]byte, 64)
	for n := uint64(1); ; n++ {
		binary.BigEndian.PutUint64(say, n)
		_ = t.conn.SetDeadline(time.Now().Add(patience))
		_, err := t.conn.Write(say)
		if err == nil {
			_, err = io.ReadFull(t.conn, hear)
		}
		if err == nil && string(say) != string(hear) {
			err = errors.New("other bytes came back")
		}
		if err != nil {
			t.mu.Lock()
			t.broken = err
			t.mu.Unlock()
			return
		}
		t.rounds.Add(1)
		time.Sleep(pause) // the load's pace, not a wait
	}
}

func (t *talk) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken
}

// progress waits until every connection has made rounds more, or is broken.
func (c *crowd) progress(rounds int64) {
	c.site.t.Helper()
	targets := make([]int64, len(c.conns))
	for i, t := range c.conns {
		targets[i] = t.rounds.Load() + rounds
	}
	must(c.site.t, wait.Until(context.Background(), "every connection goes on or breaks", 2*wait.Route, func(context.Context) (bool, error) {
		for i, t := range c.conns {
			if t.failure() == nil && t.rounds.Load() < targets[i] {
				return false, fmt.Errorf("connection %s stands still", t.conn.LocalAddr())
			}
		}
		return true, nil
	}))
}

// broken is how many are, with why.
func (c *crowd) broken() (int, string) {
	count, why := 0, map[string]int{}
	for _, t := range c.conns {
		if err := t.failure(); err != nil {
			count++
			text := err.Error()
			why[text[strings.LastIndex(text, ":")+1:]]++
		}
	}
	return count, fmt.Sprint(why)
}

func (c *crowd) close() {
	for _, t := range c.conns {
		t.conn.Close()
		<-t.done
	}
}

func indexAfter(text, word string) int { return max(strings.Index(text, word), 0) }
