package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// reloaderProgram lies beside this program in Herald's image.
const reloaderProgram = "reloader"

func newInstallReloaderCommand() *cobra.Command {
	var to string
	command := &cobra.Command{
		Use:   "install-reloader",
		Short: "Copies the reloader out of Herald's image, to run it in FRR's",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return installProgram(filepath.Join(filepath.Dir(self), reloaderProgram), filepath.Join(to, reloaderProgram))
		},
	}
	command.Flags().StringVar(&to, "to", "/programs", "directory to copy it to")
	return command
}

// installProgram copies by rename: a container that starts sees all of it or nothing.
func installProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("the reloader's program: %w: it must lie beside herald's", err)
	}
	defer func() { _ = source.Close() }()
	target, err := os.CreateTemp(filepath.Dir(to), ".new.*")
	if err != nil {
		return fmt.Errorf("the reloader's program: %w: mount a directory there, or give --to", err)
	}
	_, err = io.Copy(target, source)
	if closed := target.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(target.Name(), 0o555) //nolint:gosec // a program
	}
	if err == nil {
		err = os.Rename(target.Name(), to)
	}
	if err != nil {
		return fmt.Errorf("the reloader's program: %w", err)
	}
	return nil
}
