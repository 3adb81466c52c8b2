// Package snippet is what agent and reloader agree on about extra FRR
// configuration (the Kind FRRSnippet): how it stands in frr.conf, and which
// commands it may hold.
//
// Check is the one list of rules. The agent asks it about what a user wrote, so
// that a mistake is told with its line at once; the reloader asks it again about
// what FRR printed back, where nothing is abbreviated. It is pure and knows FRR's
// words, not their meaning: what a snippet does to the base is package trial's to
// find out.
package snippet
