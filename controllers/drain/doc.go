// Package drain is the state machine of a node's drain: what it does with its
// routes next, and whether it may be shut down.
//
// Stage: before compile, whose input is the stage. State.Next and State.Judge are
// pure: the time and everything else that is known come in as a Moment or as Facts.
// The Keeper holds the State and keeps it in the exchange directory, so that the
// next agent goes on where this one ended, and announces nothing anew meanwhile.
package drain
