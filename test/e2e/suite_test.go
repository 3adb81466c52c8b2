//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/herald-lb/herald/images/archive"
	"github.com/herald-lb/herald/test/attempts"
	"github.com/herald-lb/herald/test/cluster"
	"github.com/herald-lb/herald/test/lab/wait"
	"github.com/herald-lb/herald/test/lab/workdir"
)

// Timeouts of the suite; those of single steps are in package wait.
const (
	// bringUp bounds the cluster's start with all images built.
	bringUp = 6 * time.Minute
	// specTimeout bounds a spec.
	specTimeout = 4 * time.Minute
	// rollout bounds pods being replaced on all nodes, one after another.
	rollout = 2 * time.Minute
	// absence is how long something is watched that must not happen.
	absence = 3 * time.Second
)

// Versions of Herald that are installed, and then upgraded to.
const (
	firstVersion  = "v0.0.1-e2e"
	secondVersion = "v0.0.2-e2e"
)

// site is the cluster, and programs where Herald is built for its images.
var (
	site     *cluster.Cluster
	programs string
)

func TestE2E(t *testing.T) {
	cluster.Need(t)
	RegisterFailHandler(Fail)
	// A spec that fails is tried once more, and named as flaked if it then passes. So
	// each but an uninstallation, which can't pass a second time, finds what the attempt
	// before may have made.
	suite, reporter := GinkgoConfiguration()
	suite.FlakeAttempts = 2
	RunSpecs(t, "End to end", suite, reporter)
}

var _ = ReportAfterSuite("failures", attempts.Print)

var _ = BeforeSuite(func() {
	ctx, cancel := context.WithTimeout(context.Background(), bringUp)
	defer cancel()
	ctrllog.SetLogger(GinkgoLogr)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(wait.Route)
	SetDefaultEventuallyPollingInterval(wait.Poll)
	programs = workdir.For(GinkgoT(), "e2e")
	o := cluster.Options{Log: GinkgoWriter, Images: []archive.Image{cluster.FRR()}}
	for _, version := range []string{firstVersion, secondVersion} {
		herald, err := cluster.HeraldImage(filepath.Join(programs, version), version)
		Expect(err).NotTo(HaveOccurred())
		o.Images = append(o.Images, herald)
	}
	var err error
	site, err = cluster.New(ctx, o)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(site.Close)
})

var _ = JustAfterEach(func(ctx context.Context) {
	if !CurrentSpecReport().Failed() || site == nil {
		return
	}
	for _, what := range [][]string{
		{"get", "pods,heralds,bgpnodes,bgpsessions,services,endpointslices", "--all-namespaces", "--output=wide"},
		{"get", "heralds", "--output=yaml"},
		{"describe", "pods", "--namespace=" + system},
		{"logs", "--namespace=" + system, "--selector=app.kubernetes.io/part-of=herald", "--all-containers", "--prefix", "--tail=25"},
	} {
		out, err := site.Kubectl(ctx, what...)
		GinkgoWriter.Println(what, err)
		GinkgoWriter.Println(out)
	}
	GinkgoWriter.Println(site.Logs(15))
}, NodeTimeout(specTimeout))
