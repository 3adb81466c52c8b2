package rules

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/exchange"
)

// said is what a transaction for a plan tells the kernel.
func said(t *testing.T, name Family, plan *Plan) []byte {
	t.Helper()
	var all []byte
	conn, err := nftables.New(nftables.WithTestDial(func(messages []netlink.Message) ([]netlink.Message, error) {
		for _, m := range messages {
			all = append(all, m.Data...)
		}
		return nil, io.EOF // a kernel that has nothing to say
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := newTable(conn, families[name], plan).make(contents{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A kernel that can't log is asked for nothing of it, and for the rest all the same.
func TestPlanWithoutLog(t *testing.T) {
	plan := &Plan{
		Data: 2, Claim: 3, Port: 4790, Senders: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
		Peers:  []Peer{{Name: "n2", MAC: net.HardwareAddr{10, 0, 0, 0, 0, 2}, Via4: netip.MustParseAddr("240.0.0.2"), Via6: netip.MustParseAddr("fe80::2")}},
		Learn:  []exchange.Frontend{{Address: netip.MustParseAddr("203.0.113.1"), Protocol: exchange.TCP, Port: 80}},
		Limits: exchange.Limits{FloodsPerSecond: 100, LearnedFlows: 100}, Timing: DefaultTiming(),
	}
	ask, again := net.HardwareAddr{10, 0, 0, 0, 0, 98}, net.HardwareAddr{10, 0, 0, 0, 0, 99}
	with := *plan
	with.Tell = &Tell{Local: netip.MustParseAddr("10.0.0.1"), VNI: 7472, Ask: ask, MAC: again, Own: again[:2]}
	for _, f := range Families {
		for what, part := range map[string][]byte{"a rule that logs": []byte("log\x00"), "the chain again": []byte("again\x00"), "its sender": again} {
			if !bytes.Contains(said(t, f, &with), part) {
				t.Errorf("%s: %s isn't in a plan that tells", f, what)
			}
			if bytes.Contains(said(t, f, plan), part) {
				t.Errorf("%s: %s is in a plan that doesn't tell", f, what)
			}
		}
		for _, part := range []string{"flood\x00", "dup\x00", "give-up\x00", "n2\x00"} {
			if !bytes.Contains(said(t, f, plan), []byte(part)) {
				t.Errorf("%s: no %q without telling", f, part)
			}
		}
	}
}

func TestCanLog(t *testing.T) {
	for errno, want := range map[unix.Errno]error{unix.ENOENT: ErrNoLog, unix.EOPNOTSUPP: ErrNoLog, unix.EPERM: unix.EPERM} {
		conn, err := nftables.New(nftables.WithTestDial(func(messages []netlink.Message) ([]netlink.Message, error) {
			if len(messages) == 0 {
				return nil, io.EOF
			}
			return nltest.Error(int(errno), messages)
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := (&Kernel{conn: conn}).CanLog(); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", errno, err, want)
		}
	}
}
