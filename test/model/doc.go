// Package model holds the model test of allocation: random operations, and a
// checker that says what must not be.
//
// Input: Services and IPAddressPools as they stand in the API. Output: what is
// wrong with them. The checker reads nothing but these objects and uses nothing of
// the allocator: it tries every address of every pool, which only small pools
// allow. The operations are drawn from a seed, so that a failure can be replayed:
//
//	go test ./test/model -args -model.seed=7 -model.steps=20000
package model
