// Command echo is the lab's pod: it says which pod and node answered.
//
// On every port it answers HTTP (GET / → one JSON line) over IPv4 and IPv6, and
// UDP datagrams with the same line. With -flows it serves long-lived traffic too.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/herald-lb/herald/test/survival/flow"
)

// Answer is what a client reads.
type Answer struct {
	Pod    string `json:"pod"`
	Node   string `json:"node"`
	Client string `json:"client"`
}

func main() {
	pod := flag.String("pod", "", "name of the pod")
	node := flag.String("node", "", "name of the node")
	ports := flag.String("ports", "8080", "ports to listen on, separated by commas")
	flows := flag.String("flows", "", "port to serve package flow's long-lived traffic on; empty: none")
	flag.Parse()
	answer := func(client string) []byte {
		line, _ := json.Marshal(Answer{Pod: *pod, Node: *node, Client: client}) // strings always marshal
		return append(line, '\n')
	}
	failed := make(chan error)
	if *flows != "" {
		signal.Ignore(syscall.SIGTERM) // it serves what it has until it is killed
		go func() { failed <- flow.Serve(*flows) }()
	}
	for port := range strings.SplitSeq(*ports, ",") {
		go func() { failed <- serveHTTP(port, answer) }()
		go func() { failed <- serveUDP(port, answer) }()
	}
	fmt.Fprintln(os.Stderr, "echo:", <-failed)
	os.Exit(1)
}

func serveHTTP(port string, answer func(string) []byte) error {
	return http.ListenAndServe(":"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(answer(r.RemoteAddr)) // the client is gone: nobody to tell
	}))
}

func serveUDP(port string, answer func(string) []byte) error {
	conn, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	buf := make([]byte, 2048)
	for {
		_, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(answer(from.String()), from); err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
		}
	}
}
