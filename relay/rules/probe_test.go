package rules

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/lab/workdir"
	"github.com/herald-lb/herald/test/thirdparty"
)

// probeEnv makes this test binary ask the kernel, and wait to be killed before it takes
// away what it asked with.
const probeEnv = "HERALD_RULES_TEST_PROBE"

func TestMain(m *testing.M) {
	name := os.Getenv(probeEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	kernel, err := Open()
	if err == nil {
		_, err = kernel.tryReset(families[Family(name)])
	}
	fmt.Println(err)
	select {}
}

// box is a network of its own, and nft in it.
type box struct {
	*sandbox.Box
	t *testing.T
}

func newBox(t *testing.T) *box {
	t.Helper()
	thirdparty.Need(t)
	b, err := sandbox.Start(sandbox.Spec{Name: "probe", Dir: filepath.Join(workdir.For(t, "probe"), "box")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	return &box{Box: b, t: t}
}

func (b *box) nft(args ...string) string {
	b.t.Helper()
	out, err := b.Run(b.t.Context(), append([]string{"nft"}, args...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *box) kernel(ask func(*Kernel) error) {
	b.t.Helper()
	if err := b.InNetwork(func() error {
		k, err := Open()
		if err != nil {
			return err
		}
		return ask(k)
	}); err != nil {
		b.t.Error(err)
	}
}

// A relay that is killed while it asks the kernel leaves nothing of it.
func TestKilledWhileItProbes(t *testing.T) {
	b := newBox(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range map[Family]string{IPv4: "ip", IPv6: "ip6"} {
		says, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer says.Close()
		probing, err := b.Start(sandbox.Command{Args: []string{self}, Env: []string{probeEnv + "=" + string(name)}, Stdout: out})
		out.Close()
		if err != nil {
			t.Fatal(err)
		}
		if said, err := bufio.NewReader(says).ReadString('\n'); err != nil || said != "<nil>\n" {
			t.Fatalf("%s: %q, %v", name, said, err)
		}
		if asked := b.nft("list", "table", family, probeTable); !strings.Contains(asked, "reject with tcp reset") {
			t.Errorf("%s: the kernel is asked for nothing: %s", name, asked)
		}
		probing.Kill()
		if left := b.nft("list", "ruleset"); left != "" {
			t.Errorf("%s: killed, and there is still %s", name, left)
		}
	}
}

// What another release left, which made tables that stay, is in nobody's way, and goes.
func TestTableOfAProbeThatWasKilled(t *testing.T) {
	for what, ask := range map[string]func(*Kernel) error{
		"asked again": func(k *Kernel) error { return errors.Join(k.CanReset(IPv4), k.CanReset(IPv6)) },
		"uninstalled": (*Kernel).Remove,
	} {
		t.Run(what, func(t *testing.T) {
			b := newBox(t)
			for _, family := range []string{"ip", "ip6"} {
				b.nft("add", "table", family, probeTable)
				b.nft("add", "table", family, "somebodys")
			}
			b.kernel(ask)
			if left := b.nft("list", "tables"); left != "table ip somebodys\ntable ip6 somebodys\n" {
				t.Errorf("left are %s", left)
			}
		})
	}
}

// A kernel before Linux 5.12 is asked all the same, in a table that has to be taken away.
func TestProbeWithoutTablesThatBelongToAConnection(t *testing.T) {
	for _, says := range []unix.Errno{unix.EINVAL, unix.EOPNOTSUPP} {
		var tables, deleted, tried bool
		conn, err := nftables.New(nftables.WithTestDial(func(messages []netlink.Message) ([]netlink.Message, error) {
			for _, m := range messages {
				switch m.Header.Type {
				case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE:
					if flagsOf(t, m) != 0 {
						return nltest.Error(int(says), []netlink.Message{m})
					}
					tables = true
				case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE:
					tried = tables
				case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE:
					if tables {
						data, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_TABLE_NAME, Data: []byte(probeTable + "\x00")}})
						return []netlink.Message{{
							Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE, Sequence: m.Header.Sequence, PID: m.Header.PID},
							Data:   append([]byte{unix.NFPROTO_IPV4, 0, 0, 0}, data...),
						}}, err
					}
				case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELTABLE:
					deleted = tried
				default:
				}
			}
			return nil, io.EOF
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := (&Kernel{conn: conn}).CanReset(IPv4); err != nil || !tried || !deleted {
			t.Errorf("%v: %v; tried %v, deleted %v", says, err, tried, deleted)
		}
	}
}

// flagsOf a table that is to be made.
func flagsOf(t *testing.T, m netlink.Message) (flags uint32) {
	t.Helper()
	attributes, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		t.Fatal(err)
	}
	attributes.ByteOrder = binary.BigEndian
	for attributes.Next() {
		if attributes.Type() == unix.NFTA_TABLE_FLAGS {
			flags = attributes.Uint32()
		}
	}
	return flags
}
