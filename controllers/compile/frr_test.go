package compile_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/herald-lb/herald/reloader/snippet"
	"github.com/herald-lb/herald/test/lab/frr"
)

const frrReload = "/usr/lib/frr/frr-reload.py"

// TestGoldensInFRR loads every golden into real FRR: it is accepted, FRR prints
// back what was rendered, and frr-reload finds no difference.
func TestGoldensInFRR(t *testing.T) {
	all := goldens(t)
	for _, version := range frr.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			router := speaker{frr.Start(t, version)}
			for _, name := range slices.Sorted(maps.Keys(all)) {
				base, _ := snippet.Split([]byte(all[name].section("frr.conf")))
				conf := string(base) // snippets come to FRR as what it prints of them
				if err := router.accepts(conf); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if err := router.clear(conf); err != nil {
					t.Fatalf("%s: clearing: %v", name, err)
				}
			}
		})
	}
}

// TestReloadFromGoldenToGolden goes from one to the next by frr-reload, which is
// how structure changes on a node. BFD is left out: taking it from a neighbor takes
// frr-reload two runs on FRR 8.4, which the reloader makes.
func TestReloadFromGoldenToGolden(t *testing.T) {
	all := goldens(t)
	chosen := []string{
		"service-is-one-line", "communities-of-several-advertisements-unite", "252-communities-are-accepted",
		"communities-are-spelled-as-frr-prints", "peer-timers-and-port", "peer-with-password",
		"dual-stack-service-goes-over-the-session-of-each-family", "aggregate-and-host-routes-have-their-own-attributes", "aggregate-lives-while-a-member-lives", "forwarding-of-both-families-prints-nothing",
		"ibgp-and-four-octet-asn", "multihop-ebgp-has-a-ttl-of-254", "session-carries-the-families-that-are-asked-for", "node-without-peer-has-no-router",
		"receive-all-but-what-is-protected", "receive-filtered-by-length",
	}
	for _, version := range frr.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			router := speaker{frr.Start(t, version)}
			for _, name := range chosen {
				conf := all[name].section("frr.conf")
				if conf == "" {
					t.Fatalf("no golden %s", name)
				}
				if err := router.reload(conf); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := router.printsBack(conf); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			// The longest line that there is, edited in place.
			longest := all["252-communities-are-accepted"].section("frr.conf")
			shorter := strings.Replace(longest, " 64515:59\n", "\n", 1)
			if shorter == longest {
				t.Fatal("the longest line is not what it was")
			}
			for _, conf := range []string{longest, shorter, longest} {
				if err := router.reload(conf); err != nil {
					t.Fatal(err)
				}
				if err := router.printsBack(conf); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestBrokenGoldensFail is the negative control of the two tests above: what
// FRR refuses, and what it reads but prints differently.
func TestBrokenGoldensFail(t *testing.T) {
	good := goldens(t)["communities-are-spelled-as-frr-prints"].section("frr.conf")
	broken := map[string][2]string{
		"unknown command":         {" set tag ", " set tagg "},
		"refused for its meaning": {"no-peer", "no-pear"},
		"number for a name":       {"no-export", "65535:65281"},
		"wrong order":             {"0:1 1:2", "1:2 0:1"},
		"default that vanishes":   {"remote-as 64513\n", "remote-as 64513\n neighbor 192.0.2.1 port 179\n"},
		"line that is not there":  {"192.0.2.1 activate\n", "192.0.2.1 activate\n  neighbor 192.0.2.1 send-community\n"},
	}
	for _, version := range frr.Versions() {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			router := speaker{frr.Start(t, version)}
			for _, name := range slices.Sorted(maps.Keys(broken)) {
				conf := strings.Replace(good, broken[name][0], broken[name][1], 1)
				if conf == good {
					t.Fatalf("%s: breaks nothing", name)
				}
				err := router.accepts(conf)
				if err == nil {
					t.Errorf("%s: the check passes", name)
				}
				t.Logf("%s: %v", name, err)
				if err := router.clear(good); err != nil {
					t.Fatal(err)
				}
			}
			if err := router.accepts(good); err != nil {
				t.Errorf("the golden itself: %v", err)
			}
		})
	}
}

// speaker is an FRR that configurations are tried on.
type speaker struct{ *frr.Instance }

// accepts loads a configuration into an empty FRR and compares.
func (s speaker) accepts(conf string) error {
	if err := s.hostForwards(conf); err != nil {
		return err
	}
	if err := unlocked(func() error { return s.LoadConfig(conf) }); err != nil {
		return err
	}
	return s.printsBack(conf)
}

// unlocked tries again while mgmtd (FRR 10) still holds the lock of a vtysh that
// has just ended.
func unlocked(command func() error) (err error) {
	for range 20 {
		if err = command(); err == nil || !strings.Contains(err.Error(), "locked by another session") {
			return err
		}
	}
	return err
}

// configure gives commands to FRR as at a terminal.
func (s speaker) configure(commands []string) error {
	args := []string{"-c", "configure terminal"}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	return unlocked(func() error {
		out, err := s.Vtysh(args...)
		if err == nil && strings.Contains(out, "Can't enter config") {
			err = errors.New(out)
		}
		return err
	})
}

// hostForwards makes the host as the golden says that it is.
func (s speaker) hostForwards(conf string) error {
	var commands []string
	for _, command := range []string{"ip forwarding", "ipv6 forwarding"} {
		if strings.Contains(conf, "no "+command+"\n") {
			command = "no " + command
		}
		commands = append(commands, command)
	}
	return s.configure(commands)
}

func (s speaker) printsBack(conf string) error {
	running, err := s.Vtysh("-c", "show running-config")
	if err != nil {
		return err
	}
	conf = s.spoken(conf)
	if got, want := blocks(running), blocks(conf); !slices.Equal(got, want) {
		return fmt.Errorf("FRR prints back\n%sinstead of\n%s", strings.Join(missingIn(want, got), ""), strings.Join(missingIn(got, want), ""))
	}
	delta, err := s.reloadScript("--test", conf)
	if err != nil {
		return err
	}
	if lines := deltaLines(delta); len(lines) > 0 {
		return fmt.Errorf("frr-reload would change:\n%s", strings.Join(lines, "\n"))
	}
	return nil
}

// quiet lines are FRR's default from 9.1 on and not printed any more. FRR 8
// needs them; the reloader knows which version prints them.
var quiet = []string{"ip nht resolve-via-default", "ipv6 nht resolve-via-default"}

// spoken leaves out what this version of FRR doesn't print.
func (s speaker) spoken(conf string) string {
	if s.Version() == frr.V8_4 {
		return conf
	}
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(conf)), func(line string) bool {
		return slices.Contains(quiet, strings.TrimSpace(line))
	})
	return strings.Join(lines, "")
}

