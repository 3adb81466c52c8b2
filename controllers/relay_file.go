package controllers

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/herald-lb/herald/relay/exchange"
)

// RelayFile is the agent's wish of the relay: relay.json in the directory that the two
// share.
type RelayFile struct {
	dir string
	// hash of what the directory holds, and its file, by which a foreign hand is
	// noticed.
	hash string
	info fs.FileInfo
}

// RelayWish is what became of a wish.
type RelayWish struct {
	// Desired is what the relay is to do; nil where nobody knows yet.
	Desired *exchange.Desired
	// Hash of relay.json, in hex; empty where there is none.
	Hash string
	// Error says why the wish could not be handed to the relay.
	Error error
}

// NewRelayFile is that of a directory; nil where it is empty.
func NewRelayFile(dir string) *RelayFile {
	if dir == "" {
		return nil
	}
	return &RelayFile{dir: dir}
}

// Write makes desired the node's wish; nil leaves what is there. Nothing is written
// when the directory already holds it.
func (f *RelayFile) Write(desired *exchange.Desired) RelayWish {
	if f == nil || desired == nil {
		return RelayWish{}
	}
	wish := RelayWish{Desired: desired}
	data, err := desired.Encode()
	if err != nil {
		wish.Error = fmt.Errorf("%s: %w", exchange.DesiredFile, err)
		return wish
	}
	wish.Hash = exchange.Hash(data)
	if wish.Hash == f.hash && f.intact() {
		return wish
	}
	// Another agent may have written the same before this one was started.
	if _, there, err := exchange.ReadDesired(f.dir); err != nil || there != wish.Hash {
		if _, err := exchange.WriteDesired(f.dir, *desired); err != nil {
			wish.Error = fmt.Errorf("directory of the relay: %w", err)
			return wish
		}
	}
	f.hash = wish.Hash
	f.info, _ = os.Stat(f.path())
	return wish
}

func (f *RelayFile) intact() bool {
	info, err := os.Stat(f.path())
	return err == nil && f.info != nil && os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime())
}

func (f *RelayFile) path() string { return filepath.Join(f.dir, exchange.DesiredFile) }

// relayLeft says whether the last that the relay was told is to take its rules away.
func relayLeft(relayDir string) bool {
	last, _, err := exchange.ReadDesired(relayDir)
	return err == nil && last.Remove
}
