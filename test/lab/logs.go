package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/herald-lb/herald/test/lab/node"
)

// failureLogLines is how much of each log a failing test prints.
const failureLogLines = 25

// TB is what a lab for a test uses of testing.TB and of GinkgoT().
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Failed() bool
}

// LogFailure prints the logs that matter if the test failed.
func (l *Lab) LogFailure(t TB) {
	t.Helper()
	if t.Failed() {
		t.Logf("logs of the lab:\n%s", l.Logs(failureLogLines))
	}
}

// Logs is the tail of every log that matters: the manager's, each node's agent,
// reloader, FRR and kube-proxy, and the routers'.
func (l *Lab) Logs(lines int) string {
	var b strings.Builder
	for _, m := range l.managers {
		writeTail(&b, m.Name(), m.LogFile(), lines)
	}
	for _, n := range l.Nodes() {
		for _, container := range []string{node.Agent, node.Reloader, node.FRR} {
			writeTail(&b, n.Name()+" "+container, n.LogFile(container), lines)
		}
		if out, err := n.Vtysh(context.Background(), "-c", "show bgp summary"); err == nil {
			fmt.Fprintf(&b, "--- %s show bgp summary\n%s\n", n.Name(), strings.TrimSpace(out))
		}
		writeTail(&b, n.Name()+" kube-proxy", n.LogFile(node.KubeProxy), lines/3)
	}
	for _, r := range l.routers {
		fmt.Fprintf(&b, "--- %s (%s)\n%s\n", r.Config().Name, r.Config().Make, r.Logs(lines))
	}
	if l.dir != nil {
		writeTail(&b, "kube-apiserver", filepath.Join(l.dir.Path, "cp", "kube-apiserver.log"), lines/3)
	}
	return b.String()
}

func writeTail(b *strings.Builder, title, file string, lines int) {
	text, err := os.ReadFile(file)
	if err != nil {
		return // never started
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	fmt.Fprintf(b, "--- %s\n%s\n", title, strings.Join(all, "\n"))
}
