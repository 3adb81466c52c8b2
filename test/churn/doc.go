// Package churn does to a site of the lab whatever people, clusters and disks do,
// in random order, and asks the routers after each round whether nothing was lost.
//
// Input: a seed. Output: a list of steps, and what is wrong after them. steps.go
// lists all steps. After each round of some steps, without waiting between them,
//
//   - every router holds exactly the routes, with their attributes, that an
//     independent reading of the API objects says (oracle.go, which uses nothing
//     of controllers/compile);
//   - every session that no step touched is the one that it was (sessions.go);
//   - addresses are given as the checker of test/model says;
//   - every node says that it runs what it should.
//
// In the end everything is removed, and no process has more open files, sockets or
// goroutines than it began with, and no password is found anywhere (leaks.go,
// secrecy.go).
//
// The steps are drawn from the seed and from what earlier steps made, never from
// what the cluster answers, so that a failed run can be replayed:
//
//	make churn SEED=7 STEPS=42
//
// How the steps fall on what Herald does meanwhile isn't replayed: that is up to the
// machine.
package churn
