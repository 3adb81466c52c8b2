package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"
)

// dependence is why a connection can't do without a node.
type dependence int

const (
	// byState: the node has the connection's state (conntrack, kube-proxy's choice).
	byState dependence = iota + 1
	// byPod: another node has it, and the pod is on this one.
	byPod
)

// dependents are the client's ends of the connections that can't do without a node.
func (s *site) dependents(ctx context.Context, node string) (map[string]dependence, error) {
	pods, err := s.podAddresses(ctx, node)
	if err != nil {
		return nil, err
	}
	ends := map[string]dependence{}
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
				client, server := endsOf(line)
				switch {
				case client == "":
				case n.Name() == node:
					ends[client] = byState
				case slices.Contains(pods, server) && ends[client] == 0:
					ends[client] = byPod
				}
			}
		}
	}
	return ends, nil
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

// endsOf a line of conntrack -L: the client's as net.Addr prints it, and the address
// that answers. A line of something else has none.
func endsOf(line string) (client, server string) {
	var source, sourcePort string
	for field := range strings.FieldsSeq(line) {
		if value, ok := strings.CutPrefix(field, "src="); ok {
			if source == "" {
				source = value
			} else {
				server = value
			}
		}
		if value, ok := strings.CutPrefix(field, "sport="); ok && sourcePort == "" {
			sourcePort = value
		}
	}
	if source == "" || sourcePort == "" {
		return "", ""
	}
	if strings.Contains(source, ":") {
		source = "[" + source + "]"
	}
	return source + ":" + sourcePort, server
}
