// Package vty speaks to an FRR daemon over its vty socket, as vtysh does.
//
// Stage: apply and observe. Input: a command line. Output: what the daemon
// printed, or a CommandError with the status it gave. Protocol: the command
// and a NUL go out; the answer ends with three NULs and a status byte, 0 for
// success, for failed commands too, so both are always read. Everything has a
// deadline.
//
// A Conn that broke stays broken: the daemon behind the path may be another
// one by now, so its owner has to dial again and look at what runs before it
// writes. It never reconnects by itself, and no password leaves it in an error.
package vty
