// Package loop decides when something is done: a new file is applied at once, a
// burst behind it is coalesced, what FRR refused is tried again with back-off,
// drift is looked for every minute, and a new FRR is brought to what was applied.
//
// Input: the exchange directory and notes of the observer. Output: calls of
// package apply, one at a time, and the report. It knows no FRR syntax.
package loop
