package gates

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// proxyHealthPort is kube-proxy's default --healthz-bind-address port.
	proxyHealthPort = 10256
	// answerTimeout bounds one question. It must leave room for several within
	// SilenceTimeout.
	answerTimeout = 500 * time.Millisecond
)

// HTTPProber asks kube-proxy, or whatever takes its place, over HTTP on the
// node's own addresses.
type HTTPProber struct {
	// NodeAddresses gives the node's InternalIPs. They are asked beside the
	// loopback addresses: kube-proxy's nodePortAddresses may leave these out.
	NodeAddresses func() []netip.Addr
	// HostAddresses gives all others of the node. They are asked for a Service that
	// nobody answers for at the former: nodePortAddresses may be theirs. Nil: none.
	HostAddresses func() []netip.Addr
	// ProxyPort is that of kube-proxy's /healthz; 0: the default, 10256.
	ProxyPort uint16
	// Client; nil: one of its own, without kept connections and without proxy.
	Client *http.Client
}

var defaultClient = &http.Client{
	Timeout: answerTimeout,
	// No proxy of the environment, no redirects, no connection kept open.
	Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: answerTimeout}).DialContext,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Cluster asks kube-proxy's /healthz.
func (p *HTTPProber) Cluster(ctx context.Context) Answer {
	port := p.ProxyPort
	if port == 0 {
		port = proxyHealthPort
	}
	return p.ask(ctx, p.addresses(), port, "/healthz")
}

// Local asks a healthCheckNodePort. Nobody answers on port 0.
func (p *HTTPProber) Local(ctx context.Context, port uint16) Answer {
	if port == 0 {
		return Silent
	}
	answer := p.ask(ctx, p.addresses(), port, "/")
	if answer == Silent && p.HostAddresses != nil {
		answer = p.ask(ctx, p.HostAddresses(), port, "/")
	}
	return answer
}

// ask asks on all addresses at once and takes the best answer.
func (p *HTTPProber) ask(ctx context.Context, addresses []netip.Addr, port uint16, path string) Answer {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	results := make(chan Answer, len(addresses))
	for _, address := range addresses {
		go func() { results <- p.get(ctx, address, port, path) }()
	}
	best := Silent
	for range addresses {
		if best = max(best, <-results); best == Ready {
			break
		}
	}
	return best
}

func (p *HTTPProber) addresses() []netip.Addr {
	addresses := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if p.NodeAddresses != nil {
		addresses = append(addresses, p.NodeAddresses()...)
	}
	return slices.Compact(addresses)
}

func (p *HTTPProber) get(ctx context.Context, address netip.Addr, port uint16, path string) Answer {
	url := "http://" + net.JoinHostPort(address.String(), strconv.Itoa(int(port))) + path
	var accepted atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { accepted.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Silent
	}
	client := p.Client
	if client == nil {
		client = defaultClient
	}
	response, err := client.Do(request)
	if err != nil && accepted.Load() && os.IsTimeout(err) {
		return NotReady // somebody is there, and too busy
	}
	if err != nil {
		return Silent
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return Ready
	}
	return NotReady
}
