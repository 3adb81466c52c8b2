package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/survival/flow"
)

// dependence is why a connection can't do without a node.
type dependence int

const (
	// byState: the node has the connection's state (conntrack, kube-proxy's choice).
	byState dependence = iota + 1
	// byPod: another node has it, and the pod is on this one.
	byPod
)

// tuple is what tells a connection apart: a client's port may be that of several, to
// other addresses or by another protocol.
type tuple struct{ protocol, client, service string }

func (c *connection) tuple() tuple {
	return tuple{c.Protocol, c.Local.String(), c.Remote.String()}
}

// dependents are the connections that can't do without a node.
func (s *site) dependents(ctx context.Context, node string) (map[tuple]dependence, error) {
	pods, err := s.podAddresses(ctx, node)
	if err != nil {
		return nil, err
	}
	all := map[tuple]dependence{}
	for _, n := range s.cluster.Nodes() {
		if n.Box() == nil { // without power
			continue
		}
		for _, family := range []string{"ipv4", "ipv6"} {
			out, err := n.Box().Run(ctx, "conntrack", "-L", "-f", family)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n.Name(), err)
			}
			for line := range strings.Lines(out) {
				t, server := connectionOf(line)
				switch {
				case t == tuple{}:
				case n.Name() == node:
					all[t] = byState
				case slices.Contains(pods, server) && all[t] == 0:
					all[t] = byPod
				}
			}
		}
	}
	return all, nil
}

// podAddresses are those of the workload's pods on a node.
func (s *site) podAddresses(ctx context.Context, node string) ([]string, error) {
	pods, err := s.pods(ctx)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for i := range pods {
		if pods[i].Spec.NodeName != node {
			continue
		}
		for _, ip := range pods[i].Status.PodIPs {
			addresses = append(addresses, ip.IP)
		}
	}
	return addresses, nil
}

// pods are those of the workload, that end as well.
func (s *site) pods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := s.cluster.API().List(ctx, &list, crclient.InNamespace("default"), crclient.MatchingLabels{"app": "flows"})
	return list.Items, err
}

// connectionOf a line of conntrack -L, and the address that answers it. A line of
// something else has none.
func connectionOf(line string) (t tuple, server string) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return t, ""
	}
	values := map[string][]string{} // of both directions, the client's first
	for _, field := range fields {
		if name, value, ok := strings.Cut(field, "="); ok {
			values[name] = append(values[name], value)
		}
	}
	protocol := map[string]string{"tcp": flow.TCP, "udp": flow.QUIC}[fields[0]]
	if protocol == "" || len(values["src"]) != 2 || len(values["dst"]) != 2 || len(values["sport"]) != 2 || len(values["dport"]) != 2 {
		return t, ""
	}
	return tuple{
		protocol,
		net.JoinHostPort(values["src"][0], values["sport"][0]),
		net.JoinHostPort(values["dst"][0], values["dport"][0]),
	}, values["src"][1]
}
