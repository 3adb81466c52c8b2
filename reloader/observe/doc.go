// Package observe looks at FRR twice a second: which daemons answer, which
// version runs, and the state of each BGP session.
//
// Stage: observe. Input: the vty sockets. Output: report.FRR and
// report.Session, and a note when a daemon is another process than before. It
// only shows, never configures, and never asks for the routing table.
package observe
