package frr_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/herald-lb/herald/test/lab/frr"
)

func TestInstanceAnswersAndKeepsConfiguration(t *testing.T) {
	for _, v := range frr.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			i := frr.Start(t, v)
			version, err := i.Vtysh("-c", "show version")
			if err != nil || !strings.Contains(version, "FRRouting "+string(v)) {
				t.Fatalf("show version: %q, %v", version, err)
			}
			if err := i.LoadConfig("router bgp 64512\n bgp router-id 192.0.2.1\n"); err != nil {
				t.Fatal(err)
			}
			running, err := i.Vtysh("-c", "show running-config")
			if err != nil || !strings.Contains(running, "router bgp 64512") {
				t.Fatalf("running configuration lacks the router: %s %v", running, err)
			}
			if err := i.LoadConfig("router bgp 64512\n no such line\n"); err == nil {
				t.Error("a line that FRR doesn't know was accepted")
			}
			if err := i.Restart(); err != nil {
				t.Fatal(err)
			}
			if running, _ := i.Vtysh("-c", "show running-config"); strings.Contains(running, "router bgp") {
				t.Error("killed daemons kept their configuration")
			}
			if out, err := exec.Command("ip", "-o", "netns", "list").Output(); err == nil && strings.Contains(string(out), "herald") {
				t.Errorf("a named network namespace: %s", out)
			}
		})
	}
}

func TestReloadRunsInside(t *testing.T) {
	for _, v := range frr.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			i := frr.Start(t, v, frr.Startup("frr defaults traditional\nrouter bgp 64512\n bgp router-id 192.0.2.1\nexit\n"))
			if out, err := i.Exec("/usr/lib/frr/frr-reload.py", "--reload", "/etc/frr/frr.conf"); err != nil {
				t.Fatalf("%s %v", out, err)
			}
			running, err := i.Vtysh("-c", "show running-config")
			if err != nil || !strings.Contains(running, "bgp router-id 192.0.2.1") {
				t.Fatalf("%s %v", running, err)
			}
		})
	}
}
