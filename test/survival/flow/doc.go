// Package flow is long-lived traffic whose every connection can tell whether it
// survived: TCP connections that always have data in flight, and UDP connections
// whose packets look like QUIC's (RFC 8999, RFC 9000 section 17) as far as anybody
// on the way can see: a long header begins one, short headers go on with it, and a
// server that doesn't know the connection says so (a stateless reset, section 10.3).
//
// Nothing here knows of nodes, routers or Herald.
package flow
