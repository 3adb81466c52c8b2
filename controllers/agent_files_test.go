package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/herald-lb/herald/controllers/snapshot"
	frrtemplates "github.com/herald-lb/herald/frr-templates"
	"github.com/herald-lb/herald/reloader/exchange"
	"github.com/herald-lb/herald/reloader/report"
)

func TestReportFileFreshness(t *testing.T) {
	dir := t.TempDir()
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	write := func(stamp time.Time) {
		t.Helper()
		data, err := report.Report{Time: stamp}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := exchange.WriteFile(dir, exchange.ReportFile, data); err != nil {
			t.Fatal(err)
		}
	}
	file := NewReportFile(dir, clock)
	expect := func(what string, changed, fresh, starting bool) {
		t.Helper()
		if got := file.Refresh(); got != changed {
			t.Errorf("%s: changed %v, want %v", what, got, changed)
		}
		if seen := file.Observe(); seen.Fresh != fresh || seen.Starting != starting {
			t.Errorf("%s: fresh %v starting %v, want %v %v", what, seen.Fresh, seen.Starting, fresh, starting)
		}
	}
	forward := func(d time.Duration) { clock.SetTime(clock.Now().Add(d)) }

	expect("no file yet", true, false, true)
	write(clock.Now().Add(-time.Hour))
	expect("one that an earlier reloader left", true, false, true)
	forward(report.MaxAge)
	expect("and no other", false, false, false)
	write(clock.Now())
	expect("a report", true, true, false)
	expect("the same", false, true, false)
	forward(report.MaxAge - time.Second)
	expect("a little older", false, true, false)
	forward(time.Second)
	expect("too old", false, false, false)
	write(clock.Now().Add(time.Hour))
	expect("its clock is ahead", true, true, false)
	forward(report.MaxAge)
	expect("and it died then", false, false, false)
	write(clock.Now())
	expect("back", true, true, false)
	if err := os.WriteFile(filepath.Join(dir, exchange.ReportFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("half a file", true, true, false)
	if seen := file.Observe(); seen.Report == nil || seen.Error == "" {
		t.Errorf("half a file: %+v", seen)
	}
	write(clock.Now().Add(time.Second))
	expect("a whole one", true, true, false)
	if seen := file.Observe(); seen.Error != "" {
		t.Errorf("the error stays: %s", seen.Error)
	}
}

func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	file, previous, err := OpenConfigFile(dir, "v1", "boot-1")
	if previous != nil || err != nil {
		t.Fatalf("an empty directory: %v, %v", previous, err)
	}
	write := func(file *ConfigFile, body string, want bool) {
		t.Helper()
		hash, written, err := file.Write([]byte(body))
		if err != nil || written != want {
			t.Fatalf("write %q: %v, %v, want %v", body, written, err, want)
		}
		if held, err := exchange.ReadConfig(dir); err != nil || string(held.Body) != body || held.Hash != hash {
			t.Fatalf("the directory holds %+v, %v", held, err)
		}
		file.Copy()
		if held, err := exchange.ReadCopy(dir); err != nil || held.Hash != hash {
			t.Fatalf("the copy is %+v, %v", held, err)
		}
	}
	write(file, "a\n", true)
	write(file, "a\n", false)
	write(file, "b\n", true)
	if err := exchange.WriteFile(dir, exchange.ConfigFile, []byte("foreign\n")); err != nil {
		t.Fatal(err)
	}
	if file.Intact() {
		t.Error("a foreign file is not seen")
	}
	write(file, "b\n", true)

	again, previous, err := OpenConfigFile(dir, "v2", "boot-1")
	if err != nil || previous == nil || string(previous.Body) != "b\n" {
		t.Fatalf("after a restart: %v, %v", previous, err)
	}
	write(again, "b\n", false)
	if _, previous, err := OpenConfigFile(dir, "v2", "boot-2"); previous != nil || err != nil {
		t.Errorf("after a reboot: %v, %v", previous, err)
	}
	rebooted, _, _ := OpenConfigFile(dir, "v2", "boot-2")
	write(rebooted, "b\n", true)

	if err := os.WriteFile(filepath.Join(dir, exchange.ConfigFile), []byte("! herald x"), 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt, previous, err := OpenConfigFile(dir, "v2", "boot-2")
	if err == nil || previous == nil || string(previous.Body) != "b\n" {
		t.Errorf("a corrupt file: %v, %v, want what was there before", previous, err)
	}
	write(corrupt, "b\n", true)
	if err := os.Remove(filepath.Join(dir, exchange.ConfigFile)); err != nil {
		t.Fatal(err)
	}
	if _, previous, err := OpenConfigFile(dir, "v2", "boot-2"); err != nil || previous == nil || string(previous.Body) != "b\n" {
		t.Errorf("a file that is gone: %v, %v, want what was there before", previous, err)
	}
	if _, previous, err := OpenConfigFile(dir, "v2", "boot-3"); err != nil || previous != nil {
		t.Errorf("a file that is gone, after a reboot: %v, %v", previous, err)
	}
}

func TestCheckExchangeDir(t *testing.T) {
	dir := t.TempDir()
	if err := CheckExchangeDir(dir); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing"): "--exchange-dir",
		plain:                         "not a directory",
		"/proc/self":                  "not writable",
	} {
		if err := CheckExchangeDir(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", path, err, want)
		}
	}
}

// What is rendered about the host is read back by the next agent.
func TestForwardingSurvivesTheFile(t *testing.T) {
	for _, want := range []frrtemplates.Forwarding{{}, {IPv4: true}, {IPv6: true}, {IPv4: true, IPv6: true}} {
		body, err := frrtemplates.Render(frrtemplates.Config{Forwarding: want})
		if err != nil {
			t.Fatal(err)
		}
		file := exchange.NewFile("v1", "boot-1", body)
		flipped := snapshot.Host{Forwarding: frrtemplates.Forwarding{IPv4: !want.IPv4, IPv6: !want.IPv6}}
		if _, host := appliedFrom(&file, flipped); host.Forwarding != want {
			t.Errorf("read back %+v, want %+v", host.Forwarding, want)
		}
		if _, host := appliedFrom(nil, flipped); host != flipped {
			t.Errorf("without a file: %+v", host)
		}
	}
}

func TestReadHost(t *testing.T) {
	root := t.TempDir()
	if host, err := snapshot.ReadHost(root); err != nil || host != (snapshot.Host{}) {
		t.Errorf("a kernel without IP: %+v, %v", host, err)
	}
	path := filepath.Join(root, "net/ipv4/ip_forward")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"0\n": false, "1\n": true} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if host, err := snapshot.ReadHost(root); err != nil || host.Forwarding.IPv4 != want {
			t.Errorf("%q: %+v, %v", text, host, err)
		}
	}
}
