// Package impact says how many connections a change of the set of nodes breaks.
//
// Stage: none, it serves kubectl herald. Input: how many connections each node has,
// and a change. Output: expected numbers. It is pure, and knows nothing of routers but
// how they hash.
package impact

import "math"

// Hash is how a router chooses a next hop.
type Hash string

// The hashes.
const (
	// Modulo is the hash modulo the number of next hops: any change moves most.
	Modulo Hash = "modulo"
	// Threshold gives each next hop an equal, contiguous part of the hash's range
	// (RFC 2992), as Linux does.
	Threshold Hash = "threshold"
	// Resilient gives each next hop buckets, and moves only those that must.
	Resilient Hash = "resilient"
)

// Hashes are all of them, the worst first.
var Hashes = []Hash{Modulo, Threshold, Resilient}

// Change of the set of nodes: either a node goes, by its index, or Add come behind the
// last.
type Change struct {
	Remove int
	Add    int
}

// Broken is how many connections are expected to break without flow preservation: those
// that another node gets. Connections by node are in the order of the router's next
// hops. A connection stays with the probability that a hash which chose its node before
// chooses it again.
func Broken(hash Hash, connections []int64, change Change) int64 {
	n := len(connections)
	broken := 0.0
	for i, count := range connections {
		broken += float64(count) * (1 - stays(hash, n, i, change))
	}
	return int64(math.Round(broken))
}

// stays is the probability for a connection of the node of an index.
func stays(hash Hash, n, i int, change Change) float64 {
	after, next := n+change.Add, i
	if change.Add == 0 {
		switch {
		case i == change.Remove:
			return 0
		case i > change.Remove:
			next--
		}
		after = n - 1
	}
	switch hash {
	case Modulo:
		return staysModulo(n, after, i, next)
	case Threshold:
		return overlap(n, after, i, next)
	default:
		if change.Add > 0 {
			return float64(n) / float64(after)
		}
		return 1
	}
}

// staysModulo: of the lcm(n, after) residues that a hash can have of both, at most one
// is that of the node before and after (the Chinese remainder theorem), of the
// lcm(n, after)/n that are its own before.
func staysModulo(n, after, i, next int) float64 {
	g := gcd(n, after)
	if i%g != next%g {
		return 0
	}
	return float64(g) / float64(after)
}

// overlap of the node's part of the range before with that after, of the former.
func overlap(n, after, i, next int) float64 {
	from := math.Max(float64(i)/float64(n), float64(next)/float64(after))
	to := math.Min(float64(i+1)/float64(n), float64(next+1)/float64(after))
	return math.Max(0, to-from) * float64(n)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
