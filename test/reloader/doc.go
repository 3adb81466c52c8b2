// Package reloader tests the reloader and FRR's start script as they run on a
// node: real FRR of both supported releases under watchfrr in one container,
// the reloader's binary in another, the exchange directory between test and
// reloader, and a real router at the other end of a cable as the witness.
package reloader
