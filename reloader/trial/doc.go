// Package trial finds out what extra FRR configuration does, without touching
// the node's FRR: it loads the base and one snippet after the other into scratch
// daemons and reads back what they print.
//
// Stage: before plan. Input: a Job, the skeleton of the base and the snippets.
// Output: an Outcome for each snippet: what FRR printed more than before
// (Additions), or why it is refused, in FRR's words. Only additions ever reach
// the node's FRR, never the text that a user wrote.
//
// The daemons are those of this image, in network and process namespaces of
// their own and a directory of their own. The first process there is this program
// again (Main): the kernel ends all when it ends, and it ends with the reloader.
//
// A snippet is refused if a line is refused, if any line that was printed before
// it is not printed any more, or if it adds what is Herald's own; the others are
// tried all the same.
package trial
