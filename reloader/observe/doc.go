// Package observe looks at FRR twice a second: which daemons answer, which
// version runs, and the state of each BGP session. Most looks are a glance: bgpd is
// asked for all that it knows of its neighbors where a summary shows a change, and
// every 3 s.
//
// Stage: observe. Input: the vty sockets. Output: report.FRR and
// report.Session, and a note when a daemon is another process than before. It
// only shows, never configures, and never asks for the routing table.
package observe
