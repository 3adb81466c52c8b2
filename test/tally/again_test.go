package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// second is a command that writes what it is run with to a file, and prints a test's events.
func second(t *testing.T, events ...string) (command, asked string) {
	t.Helper()
	dir := t.TempDir()
	asked = filepath.Join(dir, "asked")
	printed := filepath.Join(dir, "printed")
	if err := os.WriteFile(printed, []byte(strings.Join(events, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "script")
	text := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>'%s'\ncat '%s'\n! grep -q '\"fail\"' '%s'\n", asked, printed, printed)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return script + " -json", asked
}

func TestAgain(t *testing.T) {
	const (
		run    = `{"Action":"run","Package":"p","Test":"`
		pass   = `{"Action":"pass","Package":"p","Test":"`
		fail   = `{"Action":"fail","Package":"p","Test":"`
		output = `{"Action":"output","Package":"p","Test":"A","Output":"`
		ended  = `{"Action":"fail","Package":"p"}`
		ginkgo = `{"Action":"output","Package":"p","Test":"A","Output":"FAIL! -- 6 Passed | 1 Failed | 0 Pending | 2 Skipped"}`
	)
	failed := []string{run + `A"}`, output + `late\n"}`, fail + `A"}`, run + `B"}`, pass + `B"}`, ended}
	passes, fails := []string{run + `A"}`, pass + `A"}`}, []string{run + `A"}`, fail + `A"}`}
	cases := map[string]struct {
		first, second []string
		asked, want   string
		well          bool
	}{
		"passes then":        {failed, passes, "-json -run ^A$ p\n", "FLAKED p A (2 attempts): late\n2 passed, 0 failed, 0 skipped\n", true},
		"fails again":        {failed, fails, "-json -run ^A$ p\n", "FAILED p A (2 attempts): late\n1 passed, 1 failed, 0 skipped\n", false},
		"doesn't run then":   {failed, nil, "-json -run ^A$ p\n", "FAILED p A (2 attempts): late\n1 passed, 1 failed, 0 skipped\n", false},
		"is skipped then":    {failed, []string{run + `A"}`, `{"Action":"skip","Package":"p","Test":"A"}`}, "-json -run ^A$ p\n", "FAILED p A", false},
		"a subtest":          {[]string{run + `A"}`, run + `A/x"}`, run + `A/y"}`, pass + `A/x"}`, fail + `A/y"}`, fail + `A"}`, ended}, passes, "-json -run ^A$ p\n", "2 passed, 0 failed, 0 skipped\n", true},
		"named a seed":       {[]string{run + `A"}`, output + `seed 7, after 3 steps"}`, fail + `A"}`, ended}, passes, "", "0 passed, 1 failed, 0 skipped\n", false},
		"ended the program":  {[]string{run + `A"}`, output + `panic: late"}`, fail + `A"}`, ended}, passes, "", "0 passed, 1 failed, 0 skipped\n", false},
		"is a Ginkgo suite":  {[]string{run + `A"}`, ginkgo, fail + `A"}`, ended}, passes, "", "6 passed, 1 failed, 2 skipped\n", false},
		"one of many":        {[]string{run + `A"}`, fail + `A"}`, fail + `B"}`, fail + `C"}`, fail + `D"}`, ended}, passes, "", "0 passed, 4 failed, 0 skipped\n", false},
		"one did not build":  {append([]string{`{"Action":"fail","Package":"q"}`}, failed...), passes, "", "1 passed, 2 failed, 0 skipped\n", false},
		"nothing had failed": {passes, passes, "", "1 passed, 0 failed, 0 skipped\n", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			command, file := second(t, c.second...)
			tl := newTally()
			if err := tl.read(strings.NewReader(strings.Join(c.first, "\n")), io.Discard); err != nil {
				t.Fatal(err)
			}
			if err := tl.tryAgain(command, io.Discard); err != nil {
				t.Fatal(err)
			}
			asked, _ := os.ReadFile(file) // there is none where nothing was asked
			if string(asked) != c.asked {
				t.Errorf("asked %q, want %q", asked, c.asked)
			}
			var out strings.Builder
			if well := tl.finish(&out); well != c.well || !strings.Contains(out.String(), c.want) {
				t.Errorf("%v %q, want %v %q", well, out.String(), c.well, c.want)
			}
		})
	}
}
