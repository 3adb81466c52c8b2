// Package agent_test runs the agent's real reconcilers against a real API
// server, with a directory in place of the reloader: the test reads frr.conf and
// writes report.json, which is the contract between the two.
package agent_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/test/attempts"
	"github.com/herald-lb/herald/test/thirdparty"
)

var (
	ctx       context.Context
	apiServer *envtest.Environment
	config    *rest.Config
	api       client.Client
)

func TestAgent(t *testing.T) {
	thirdparty.Need(t, thirdparty.Binary("kube-apiserver"), thirdparty.Binary("etcd"))
	RegisterFailHandler(Fail)
	// What a spec makes goes with it, so that it can be tried again; it is then named as
	// flaked.
	suite, reporter := GinkgoConfiguration()
	suite.FlakeAttempts = 2
	RunSpecs(t, "agent", suite, reporter)
}

var _ = ReportAfterSuite("failures", attempts.Print)

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	// It says only that something comes, on the busiest machine.
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()

	apiServer = &envtest.Environment{
		CRDDirectoryPaths:        []string{"../../config/crd/bases"},
		ErrorIfCRDPathMissing:    true,
		BinaryAssetsDirectory:    thirdparty.KubernetesDir(),
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  2 * time.Minute,
	}
	var err error
	config, err = apiServer.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(apiServer.Stop()).To(Succeed()) })
	config.QPS = -1

	scheme, err := cluster.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	api, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(cancel)
})
