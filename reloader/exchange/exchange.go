package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// ConfigFile is the agent's wish, in the exchange directory.
	ConfigFile = "frr.conf"
	// CopyFile is the agent's own copy of it: what was open stays open, also when
	// ConfigFile is damaged while no agent is there to notice.
	CopyFile = "frr.conf.copy"
	// ReportFile is the reloader's answer, in the exchange directory.
	ReportFile = "report.json"
	// StartupFile is what FRR loads when it starts, in FRR's run directory.
	StartupFile = "startup.conf"
	// StartErrorFile is where FRR's start script says why it refuses to start,
	// in FRR's run directory.
	StartErrorFile = "start-error"
	// EndingFile is made by FRR's preStop hook, in the exchange directory: its pod ends.
	// FRR's start script removes it, and StopFile.
	EndingFile = "frr-ending"
	// StopFile is the agent's answer, beside it: StopWait and for how many seconds at
	// most while the node gives its routes up, then StopNow.
	StopFile = "frr-stop"
	// StopWait is the first word of a StopFile while FRR has to wait.
	StopWait = "wait"
	// StopNow is that of one which lets it end.
	StopNow = "now"
	// DefaultDir is the exchange directory.
	DefaultDir = "/run/herald/exchange"
	// BootIDFile tells one boot of the kernel from another.
	BootIDFile = "/proc/sys/kernel/random/boot_id"

	// MaxConfigBytes bounds frr.conf: 100,000 prefixes take about 8 MB.
	MaxConfigBytes = 64 << 20

	headerPrefix = "! herald "
	hashHexBytes = sha256.Size * 2
)

// Errors of Decode, each a different remedy.
var (
	ErrNoHeader  = errors.New("no Herald header in the first line: the file is empty, foreign or was cut")
	ErrBadHeader = errors.New("malformed Herald header, want \"! herald VERSION SHA256 BOOT-ID\"")
	ErrHash      = errors.New("content does not match the SHA-256 of its header: the file is truncated or was changed")
	ErrTooLarge  = fmt.Errorf("larger than %d MiB", MaxConfigBytes>>20)
)

// File is a configuration with its header.
type File struct {
	// Version of the Herald that wrote it.
	Version string
	// Hash is the hex SHA-256 of Body.
	Hash string
	// BootID of the kernel under which it was written.
	BootID string
	// Body is the configuration without the header line.
	Body []byte
}

// NewFile makes a File of a body, computing its hash. Blanks in version or
// bootID are an error of the caller and are replaced by "-".
func NewFile(version, bootID string, body []byte) File {
	sum := sha256.Sum256(body)
	return File{Version: word(version), Hash: hex.EncodeToString(sum[:]), BootID: word(bootID), Body: body}
}

func word(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return strings.Join(f, "-")
	}
	return "-"
}

// Encode is the file's bytes: header line, then the body.
func (f File) Encode() []byte { return slices.Concat(f.Header(), f.Body) }

// Header is the first line.
func (f File) Header() []byte {
	return fmt.Appendf(nil, "%s%s %s %s\n", headerPrefix, f.Version, f.Hash, f.BootID)
}

// Write replaces dir/name by the file.
func (f File) Write(dir, name string) error { return WriteFile(dir, name, f.Header(), f.Body) }

// Decode reads a file's bytes and checks them against the header. The error is
// one of ErrNoHeader, ErrBadHeader, ErrHash, ErrTooLarge.
func Decode(data []byte) (File, error) {
	if len(data) > MaxConfigBytes {
		return File{}, ErrTooLarge
	}
	line, body, found := bytes.Cut(data, []byte("\n"))
	if !found || !bytes.HasPrefix(line, []byte(headerPrefix)) {
		return File{}, ErrNoHeader
	}
	fields := strings.Split(string(line[len(headerPrefix):]), " ")
	if len(fields) != 3 || len(fields[1]) != hashHexBytes {
		return File{}, ErrBadHeader
	}
	f := NewFile(fields[0], fields[2], body)
	if f.Hash != fields[1] {
		return File{}, ErrHash
	}
	return f, nil
}

// ReadConfig reads and checks the configuration in dir.
func ReadConfig(dir string) (File, error) { return read(filepath.Join(dir, ConfigFile)) }

// ReadCopy reads and checks the agent's copy of the configuration in dir.
func ReadCopy(dir string) (File, error) { return read(filepath.Join(dir, CopyFile)) }

func read(path string) (File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > MaxConfigBytes {
		return File{}, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	f, err := Decode(data)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// BootID is the kernel's boot id.
func BootID() (string, error) {
	b, err := os.ReadFile(BootIDFile)
	return strings.TrimSpace(string(b)), err
}

// WriteFile replaces dir/name by rename, so that a reader sees the old content
// or the new one and never a part. The file has mode 0600. The parts come one behind
// the other: a long one needn't be copied for the sake of a line before it.
func WriteFile(dir, name string, parts ...[]byte) (err error) {
	tmp, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	for _, part := range parts {
		if _, err = tmp.Write(part); err != nil {
			return err
		}
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}
