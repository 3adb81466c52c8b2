// Package pools reads the address blocks of IPAddressPools and says which of
// them can be used.
//
// Stage: before allocation and before compile, which both ask it. Input: all
// IPAddressPools. Output: a Set of accepted pools with their blocks, searchable
// by address, and the Issues of what is refused: malformed, reversed or reserved
// blocks, and blocks that overlap with those of an older pool. One bad block
// takes out itself, not its pool. It is pure and deterministic, and it never
// knows which addresses are in use.
package pools
