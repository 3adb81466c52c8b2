package rules

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
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
	ask, again, finish := net.HardwareAddr{10, 0, 0, 0, 0, 98}, net.HardwareAddr{10, 0, 0, 0, 0, 99}, net.HardwareAddr{10, 0, 7, 7, 7, 100}
	with := *plan
	with.Tell = &Tell{Local: netip.MustParseAddr("10.0.0.1"), VNI: 7472, Ask: ask, MAC: again, Finish: finish, Own: again[:2], Reset: Families}
	for _, f := range Families {
		for what, part := range map[string][]byte{
			"a rule that logs": []byte("log\x00"), "the chain again": []byte("again\x00"), "its sender": again,
			"a rule that resets": []byte("reject\x00"), "the chain finish": []byte("finish\x00"), "its sender, finish": finish,
		} {
			if !bytes.Contains(said(t, f, &with), part) {
				t.Errorf("%s: %s isn't in a plan that tells", f, what)
			}
			if bytes.Contains(said(t, f, plan), part) {
				t.Errorf("%s: %s is in a plan that doesn't tell", f, what)
			}
		}
		less := *with.Tell
		less.Reset = slices.DeleteFunc(slices.Clone(Families), func(name Family) bool { return name == f })
		lacks := with
		lacks.Tell = &less
		if got := said(t, f, &lacks); bytes.Contains(got, []byte("reject\x00")) || !bytes.Contains(got, finish) {
			t.Errorf("%s: it resets where the kernel can't, or takes no notice of who asks for it", f)
		}
		for _, part := range []string{"flood\x00", "dup\x00", "give-up\x00", "n2\x00"} {
			if !bytes.Contains(said(t, f, plan), []byte(part)) {
				t.Errorf("%s: no %q without telling", f, part)
			}
		}
	}
}

func TestWhatTheKernelCanDo(t *testing.T) {
	for what, c := range map[string]struct {
		ask   func(*Kernel) error
		lacks error
	}{
		"log":        {(*Kernel).CanLog, ErrNoLog},
		"reset":      {func(k *Kernel) error { return k.CanReset(IPv4) }, ErrNoReset},
		"reset IPv6": {func(k *Kernel) error { return k.CanReset(IPv6) }, ErrNoReset},
	} {
		for errno, want := range map[unix.Errno]error{unix.ENOENT: c.lacks, unix.EOPNOTSUPP: c.lacks, unix.EPERM: unix.EPERM} {
			conn, err := nftables.New(nftables.WithTestDial(func(messages []netlink.Message) ([]netlink.Message, error) {
				if len(messages) == 0 || messages[0].Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETTABLE {
					return nil, io.EOF // it has no tables
				}
				return nltest.Error(int(errno), messages)
			}))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.ask(&Kernel{conn: conn}); !errors.Is(err, want) {
				t.Errorf("%s: %v: %v, want %v", what, errno, err, want)
			}
		}
	}
}
