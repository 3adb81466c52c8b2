// Package migrate turns the configuration of MetalLB and frr-k8s into Herald's.
//
// Stage: none, it serves "kubectl herald migrate". Input: objects of metallb.io and
// frrk8s.metallb.io, Secrets and Services, as they were read. Output: a Plan:
// Herald's objects, what has no equivalent and why, what to change on Services, and
// the steps of the cut-over. Their objects are read field by field: one that isn't
// known is told, never dropped silently. It never writes.
package migrate
