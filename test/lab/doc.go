// Package lab brings up a whole site on one machine: the real API server, nodes
// with FRR, Herald and kube-proxy, routers of three makes and a client, all in
// network namespaces. Demo, scenarios and benchmarks share it.
//
//	client ─── tor-a (FRR) ──┐
//	   └────── tor-b (BIRD) ─┤ switch ── node1 … nodeN, control plane
//	           tor-c (GoBGP)─┘
//
// The lab plays kubelet, scheduler and endpointslice controller: it writes Nodes
// and EndpointSlices, so that a scenario decides what they say and when. What it
// checks it asks of the routers and kernels, and counts that (Reads).
//
// It takes itself down whatever happens (package sandbox); several labs may run
// at once. It needs root and the parts of `make thirdparty`.
package lab
