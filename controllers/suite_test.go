package controllers_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers"
	"github.com/herald-lb/herald/internal/cluster"
	"github.com/herald-lb/herald/test/attempts"
	"github.com/herald-lb/herald/test/thirdparty"
)

const (
	// soon says only that something comes, on the busiest machine, and after the 30 s that
	// the second correction of a condition Announced may wait (status.AnnouncedInterval).
	soon = time.Minute
	// quiet is how long nothing may happen where nothing should.
	quiet = time.Second

	systemNamespace = "herald-system"
)

var (
	ctx = context.Background()
	// api is a real API server; k8s speaks to it past any cache.
	api *envtest.Environment
	cfg *rest.Config
	k8s client.Client
)

func TestControllers(t *testing.T) {
	thirdparty.Need(t, thirdparty.Binary("kube-apiserver"), thirdparty.Binary("etcd"))
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(quiet)
	SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	// Each spec begins with an empty cluster, so that it can be tried again; it is then
	// named as flaked.
	suite, reporter := GinkgoConfiguration()
	suite.FlakeAttempts = 2
	RunSpecs(t, "controllers", suite, reporter)
}

var _ = ReportAfterSuite("failures", attempts.Print)

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	api = &envtest.Environment{
		BinaryAssetsDirectory: thirdparty.KubernetesDir(),
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	api.ControlPlane.GetAPIServer().Configure().
		Set("service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112")
	var err error
	cfg, err = api.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(api.Stop)
	cfg.QPS = -1
	scheme, err := cluster.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(cfg, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	for _, file := range []string{
		"namespaces/namespaces.yaml", "rbac/manager.yaml", "rbac/manager_role.yaml", "rbac/agent.yaml", "rbac/agent_role.yaml",
		"policy/herald_deletion.yaml", "policy/agents_own_node.yaml",
	} {
		createFrom(filepath.Join("..", "config", file))
	}
	awaitRights("herald-manager", "list", "", "services")
	awaitRights("herald-agent", "list", "", "services")
})

// awaitRights: a binding takes effect some moments after it was made.
func awaitRights(account, verb, group, resource string) {
	GinkgoHelper()
	Eventually(func() (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + systemNamespace + ":" + account,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource},
		}}
		err := k8s.Create(ctx, review)
		return review.Status.Allowed, err
	}).Should(BeTrue())
}

// createFrom makes the objects of a manifest.
func createFrom(path string) {
	GinkgoHelper()
	file, err := os.Open(path)
	Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	for decoder := yaml.NewYAMLOrJSONDecoder(file, 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return
		}
		Expect(err).NotTo(HaveOccurred(), path)
		Expect(k8s.Create(ctx, object)).To(Succeed(), path)
	}
}

// Every test starts with an empty cluster. The events of a manager that ends may come
// later still: tests look at those of objects that exist (listEvents).
var _ = AfterEach(func() {
	removeHerald()
	// One that was kept (Lease.KeepOnStop) would hold the next leader up.
	Expect(k8s.DeleteAllOf(ctx, &coordinationv1.Lease{}, client.InNamespace(systemNamespace))).To(Succeed())
	services := &corev1.ServiceList{}
	Expect(k8s.List(ctx, services)).To(Succeed())
	for i := range services.Items {
		if services.Items[i].Name != "kubernetes" {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, &services.Items[i]))).To(Succeed())
		}
	}
	for _, kind := range []client.Object{&discoveryv1.EndpointSlice{}, &eventsv1.Event{}} {
		Expect(k8s.DeleteAllOf(ctx, kind, client.InNamespace("default"))).To(Succeed())
	}
	for _, kind := range []client.Object{
		&v1alpha1.IPAddressPool{}, &v1alpha1.BGPPeer{}, &v1alpha1.BGPAdvertisement{}, &v1alpha1.Community{}, &v1alpha1.BFDProfile{}, &v1alpha1.FRRSnippet{}, &v1alpha1.FlowPolicy{},
		&v1alpha1.BGPNode{}, &v1alpha1.BGPSession{}, &corev1.Node{},
	} {
		Expect(k8s.DeleteAllOf(ctx, kind)).To(Succeed())
	}
})

// process is a manager like "herald manager", in this process.
type process struct {
	stop context.CancelFunc
	done chan error
}

var (
	// quickLease passes on fast enough for a test; a leader on a busy machine keeps it.
	quickLease = controllers.Lease{Duration: 10 * time.Second, RenewDeadline: 8 * time.Second, RetryPeriod: 200 * time.Millisecond}
	// longLease passes on in time only if it is given up.
	longLease = controllers.Lease{Duration: 10 * soon, RenewDeadline: soon, RetryPeriod: 200 * time.Millisecond}
)

func startManager(options controllers.Options) *process {
	GinkgoHelper()
	options.Metrics.BindAddress, options.Probes = "0", "0"
	if options.Namespace == "" {
		options.Namespace = systemNamespace
	}
	if options.Lease == (controllers.Lease{}) {
		options.Lease = controllers.DefaultLease
	}
	// With no more rights than the manifests give it.
	mgr, err := controllers.NewManager(asAccount("herald-manager"), options)
	Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(ctx)
	p := &process{stop: cancel, done: make(chan error, 1)}
	go func() {
		defer GinkgoRecover()
		p.done <- mgr.Start(running)
	}()
	DeferCleanup(p.end)
	return p
}

// asAccount is a client configuration of a ServiceAccount of Herald's.
func asAccount(name string) *rest.Config {
	config := rest.CopyConfig(cfg)
	config.Impersonate.UserName = "system:serviceaccount:" + systemNamespace + ":" + name
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	return config
}

// runManager starts the only manager.
func runManager() *process {
	GinkgoHelper()
	return startManager(controllers.Options{})
}

// end stops the manager and waits until it is gone.
func (p *process) end() {
	GinkgoHelper()
	p.stop()
	if p.done != nil {
		Eventually(p.done).Should(Receive())
		p.done = nil
	}
}
