package kube

import (
	"context"
	"fmt"
	"net"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// tokenLife is the life of a ServiceAccount's token, far longer than a lab's.
const tokenLife = 24 * 3600

// Scheme knows Kubernetes' own and Herald's kinds.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // kinds registered twice: a programming error
		}
	}
	return scheme
}

// connect makes the lab's own client, as cluster admin. It dials from within
// the control plane's network: the host can't reach it otherwise.
func (cp *ControlPlane) connect() error {
	cp.config = &rest.Config{
		Host: "https://127.0.0.1:" + apiPort,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: cp.ca.pem, CertData: cp.admin.cert, KeyData: cp.admin.key,
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return cp.box.Dial(ctx, network, address)
		},
		QPS: -1, // no limit: the server's priority and fairness governs
	}
	return nil
}

// Config is the admin's connection, usable in this process only (it dials
// through the control plane's network namespace).
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.config) }

// Client is a client of the admin that always asks the server.
func (cp *ControlPlane) Client() client.Client { return cp.client }

// Ready asks the API server's /readyz.
func (cp *ControlPlane) Ready(ctx context.Context) (bool, error) {
	set, err := kubernetes.NewForConfig(cp.config)
	if err != nil {
		return false, err
	}
	if err := set.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return false, err
	}
	if cp.client == nil {
		cp.client, err = client.New(cp.config, client.Options{Scheme: Scheme()})
	}
	return err == nil, err
}

// EnsureNamespace makes a namespace if it isn't there.
func (cp *ControlPlane) EnsureNamespace(ctx context.Context, name string) error {
	err := cp.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("namespace %q: %w", name, err)
	}
	return nil
}

// Token is a token of a ServiceAccount, bound to a node if one is named: the
// API server then knows, as it does for a pod's token, which node asks.
func (cp *ControlPlane) Token(ctx context.Context, namespace, account, node string) (string, error) {
	set, err := kubernetes.NewForConfig(cp.config)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](tokenLife)}}
	if node != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: node}
	}
	answer, err := set.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return answer.Status.Token, nil
}
