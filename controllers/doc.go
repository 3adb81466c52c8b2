// Package controllers holds the reconcilers, one per file: those of the manager
// (pools, peers, advertisements, Services) and those of the agent (node, report).
//
// Stage: around all stages. Input: API objects and, in the agent, the reloader's
// report. The reconcilers are numbered steps that call the pure parts
// (allocator, snapshot, compile, status). Output: in the manager the addresses,
// conditions and events of Services, the status of IPAddressPools, BGPPeers and
// BGPAdvertisements, and the removal of BGPNodes and BGPSessions whose Node or
// peer is gone, the DaemonSets of the Herald object and its status; in the agent frr.conf in the exchange directory, its node's
// BGPNode and BGPSessions. They write only if something has changed. The manager
// never reads a Secret; neither ever speaks to FRR.
package controllers
