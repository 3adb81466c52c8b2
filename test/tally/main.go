// Command tally reads the output of "go test -json" and ends with one line that
// counts: "N passed, N failed, N skipped". Ginkgo suites count by their specs,
// table tests by their leaves. The output of what failed, and the reason of
// everything that was skipped, is printed in full; the rest is one line a
// package. Lines that begin with "FAILED " or "FLAKED " (passed at a later
// attempt) are repeated before the last one. Its exit status is 1 when anything failed, or
// when nothing ran: neither in all nor in a package that has tests or in a Ginkgo suite.
//
//	go test -json ./... | tally -save FILE    also keeps the counts in FILE
//	go test -json ./... | tally -again 'go test -json'
//	                                          also runs what failed once more: what passes then
//	                                          is FLAKED. Not more than three tests, none whose failure
//	                                          names a seed (it has found something), and no Ginkgo
//	                                          suite, which does so itself
//	go test -json ./... | tally -may-skip     all of it skipped is no failure
//	tally -sum FILE...                        one line: the sum of what was kept
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	save := flag.String("save", "", "file to keep the counts in")
	sum := flag.Bool("sum", false, "add up what was kept in the files named")
	again := flag.String("again", "", "the shell's command by which a failed test is run once more")
	maySkip := flag.Bool("may-skip", false, "that every test was skipped is no failure: for what not every machine can run")
	flag.Parse()
	t := newTally()
	t.maySkip = *maySkip
	var err error
	if *sum {
		err = t.load(flag.Args())
	} else {
		err = t.read(os.Stdin, os.Stdout)
		if err == nil && *again != "" {
			err = t.tryAgain(*again, os.Stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	well := t.finish(os.Stdout)
	if *save != "" {
		if err := t.save(*save); err != nil {
			fmt.Fprintln(os.Stderr, "tally:", err)
			os.Exit(1)
		}
	}
	if !well {
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
