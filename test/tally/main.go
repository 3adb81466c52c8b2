// Command tally runs "go test -json" and ends with one line that counts:
// "N passed, N failed, N skipped". Ginkgo suites count by their specs, table tests by
// their leaves. The output of what failed, and the reason of everything that was
// skipped, is printed in full; the rest is one line a package. Lines that begin with
// "FAILED " or "FLAKED " (passed at a later attempt) are repeated before the last one.
// Its exit status is 1 when anything failed, or when nothing ran: neither in all nor in a
// package that has tests or in a Ginkgo suite; or when the command failed and no test did.
//
//	tally -save FILE go test -json ./...    also keeps the counts in FILE
//	tally -again 'go test -json' go test -json ./...
//	                                        also runs what failed once more: what passes then is
//	                                        FLAKED, and no failure. Not more than three tests, none
//	                                        whose failure names a seed (it has found something), and
//	                                        no Ginkgo suite, which does so itself
//	tally -may-skip go test -json ./...     all of it skipped is no failure
//	tally -sum FILE...                      one line: the sum of what was kept
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
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
		err = t.run(flag.Args(), *again, os.Stdout)
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

// run counts what the command's events tell. That the command itself fails is told by
// them too; where they don't, something else is wrong.
func (t *tally) run(command []string, again string, out io.Writer) error {
	if len(command) == 0 {
		return errors.New("no command is given, such as: go test -json")
	}
	t.hold = again != ""
	status, err := t.follow(exec.Command(command[0], command[1:]...), out)
	if err != nil {
		return err
	}
	if status != nil && t.broken == 0 && len(t.failed) == 0 && t.total.failed == 0 {
		t.fail("%s: %v, and no test failed", command[0], status)
	}
	// Go exits with 1 when a test fails. Whatever else it says, some of them didn't run.
	if exit := (*exec.ExitError)(nil); errors.As(status, &exit) && exit.ExitCode() != 1 {
		t.fail("%s: %v", command[0], status)
	}
	if again != "" {
		return t.tryAgain(again, out)
	}
	return nil
}

// follow reads a command's events; status is how it ended.
func (t *tally) follow(run *exec.Cmd, out io.Writer) (status, err error) {
	run.Stderr = os.Stderr
	pipe, err := run.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	if err := t.read(pipe, out); err != nil {
		return nil, err
	}
	return run.Wait(), nil
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
