package flow

import (
	"io"
	"net"
	"sync"
)

// Serve answers TCP connections and QUIC-like ones on a port, of both families,
// until one of the sockets fails.
func Serve(port string) error {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	packets, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		_ = listener.Close()
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- serveTCP(listener) }()
	go func() { failed <- serveQUIC(packets) }()
	return <-failed
}

// serveTCP sends back what it gets.
func serveTCP(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(conn, conn) // the client's end tells how it ended
			_ = conn.Close()
		}()
	}
}

// serveQUIC answers packets of the connections that began here, and says of others
// that it doesn't know them.
func serveQUIC(socket net.PacketConn) error {
	var mu sync.Mutex
	known := map[[idBytes]byte]bool{}
	buf := make([]byte, 2048)
	for {
		n, from, err := socket.ReadFrom(buf)
		if err != nil {
			return err
		}
		p, err := decode(buf[:n])
		if err != nil {
			continue
		}
		mu.Lock()
		if p.long {
			known[p.id] = true
		}
		answer := packet{id: p.id, number: p.number, reset: !known[p.id]}
		mu.Unlock()
		if _, err := socket.WriteTo(answer.encode(), from); err != nil {
			continue // it has gone
		}
	}
}
