// Package allocator decides which Service has which address.
//
// Stage: allocation, before compile, in the manager only. Input: the accepted
// pools and what each Service demands. Output: a Decision per Service, and the
// keys of the Services whose Decision another one's event has changed (a
// released address goes to the oldest Service that waits for it, and those that
// wait for something else cost nothing). It is pure and
// deterministic: no clock, no I/O; the same events in the same order give the
// same decisions, and a Rebuild gives the same ones in any order.
//
// It never reads or writes the API, never moves an address that is still in a
// pool unless its Service asks for another one, never gives one address to two
// Services that have no right to share it (nor one that may still stand in
// another one's status), and never touches addresses that it doesn't know to be
// Herald's.
//
// An address is found in time that does not grow with how many are taken: the
// free addresses of a pool are a tree of intervals, one per gap. A pool of 2^64
// addresses costs what a pool of one costs.
package allocator