// notTwice is what FRR 8.4 says of graceful-restart-disable where it is set already:
// frr-reload adds everything in both of its passes. A second run, which the reloader
// makes too, has nothing to add.
const notTwice = "The Graceful Restart command used is not valid at this moment"

func (s speaker) reload(conf string) error {
	return unlocked(func() error {
		_, err := s.reloadScript("--reload", conf)
		if err != nil && s.Version() == frr.V8_4 && strings.Contains(err.Error(), notTwice) {
			_, err = s.reloadScript("--reload", conf)
		}
		return err
	})
}

func (s speaker) reloadScript(mode, conf string) (string, error) {
	if err := os.WriteFile(filepath.Join(s.EtcDir(), "golden.conf"), []byte(conf), 0o644); err != nil {
		return "", err
	}
	return s.Exec(frrReload, mode, "/etc/frr/golden.conf")
}

// clear takes away what a configuration brought, much faster than frr-reload.
func (s speaker) clear(conf string) error {
	var commands, within, lists []string
	seen := map[string]bool{}
	for line := range strings.Lines(s.spoken(conf)) {
		words := strings.Fields(line)
		switch {
		case line == "bfd\n":
			commands = append(commands, "no bfd")
		case strings.HasPrefix(line, "router bgp"):
			commands = append(commands, "no "+strings.TrimSpace(line))
		case strings.HasPrefix(line, "interface "):
			commands = append(commands, "no "+strings.TrimSpace(line)) // the kernel has none of them
		case strings.HasPrefix(line, "vrf "):
			within = []string{strings.TrimSpace(line)}
		case line == "exit-vrf\n":
			commands, within = slices.Concat(commands, within, []string{"exit-vrf"}), nil
		case within != nil:
			within = append(within, "no "+strings.TrimSpace(line))
		case strings.HasPrefix(line, "ip route "), strings.HasPrefix(line, "ipv6 route "):
			commands = append(commands, "no "+strings.TrimSpace(line))
		case len(words) > 2 && words[1] == "prefix-list" && !seen["list "+words[2]]:
			seen["list "+words[2]] = true
			lists = append(lists, "no "+strings.Join(words[:3], " "))
		case strings.HasPrefix(line, "route-map") && !seen[words[1]]:
			seen[words[1]] = true
			commands = append(commands, "no route-map "+words[1])
		}
	}
	return s.configure(append(commands, lists...))
}

// notOurs are lines that FRR prints of itself.
var notOurs = []string{
	"Building configuration...", "Current configuration:", "frr version ", "frr defaults ", "hostname ",
	"service integrated-vtysh-config", "end", "log ",
}

// blocks are the top-level blocks of a configuration, sorted: FRR's versions
// differ only in the order of blocks. Within a block the order counts.
func blocks(conf string) []string {
	var all []string
	for line := range strings.Lines(conf) {
		text := strings.TrimRight(line, "\n")
		switch {
		case text == "" || text == "!" || slices.ContainsFunc(notOurs, func(p string) bool { return strings.HasPrefix(text, p) }):
		case text == " !": // between inner blocks
		case strings.HasPrefix(text, " ") || text == "exit" || text == "exit-vrf":
			all[len(all)-1] += line
		default:
			all = append(all, line)
		}
	}
	// What is left of "bfd" when its last profile went, and of a VRF without lines.
	all = slices.DeleteFunc(all, func(block string) bool {
		lines := strings.Split(block, "\n")
		return block == "bfd\nexit\n" || len(lines) == 3 && lines[1] == "exit-vrf"
	})
	slices.Sort(all)
	return all
}

// missingIn are the blocks of those that others doesn't have.
func missingIn(others, those []string) []string {
	return slices.DeleteFunc(slices.Clone(those), func(block string) bool { return slices.Contains(others, block) })
}

// deltaLines are the lines that frr-reload --test would delete or add.
func deltaLines(report string) []string {
	var lines []string
	for line := range strings.Lines(report) {
		text := strings.TrimRight(line, "\n")
		switch {
		case text == "", strings.HasPrefix(text, "Lines To "), strings.Trim(text, "=") == "":
		case strings.HasPrefix(text, "no hostname "), strings.HasPrefix(text, "service integrated-vtysh-config"):
			// FRR's own: it prints the host's name whether it is configured or not.
		default:
			lines = append(lines, text)
		}
	}
	return lines
}
