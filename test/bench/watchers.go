package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/herald-lb/herald/test/lab"
)

// watched is what an agent watches, and with which selector ("NODE" is its node).
var watched = []struct{ path, selector, value string }{
	{"/api/v1/services", "fieldSelector", "spec.type=LoadBalancer"},
	{"/apis/discovery.k8s.io/v1/endpointslices", "labelSelector", "kubernetes.io/service-name,!service.kubernetes.io/headless"},
	{"/api/v1/namespaces", "", ""},
	{"/api/v1/nodes", "fieldSelector", "metadata.name=NODE"},
	{"/api/v1/namespaces/" + lab.SecretsNamespace + "/secrets", "", ""},
	{heraldAPI + "bgppeers", "", ""},
	{heraldAPI + "bgpadvertisements", "", ""},
	{heraldAPI + "ipaddresspools", "", ""},
	{heraldAPI + "communities", "", ""},
	{heraldAPI + "bfdprofiles", "", ""},
	{heraldAPI + "flowpolicies", "", ""},
	{heraldAPI + "frrsnippets", "", ""},
	{heraldAPI + "heralds", "", ""},
	{heraldAPI + "bgpnodes", "fieldSelector", "metadata.name=NODE"},
	{heraldAPI + "bgpsessions", "fieldSelector", "spec.node=NODE"},
}

const heraldAPI = "/apis/" + apiGroupVersion + "/"

// nodesEachConnection share a client, and so its connections: a real agent has one.
const nodesEachConnection = 10

// watchers are the raw watches of agents that don't run: the API server does for
// them what it would, and nobody keeps what it sends.
type watchers struct {
	config  *rest.Config
	stop    context.CancelFunc
	running sync.WaitGroup
	// open watches, and bytes and events that they were sent.
	open          int
	bytes, events atomic.Int64

	mu sync.Mutex
	// token is looked for in EndpointSlices; seen by how many, all tells the last.
	token []byte
	seen  int
	all   chan struct{}
	nodes int
}

// startWatchers opens the watches of these nodes, from a version of the API on. It
// ends with those that could be opened.
func startWatchers(ctx context.Context, config *rest.Config, version string, nodes []string) (*watchers, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &watchers{config: config, stop: stop, nodes: len(nodes)}
	var client *http.Client
	for i, node := range nodes {
		if i%nodesEachConnection == 0 {
			var err error
			if client, err = ownClient(config); err != nil {
				return w, err
			}
		}
		for _, what := range watched {
			query := url.Values{"watch": {"true"}, "resourceVersion": {version}}
			if what.selector != "" {
				query.Set(what.selector, string(bytes.ReplaceAll([]byte(what.value), []byte("NODE"), []byte(node))))
			}
			body, err := openWatch(ctx, client, config.Host+what.path+"?"+query.Encode())
			if err != nil {
				return w, fmt.Errorf("watch %d: %w", w.open+1, err)
			}
			w.open++
			w.running.Go(func() { w.read(body, what.path == slicesPath) })
		}
	}
	return w, nil
}

const slicesPath = "/apis/discovery.k8s.io/v1/endpointslices"

// ownClient shares its connections with no other.
func ownClient(config *rest.Config) (*http.Client, error) {
	own := rest.CopyConfig(config)
	dial := own.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	own.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, network, address)
	}
	return rest.HTTPClientFor(own)
}

// openWatch asks as agents do: for protobuf, where there is any.
func openWatch(ctx context.Context, client *http.Client, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch, application/json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
		return nil, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return answer.Body, nil
}

// read until the watch ends. EndpointSlices come in frames of protobuf, each behind
// its length.
func (w *watchers) read(body io.ReadCloser, slices bool) {
	defer body.Close()
	if !slices {
		n, _ := io.Copy(io.Discard, body)
		w.bytes.Add(n)
		return
	}
	reader := bufio.NewReader(body)
	var length [4]byte
	for {
		if _, err := io.ReadFull(reader, length[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(reader, frame); err != nil {
			return
		}
		w.bytes.Add(int64(len(frame)))
		w.events.Add(1)
		w.look(frame)
	}
}

func (w *watchers) look(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.token) == 0 || !bytes.Contains(frame, w.token) {
		return
	}
	if w.seen++; w.seen == w.nodes {
		close(w.all)
	}
}

// expect a token in an EndpointSlice; what is returned is closed when every node's
// watch has had it.
func (w *watchers) expect(token string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token, w.seen, w.all = []byte(token), 0, make(chan struct{})
	return w.all
}

func (w *watchers) close() {
	w.stop()
	w.running.Wait()
}
