package churn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/herald-lb/herald/test/lab"
)

// passwordMark begins every password, and nothing else.
const passwordMark = "Mutabor"

// findPasswords says where passwords stand that mustn't.
func (c *churn) findPasswords(ctx context.Context) ([]string, error) {
	var wrong []string
	for _, kinds := range []string{
		"services,nodes,events,endpointslices,configmaps,leases",
		"bgpnodes,bgpsessions,bgppeers,bgpadvertisements,bfdprofiles,ipaddresspools",
	} {
		dump, err := exec.CommandContext(ctx, filepath.Join(c.lab.Dir(), lab.KubectlWrapper), "get", "-A", "-o", "yaml", kinds).CombinedOutput()
		if err != nil || !strings.Contains(string(dump), "node1") {
			return nil, fmt.Errorf("kubectl get %s: %w: %.300s", kinds, err, dump)
		}
		if strings.Contains(string(dump), passwordMark) {
			wrong = append(wrong, "a password is in the API, in one of "+kinds)
		}
	}
	files, err := readable(c.lab.Dir())
	for _, file := range files {
		wrong = append(wrong, "a password is in "+file)
	}
	return wrong, err
}

// readable are the files below a directory, logs among them, that others than their
// owner can read and that hold a password. etcd's are the control plane's, those of
// routers the routers'.
func readable(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "/etcd/") || strings.Contains(path, "/tor-") {
			return nil //nolint:nilerr // files come and go while the site runs
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o077 == 0 || info.Size() > 64<<20 {
			return nil //nolint:nilerr // as above
		}
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), passwordMark) {
			found = append(found, path)
		}
		return nil
	})
	return found, err
}
