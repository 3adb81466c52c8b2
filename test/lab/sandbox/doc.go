// Package sandbox runs processes in Linux namespaces of their own, so that a
// test can have many hosts on one machine and none of it outlives the test.
//
// Input: a Spec (root filesystem, mounts, which namespaces are new and which
// are another box's). Output: a Box, held by its PID 1, in which commands are
// started and whose network can be entered.
//
// Nothing survives the process that started a Box, however it ends: PID 1 of
// each box asks the kernel to be killed with its starter (PR_SET_PDEATHSIG), its
// death kills every process of its PID namespace, and mounts and interfaces
// live only in namespaces that processes hold. There are no named network
// namespaces, no mounts on the host, no bridges on the host.
//
// PID 1 is the running executable itself, started again under another name:
// importing this package is all it takes.
//
// It never changes the host's mounts, interfaces, sysctls or packages.
package sandbox
