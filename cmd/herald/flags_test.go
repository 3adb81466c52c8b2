package main

import (
	"strings"
	"testing"
)

// Wrong flags end the program with one line that names the flag, before it reaches for
// anything.
func TestWrongFlags(t *testing.T) {
	t.Setenv("NODE_NAME", "")
	dir := t.TempDir()
	for arguments, want := range map[string]string{
		"agent":               "set --node-name, or NODE_NAME",
		"agent extra":         `unknown command "extra"`,
		"agent --nodename n1": "unknown flag: --nodename",
		"agent --node-name n1 --exchange-dir /nowhere":                "/nowhere",
		"agent --node-name n1 --log-level loud --exchange-dir " + dir: "--log-level",
		"agent --node-name n1 --counters-interval soon":               "--counters-interval",
		"manager --leader-elect=perhaps":                              "--leader-elect",
		"manager --log-level loud":                                    "--log-level",
		"relay --relay-dir /nowhere":                                  "--relay-dir",
		"relay --log-level loud --relay-dir " + dir:                   "--log-level",
		"conductor": `unknown command "conductor"`,
	} {
		t.Run(arguments, func(t *testing.T) {
			root := newRoot()
			root.SetArgs(strings.Fields(arguments))
			err := root.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", err, want)
			}
		})
	}
}
