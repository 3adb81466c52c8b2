package controllers

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/herald-lb/herald/relay/exchange"
)

func TestRelayFile(t *testing.T) {
	dir := t.TempDir()
	file := NewRelayFile(dir)
	path := filepath.Join(dir, exchange.DesiredFile)
	written := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	desired := &exchange.Desired{Node: "n", Count: []netip.Addr{netip.MustParseAddr("203.0.113.7")}}

	if file.Write(nil); exists(path) {
		t.Fatal("written although nothing is known")
	}
	wish := file.Write(desired)
	read, hash, err := exchange.ReadDesired(dir)
	if wish.Error != nil || err != nil || hash != wish.Hash || len(read.Count) != 1 {
		t.Fatalf("%+v %+v %v", wish, read, err)
	}
	before := written()
	file.Write(&exchange.Desired{Node: "n", Count: desired.Count})
	if another := NewRelayFile(dir).Write(desired); !os.SameFile(written(), before) || another.Hash != hash {
		t.Error("the same was written again")
	}
	if file.Write(nil); !exists(path) {
		t.Error("what is not known took away what is there")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if file.Write(desired); os.SameFile(written(), before) {
		t.Error("a foreign hand's file stays")
	}
	if _, hash, err := exchange.ReadDesired(dir); err != nil || hash != wish.Hash {
		t.Error(hash, err)
	}
	if wish := NewRelayFile(filepath.Join(dir, "missing")).Write(desired); wish.Error == nil {
		t.Error("a missing directory is no error")
	}
	if wish := NewRelayFile("").Write(desired); wish.Error != nil || wish.Hash != "" {
		t.Error("no directory is no relay", wish)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
