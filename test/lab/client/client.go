// Package client is the lab's user: a host behind the routers that opens
// connections to a Service and tells who answered.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/wait"
)

// Client opens connections from a box.
type Client struct{ box *sandbox.Box }

// New makes a client of a box.
func New(box *sandbox.Box) *Client { return &Client{box: box} }

// Box is where the client runs.
func (c *Client) Box() *sandbox.Box { return c.box }

// Answer is what an echo pod says.
type Answer struct {
	// Pod and Node that answered.
	Pod  string `json:"pod"`
	Node string `json:"node"`
	// Client is the source address and port that the pod saw.
	Client string `json:"client"`
}

// Spread is the outcome of several connections.
type Spread struct {
	Answers []Answer
	Errors  []error
}

// ByNode counts the answers by the pod's node.
func (s *Spread) ByNode() map[string]int {
	return s.count(func(a Answer) string { return a.Node })
}

// ByPod counts the answers by pod.
func (s *Spread) ByPod() map[string]int {
	return s.count(func(a Answer) string { return a.Pod })
}

// BySource counts the answers by the source address that the pod saw: with
// externalTrafficPolicy Cluster that is the node which took the connection in.
func (s *Spread) BySource() map[netip.Addr]int {
	n := map[netip.Addr]int{}
	for _, a := range s.Answers {
		if from, err := netip.ParseAddrPort(a.Client); err == nil {
			n[from.Addr().Unmap()]++
		}
	}
	return n
}

func (s *Spread) count(key func(Answer) string) map[string]int {
	n := map[string]int{}
	for _, a := range s.Answers {
		n[key(a)]++
	}
	return n
}

// Get opens one connection from the source address (the zero Addr: the
// kernel's choice) and returns the answer.
func (c *Client) Get(ctx context.Context, from netip.Addr, to netip.AddrPort) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait.Connection)
	defer cancel()
	dialer := &net.Dialer{}
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var conn net.Conn
			err := c.box.InNetwork(func() error {
				var err error
				conn, err = dialer.DialContext(ctx, network, address)
				return err
			})
			return conn, err
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String()+"/", nil)
	if err != nil {
		return Answer{}, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return Answer{}, fmt.Errorf("connection to %s: %w", to, err)
	}
	defer response.Body.Close()
	var answer Answer
	err = json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&answer)
	return answer, err
}

// parallel is how many connections are open at once.
const parallel = 10

// Open opens n connections, each from a port of its own, and returns who
// answered, sorted by node, pod and source.
func (c *Client) Open(ctx context.Context, n int, from netip.Addr, to netip.AddrPort) *Spread {
	var (
		mu     sync.Mutex
		spread Spread
		group  sync.WaitGroup
	)
	slots := make(chan struct{}, parallel)
	for range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			answer, err := c.Get(ctx, from, to)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				spread.Errors = append(spread.Errors, err)
				return
			}
			spread.Answers = append(spread.Answers, answer)
		})
	}
	group.Wait()
	slices.SortFunc(spread.Answers, func(a, b Answer) int {
		return slices.Compare([]string{a.Node, a.Pod, a.Client}, []string{b.Node, b.Pod, b.Client})
	})
	return &spread
}
