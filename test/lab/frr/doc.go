// Package frr runs real FRR daemons in a box of their own, from the root
// filesystems that `make thirdparty` builds: for tests that need an FRR to
// speak to, and as the routers and nodes of the lab.
//
// Input: a release and options. Output: an Instance with zebra, bgpd, bfdd and
// staticd (and mgmtd from 10 on) answering on their vty sockets.
//
// It installs nothing on the host and leaves nothing behind (see package
// sandbox).
package frr
