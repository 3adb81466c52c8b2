package scenarios

import (
	"fmt"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/node"
)

var _ = Describe("A burst", func() {
	// The agents stand still while the API server takes the changes, so that these come at
	// once however fast the machine is.
	It("R3 hundreds of changes in a burst are few applies, and the last state wins", func(ctx SpecContext) {
		const changes, few = 300, 10
		addr := announced(ctx, "web")
		steady(ctx, addr)
		count := appliesOfAll()
		all := lab.Advertisement("all")
		community := func(i int) v1alpha1.CommunityValue { return v1alpha1.CommunityValue(fmt.Sprintf("64512:%d", i)) }
		for _, name := range allNodes {
			agent := site.Node(name).Container(node.Agent).Process()
			agent.Signal(syscall.SIGSTOP)
			defer agent.Signal(syscall.SIGCONT) // where the spec fails meanwhile
		}
		for i := range changes {
			update(ctx, all, func(a *v1alpha1.BGPAdvertisement) { a.Spec.Communities = []v1alpha1.CommunityValue{community(i + 1)} })
		}
		for _, name := range allNodes {
			site.Node(name).Container(node.Agent).Process().Signal(syscall.SIGCONT)
		}
		for _, r := range site.Routers() {
			Eventually(ctx, communitiesAt).WithArguments(ctx, r.Config().Name, addr).Should(Equal(sameFromAll([]string{string(community(changes))})))
		}
		for name, was := range count {
			Expect(applies(name)-was).To(And(BeNumerically(">", 0), BeNumerically("<=", few)), name)
		}
		expectNoReset(ctx)
	}, SpecTimeout(specTimeout))
})
