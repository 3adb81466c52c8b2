package kube

import (
	"context"
	"crypto/x509/pkix"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// AdminKubeconfig writes the cluster admin's kubeconfig and returns its path.
// It works inside the lab's network; see the lab's own kubectl wrapper.
func (cp *ControlPlane) AdminKubeconfig() (string, error) {
	return cp.write("admin", clientOf(cp.admin))
}

// UserKubeconfig writes the kubeconfig of a user by certificate, for example
// "system:kube-proxy", and returns its path.
func (cp *ControlPlane) UserKubeconfig(name, user string) (string, error) {
	pair, err := cp.ca.issue(name, pkix.Name{CommonName: user}, nil)
	if err != nil {
		return "", err
	}
	return cp.write(name, clientOf(pair))
}

// ServiceAccountKubeconfig writes the kubeconfig of a ServiceAccount, bound to a
// node if one is named, and returns its path.
func (cp *ControlPlane) ServiceAccountKubeconfig(ctx context.Context, name, namespace, account, node string) (string, error) {
	token, err := cp.Token(ctx, namespace, account, node)
	if err != nil {
		return "", err
	}
	return cp.write(name, &clientcmdapi.AuthInfo{Token: token})
}

func (cp *ControlPlane) write(name string, who *clientcmdapi.AuthInfo) (string, error) {
	file := filepath.Join(cp.dir, name+".kubeconfig")
	return file, cp.writeTo(file, name, who)
}

func (cp *ControlPlane) writeTo(file, name string, who *clientcmdapi.AuthInfo) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{
		Server: "https://" + cp.address.String() + ":" + apiPort, CertificateAuthorityData: cp.ca.pem,
	}
	config.AuthInfos[name] = who
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: name, Namespace: "default"}
	config.CurrentContext = "lab"
	return clientcmd.WriteToFile(*config, file)
}
