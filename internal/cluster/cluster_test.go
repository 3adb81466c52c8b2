package cluster

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
)

// apiServer answers as one of a version that has some of Herald's Kinds.
func apiServer(t *testing.T, gitVersion string, kinds ...string) *rest.Config {
	answer := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) { answer(w, version.Info{GitVersion: gitVersion}) })
	if kinds != nil {
		mux.HandleFunc("/apis/herald-lb.io/v1alpha1", func(w http.ResponseWriter, _ *http.Request) {
			list := metav1.APIResourceList{GroupVersion: "herald-lb.io/v1alpha1"}
			for _, kind := range kinds {
				list.APIResources = append(list.APIResources, metav1.APIResource{Name: kind})
			}
			answer(w, list)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func TestPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		config *rest.Config
		want   string
	}{
		"good":         {apiServer(t, "v1.31.0", plurals...), ""},
		"vendor's":     {apiServer(t, "v1.33.2+rke2r1", plurals...), ""},
		"old":          {apiServer(t, "v1.30.14", plurals...), "has Kubernetes v1.30.14, Herald needs 1.31 or newer"},
		"no CRDs":      {apiServer(t, "v1.36.3"), `install them with "kubectl apply --server-side -k config/crd"`},
		"a CRD less":   {apiServer(t, "v1.36.3", plurals[1:]...), "CRDs are missing or old (bgpadvertisements.herald-lb.io)"},
		"no API":       {&rest.Config{Host: "http://127.0.0.1:1"}, "check that it runs and that the kubeconfig is for it"},
		"not a number": {apiServer(t, "unknown", plurals...), `version "unknown"`},
	} {
		err := Preflight(c.config)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", "")
	if _, err := Config("", "manager"); err == nil || !strings.Contains(err.Error(), "pass --kubeconfig FILE") {
		t.Errorf("without a kubeconfig: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	if _, err := Config(missing, "manager"); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("with a file that isn't there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "config")
	const content = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"https://192.0.2.1\"}}]\ncontexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := Config(file, "manager")
	if err != nil || config.QPS >= 0 || !strings.HasPrefix(config.UserAgent, "herald-manager/") {
		t.Errorf("%+v, %v", config, err)
	}
}
