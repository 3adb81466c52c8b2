package exchange

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var addresses = cmpopts.EquateComparable(netip.Addr{})

func whole() Desired {
	a := netip.MustParseAddr
	return Desired{
		Version: Version, Node: "node1", Addresses: []netip.Addr{a("10.0.0.1"), a("fd00::1")},
		Peers:   []Peer{{Node: "node2", Addresses: []netip.Addr{a("10.0.0.2"), a("fd00::2")}}},
		Learn:   []Frontend{{a("203.0.113.1"), TCP, 80}, {a("2001:db8::1"), QUIC, 443}},
		PathMTU: []netip.Addr{a("203.0.113.1")}, Count: []netip.Addr{a("203.0.113.1")},
		Tunnel: Tunnel{Port: 4790, VNI: 7472, MTU: 1400}, Limits: Limits{FloodsPerSecond: 1000, LearnedFlows: 65536},
	}
}

func TestDesiredComesBack(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := ReadDesired(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a file: %v", err)
	}
	for _, want := range []Desired{whole(), {Version: Version}} {
		wrote, err := WriteDesired(dir, want)
		if err != nil {
			t.Fatal(err)
		}
		got, hash, err := ReadDesired(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addresses); diff != "" || hash != wrote {
			t.Errorf("hash %s, wrote %s: %s", hash, wrote, diff)
		}
	}
}

func TestReportComesBack(t *testing.T) {
	dir := t.TempDir()
	want := Report{
		Version: Version, Time: time.Unix(1, 0).UTC(), Applied: "x", Learning: true, Leaving: 1,
		Problems: []Problem{{Reason: ReasonMTU, Message: "m", Learning: true}},
		Counters: Counters{Relayed: 1 << 60}, Owned: map[netip.Addr]int{netip.MustParseAddr("203.0.113.1"): 3},
		Learned: map[string]int{"node2": 4},
	}
	if err := WriteReport(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadReport(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	a := netip.MustParseAddr
	for want, change := range map[string]func(*Desired){
		`"127.0.0.1" is no unicast address`:          func(d *Desired) { d.Addresses[0] = a("127.0.0.1") },
		"more than one address of a family":          func(d *Desired) { d.Addresses[1] = a("10.0.0.9") },
		`name "node1" is empty, this node's`:         func(d *Desired) { d.Peers[0].Node = "node1" },
		`name "" is empty`:                           func(d *Desired) { d.Peers[0].Node = "" },
		"10.0.0.1 is also that of this node":         func(d *Desired) { d.Peers[0].Addresses[0] = a("10.0.0.1") },
		"is there twice":                             func(d *Desired) { d.Learn[1] = d.Learn[0] },
		"UDP 203.0.113.1:80: unknown protocol":       func(d *Desired) { d.Learn[0].Protocol = "UDP" },
		"TCP 203.0.113.1:0: no port":                 func(d *Desired) { d.Learn[0].Port = 0 },
		"learn: \"invalid IP\" is no unicast":        func(d *Desired) { d.Learn[0].Address = netip.Addr{} },
		`pathMTU: "224.0.0.1" is no unicast`:         func(d *Desired) { d.PathMTU[0] = a("224.0.0.1") },
		`count: "fe80::1%eth0" is no unicast`:        func(d *Desired) { d.Count[0] = a("fe80::1%eth0") },
		"tunnel: no port":                            func(d *Desired) { d.Tunnel.Port = 0 },
		"tunnel: VNI 16777215, want 1 to 16777214":   func(d *Desired) { d.Tunnel.VNI = 16777215 },
		"tunnel: MTU 1279, want 0 or 1280 to 65535":  func(d *Desired) { d.Tunnel.MTU = 1279 },
		"limits: floodsPerSecond 0, learnedFlows 65": func(d *Desired) { d.Limits.FloodsPerSecond = 0 },
	} {
		d := whole()
		change(&d)
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := whole().Validate(); err != nil {
		t.Error(err)
	}
}

func TestForeignFiles(t *testing.T) {
	for content, want := range map[string]string{
		``:                            "EOF",
		`{"version":2,"node":""}`:     "version 2, want 1",
		`{"version":1,"extra":true}`:  `unknown field "extra"`,
		`{"version":1} {"version":1}`: ErrTrailing.Error(),
		`{"version":1`:                "unexpected EOF",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, DesiredFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, hash, err := ReadDesired(dir); err == nil || !strings.Contains(err.Error(), want) || hash != Hash([]byte(content)) {
			t.Errorf("%q: want %q, got %v", content, want, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, DesiredFile), bytes.Repeat([]byte(" "), MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadDesired(dir); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// FuzzDecodeDesired: what is accepted is written and read again as the same.
func FuzzDecodeDesired(f *testing.F) {
	data, err := whole().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := DecodeDesired(data)
		if err != nil {
			return
		}
		again, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeDesired(again); err != nil || cmp.Diff(d, got, addresses, cmpopts.EquateEmpty()) != "" {
			t.Errorf("%v: %s", err, cmp.Diff(d, got, addresses))
		}
	})
}
