package controllers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/herald-lb/herald/reloader/exchange"
)

// ConfigFile is the agent's wish: frr.conf in the exchange directory.
type ConfigFile struct {
	dir, version, bootID string

	mu sync.Mutex
	// hash of the body in the directory, and its file, by which a foreign hand
	// is noticed without reading megabytes.
	hash string
	info fs.FileInfo
	// uncopied is what was written and has no copy yet.
	uncopied *exchange.File
}

// OpenConfigFile takes over the file of the exchange directory. It gives what
// it held, if that was written in this boot of the kernel, else nil. Unreadable
// content is told by the error and is no obstacle: the next Write replaces it,
// and what it held before is read from the copy.
func OpenConfigFile(dir, version, bootID string) (*ConfigFile, *exchange.File, error) {
	c := &ConfigFile{dir: dir, version: version, bootID: bootID}
	file, err := exchange.ReadConfig(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, c.copy(), nil
	case err != nil:
		return c, c.copy(), err
	case file.BootID != bootID:
		return c, nil, nil
	}
	c.remember(file.Hash)
	return c, &file, nil
}

// copy is the copy of this boot, nil where there is none. FRR runs what it says
// while the file itself is damaged.
func (c *ConfigFile) copy() *exchange.File {
	file, err := exchange.ReadCopy(c.dir)
	if err != nil || file.BootID != c.bootID {
		return nil
	}
	return &file
}

// Write makes body the node's wish and gives its hash. Nothing is written when
// the directory already holds it. The body is read once more by Copy, and then no more.
func (c *ConfigFile) Write(body []byte) (hash string, written bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	file := exchange.NewFile(c.version, c.bootID, body)
	if file.Hash == c.hash && c.intact() {
		return file.Hash, false, nil
	}
	if err := file.Write(c.dir, exchange.ConfigFile); err != nil {
		return file.Hash, false, fmt.Errorf("exchange directory: %w", err)
	}
	c.remember(file.Hash)
	c.uncopied = &file
	return file.Hash, true, nil
}

// Copy keeps a copy of what was written last, unless it is kept already. It is for
// when the wish is told: without a copy only a file that is damaged while no agent
// lives closes gates.
func (c *ConfigFile) Copy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uncopied != nil {
		_ = c.uncopied.Write(c.dir, exchange.CopyFile)
		c.uncopied = nil
	}
}

// Intact says whether the directory holds what was last written there.
func (c *ConfigFile) Intact() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.intact()
}

func (c *ConfigFile) intact() bool {
	if c.info == nil {
		return false
	}
	info, err := os.Stat(c.path())
	return err == nil && os.SameFile(info, c.info) && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime())
}

func (c *ConfigFile) remember(hash string) {
	c.hash, c.info = hash, nil
	if info, err := os.Stat(c.path()); err == nil {
		c.info = info
	}
}

func (c *ConfigFile) path() string { return filepath.Join(c.dir, exchange.ConfigFile) }

// CheckExchangeDir says why the agent can't write to the exchange directory,
// with the remedy.
func CheckExchangeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("exchange directory %s does not exist: mount the host's directory there, or name another one with --exchange-dir", dir)
	case err != nil:
		return fmt.Errorf("exchange directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("exchange directory %s is not a directory: name another one with --exchange-dir", dir)
	}
	probe, err := os.CreateTemp(dir, ".writable.*")
	if err != nil {
		return fmt.Errorf("exchange directory %s is not writable for UID %d: mount it read-write, with the owner that the agent runs as: %w", dir, os.Getuid(), err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
