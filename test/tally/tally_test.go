package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	const run, pass, fail, skip = `{"Action":"run","Package":"p","Test":"`, `{"Action":"pass","Package":"p","Test":"`, `{"Action":"fail","Package":"p","Test":"`, `{"Action":"skip","Package":"p","Test":"`
	cases := map[string]struct {
		in   []string
		want string
		ok   bool
	}{
		"a plain test counts once":         {[]string{run + `A"}`, pass + `A"}`}, "1 passed, 0 failed, 0 skipped", true},
		"leaves count, parents do not":     {[]string{run + `A"}`, run + `A/x"}`, run + `A/y"}`, pass + `A/x"}`, skip + `A/y"}`, pass + `A"}`}, "1 passed, 0 failed, 1 skipped", true},
		"a failed leaf counts once":        {[]string{run + `A"}`, run + `A/x"}`, fail + `A/x"}`, fail + `A"}`}, "0 passed, 1 failed, 0 skipped", false},
		"a Ginkgo suite counts specs":      {[]string{run + `S"}`, `{"Action":"output","Package":"p","Test":"S","Output":"\u001b[1mSUCCESS!\u001b[0m -- 7 Passed | 0 Failed | 0 Pending | 2 Skipped"}`, pass + `S"}`}, "7 passed, 0 failed, 2 skipped", true},
		"a flaked spec counts once":        {[]string{run + `S"}`, `{"Action":"output","Package":"p","Test":"S","Output":"SUCCESS! -- 7 Passed | 0 Failed | 1 Flaked | 0 Pending | 2 Skipped"}`, pass + `S"}`}, "7 passed, 0 failed, 2 skipped", true},
		"a suite that fails at its set-up": {[]string{run + `S"}`, `{"Action":"output","Package":"p","Test":"S","Output":"FAIL! -- 0 Passed | 0 Failed | 0 Pending | 9 Skipped"}`, fail + `S"}`}, "0 passed, 1 failed, 9 skipped", false},
		"a suite that Ginkgo runs":         {[]string{`{"Action":"output","Package":"p","Output":"SUCCESS! -- 7 Passed | 0 Failed | 0 Pending | 2 Skipped"}`, `{"Action":"pass","Package":"p"}`}, "7 passed, 0 failed, 2 skipped", true},
		"a spec that fails under Ginkgo":   {[]string{`{"Action":"output","Package":"p","Output":"FAIL! -- 6 Passed | 1 Failed | 0 Pending | 2 Skipped"}`, `{"Action":"output","Package":"p","Output":"FAILED D1 why\n"}`, `{"Action":"fail","Package":"p"}`}, "FAILED D1 why\n6 passed, 1 failed, 2 skipped", false},
		"a process of Ginkgo that dies":    {[]string{`{"Action":"output","Package":"p","Output":"FAIL! -- 6 Passed | 0 Failed | 0 Pending | 2 Skipped"}`, `{"Action":"fail","Package":"p"}`}, "6 passed, 1 failed, 2 skipped", false},
		"a package that does not build":    {[]string{`{"Action":"fail","Package":"p"}`}, "0 passed, 1 failed, 0 skipped", false},
		"failures stand before the count":  {[]string{run + `S"}`, `{"Action":"output","Package":"p","Test":"S","Output":"FAILED D1 why\n"}`, fail + `S"}`, pass + `T"}`}, "FAILED D1 why\n1 passed, 1 failed, 0 skipped", false},
		"a suite that runs none":           {[]string{run + `S"}`, `{"Action":"output","Package":"p","Test":"S","Output":"SUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 9 Skipped"}`, pass + `S"}`, `{"Action":"pass","Package":"p"}`, run + `T"}`, pass + `T"}`}, "FAILED p passed without running any of its specs (9 skipped)\n1 passed, 1 failed, 9 skipped", false},
		"none that Ginkgo runs":            {[]string{`{"Action":"output","Package":"p","Output":"SUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 0 Skipped"}`, `{"Action":"pass","Package":"p"}`, run + `T"}`, pass + `T"}`}, "FAILED p passed without running any of its specs (0 skipped)\n1 passed, 1 failed, 0 skipped", false},
		"a package that runs no test":      {[]string{run + `T"}`, pass + `T"}`, `{"Action":"pass","Package":"q"}`}, "FAILED q passed without running any of its tests\n1 passed, 1 failed, 0 skipped", false},
		"a package without test files":     {[]string{run + `T"}`, pass + `T"}`, `{"Action":"skip","Package":"q"}`}, "1 passed, 0 failed, 0 skipped", true},
		"a package that skips all its own": {[]string{run + `T"}`, pass + `T"}`, `{"Action":"run","Package":"q","Test":"U"}`, `{"Action":"skip","Package":"q","Test":"U"}`, `{"Action":"pass","Package":"q"}`}, "1 passed, 0 failed, 1 skipped", true},
		"nothing ran":                      {nil, "0 passed, 0 failed, 0 skipped", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tl := newTally()
			if err := tl.read(strings.NewReader(strings.Join(c.in, "\n")), io.Discard); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			ok := tl.finish(&out)
			if ok != c.ok || !strings.Contains(out.String(), c.want) {
				t.Errorf("got %v %q, want %v %q", ok, out.String(), c.ok, c.want)
			}
		})
	}
}

// TestMaySkip: that all was skipped is a failure where it isn't expected.
func TestMaySkip(t *testing.T) {
	for _, maySkip := range []bool{false, true} {
		run := newTally()
		run.maySkip, run.total = maySkip, counts{skipped: 3}
		if well := run.finish(io.Discard); well != maySkip {
			t.Errorf("may skip %v: well %v", maySkip, well)
		}
		suite := newTally()
		suite.maySkip = maySkip
		if err := suite.read(strings.NewReader(`{"Action":"output","Package":"p","Output":"SUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 9 Skipped"}`+"\n"+`{"Action":"pass","Package":"p"}`), io.Discard); err != nil {
			t.Fatal(err)
		}
		if well := suite.finish(io.Discard); well != maySkip {
			t.Errorf("may skip %v: a suite without specs well %v", maySkip, well)
		}
		run.total = counts{}
		if run.finish(io.Discard) {
			t.Errorf("may skip %v: nothing at all is well", maySkip)
		}
	}
}

func TestSumOfTwoRuns(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "runs", "test"), filepath.Join(dir, "runs", "e2e")}
	for i, c := range []counts{{passed: 7, skipped: 1}, {passed: 2, failed: 1, skipped: 3}} {
		run := newTally()
		run.total = c
		if err := run.save(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	sum := newTally()
	if err := sum.load(files); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if well := sum.finish(&out); well || out.String() != "9 passed, 1 failed, 4 skipped\n" {
		t.Errorf("%v %q", well, out.String())
	}
	if err := newTally().load([]string{filepath.Join(dir, "none")}); err == nil {
		t.Error("a run that kept nothing was taken for one without tests")
	}
}
