package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/test/lab"
)

var _ = Describe("Nodes", func() {
	It("N3 heartbeats and labels that nobody selects by cause no write and no apply; a label that is selected by does", func(ctx SpecContext) {
		const selected = "scenario.example/announces"
		adv := lab.Advertisement("selected")
		adv.Spec.NodeSelectors = []metav1.LabelSelector{{MatchLabels: map[string]string{selected: "yes"}}}
		label(ctx, "node1", selected, "yes")
		create(ctx, lab.Pool("public", block4), adv)
		podOn(ctx, "node1", "web")
		svc := lab.Service("web")
		create(ctx, svc)
		addr := addressOf(ctx, svc)
		expectEverywhere(ctx, addr, "node1")
		settled(ctx)
		wires := captures()
		before, err := writesOf(ctx)
		Expect(err).NotTo(HaveOccurred())

		for i := range 10 {
			for _, name := range allNodes {
				heartbeat(ctx, name)
				label(ctx, name, "scenario.example/unrelated", fmt.Sprint(i))
			}
		}
		Consistently(ctx, writesOf).WithArguments(ctx).Should(Equal(before))
		for name, c := range wires {
			Expect(messages(c, updates)).To(BeEmpty(), "updates that reached %s", name)
		}

		label(ctx, "node2", selected, "yes")
		expectEverywhere(ctx, addr, "node1", "node2")
		label(ctx, "node1", selected, "")
		expectEverywhere(ctx, addr, "node2")
	}, SpecTimeout(specTimeout))
})

// label sets a label of a Node until the end of the spec; an empty value removes
// it.
func label(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	Expect(site.LabelNode(ctx, name, map[string]string{key: value})).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(site.LabelNode(ctx, name, map[string]string{key: ""})).To(Succeed())
	})
}

// heartbeat writes a Node's status as a kubelet does.
func heartbeat(ctx context.Context, name string) {
	GinkgoHelper()
	var obj corev1.Node
	Expect(site.API().Get(ctx, crclient.ObjectKey{Name: name}, &obj)).To(Succeed())
	before := obj.DeepCopy()
	for i := range obj.Status.Conditions {
		// Whole seconds are what the API keeps.
		obj.Status.Conditions[i].LastHeartbeatTime = metav1.NewTime(obj.Status.Conditions[i].LastHeartbeatTime.Add(time.Second))
	}
	Expect(site.API().Status().Patch(ctx, &obj, crclient.MergeFrom(before))).To(Succeed())
}

// nodeWrites is what a node did last.
type nodeWrites struct {
	ConfigWritten time.Time // frr.conf in the exchange directory
	Applied       time.Time
}

// writesOf all nodes.
func writesOf(context.Context) (map[string]nodeWrites, error) {
	all := map[string]nodeWrites{}
	for _, n := range site.Nodes() {
		info, err := os.Stat(filepath.Join(n.ExchangeDir(), exchange.ConfigFile))
		if err != nil {
			return nil, err
		}
		last, err := lastApply(n.Name())
		if err != nil {
			return nil, err
		}
		all[n.Name()] = nodeWrites{ConfigWritten: info.ModTime(), Applied: last.Time}
	}
	return all, nil
}
