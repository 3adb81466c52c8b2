// Command tally reads the output of "go test -json" and ends with one line that
// counts: "N passed, N failed, N skipped". Ginkgo suites count by their specs,
// table tests by their leaves. The output of what failed, and the reason of
// everything that was skipped, is printed in full; the rest is one line a
// package. Lines that begin with "FAILED " or "FLAKED " (passed at a later
// attempt) are repeated before the last one. Its exit status is 1 when anything failed, or when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	t := newTally()
	if err := t.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if !t.finish(os.Stdout) {
		os.Exit(1)
	}
}

// event is one line of "go test -json" (see "go doc test2json").
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func (t *tally) read(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				t.add(e, out)
			} else {
				_, _ = out.Write(line) // what go itself says, outside of any test
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
