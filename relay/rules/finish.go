package rules

import "slices"

// What "again" becomes in the local stack isn't up to these rules: kube-proxy may send it
// to a pod that died with its node, until Kubernetes knows, or drop it where it has no
// endpoint. Nothing comes back then, and the client would wait for its own time-out. So
// the process sends a last segment ("finish") a little later, which is answered by a reset
// if nothing has answered "again".
//
// A pod's reset isn't seen as an answer: conntrack forgets at once what is answered by a
// reset first, as it forgets what is dropped. Its client gets another one of the same
// number, which is nothing to it any more.

// finishRules reset the client of a flow that "again" was let through of, that nobody has
// claimed since, and that conntrack has seen no answer for: againRules drop what is
// established. It is done once.
//
// The kernel makes the reset of the segment, as it is before destination NAT, so its source
// is the Service and its number what was acknowledged, and sends it with conntrack's entry
// of the segment as its answer. NAT makes of the answer what it is already.
func (t *table) finishRules() {
	if t.plan.Tell == nil {
		return
	}
	t.rule(chainFinish, t.flowKey(), notIn(t.sets[setTold]), drop())
	t.rule(chainFinish, t.flowKey(), change(t.sets[setTold], remove))
	if slices.ContainsFunc(t.plan.Tell.Reset, func(name Family) bool { return families[name] == t.family }) {
		t.rule(chainFinish, isProtocol(protoTCP), count(counterReset), reset())
	}
	t.rule(chainFinish, drop())
}
