// Package snapshot holds what one node's configuration is compiled from.
//
// Stage: snapshot. Input: API objects (by Store, event by event) and what only
// the node can know (Gates, Applied, Host). Output: an immutable Snapshot. It
// never decides anything and never writes.
//
// Objects in a Snapshot are shared with the Store and with other Snapshots: they
// are replaced, never changed.
package snapshot
