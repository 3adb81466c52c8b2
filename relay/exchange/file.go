package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	frr "github.com/herald-lb/herald/reloader/exchange"
)

const (
	// DefaultDir is the directory that agent and relay share. It isn't that of
	// frr.conf: the relay can't write what FRR is to do.
	DefaultDir = "/run/herald/relay"
	// DesiredFile is the agent's wish.
	DesiredFile = "relay.json"
	// ReportFile is the relay's answer.
	ReportFile = "relay-report.json"
	// MaxBytes bounds each of the two: 100,000 frontends take about 8 MB.
	MaxBytes = 32 << 20
)

// Errors of decoding, each a different remedy.
var (
	ErrTooLarge = fmt.Errorf("larger than %d MiB", MaxBytes>>20)
	ErrTrailing = errors.New("something follows the JSON object: the file was written by somebody else")
)

// Encode is the bytes of relay.json. Version is filled in.
func (d Desired) Encode() ([]byte, error) {
	d.Version = Version
	return encode(d)
}

// Hash is the hex SHA-256 of a file's bytes.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// WriteDesired writes relay.json and returns its hash.
func WriteDesired(dir string, d Desired) (string, error) {
	data, err := d.Encode()
	if err != nil {
		return "", err
	}
	return Hash(data), frr.WriteFile(dir, DesiredFile, data)
}

// ReadDesired reads and validates relay.json, and returns its hash, also where
// the content is refused. Without a file the error is fs.ErrNotExist.
func ReadDesired(dir string) (Desired, string, error) {
	path := filepath.Join(dir, DesiredFile)
	data, err := read(path)
	if err != nil {
		return Desired{}, "", err
	}
	d, err := DecodeDesired(data)
	if err != nil {
		return Desired{}, Hash(data), fmt.Errorf("%s: %w", path, err)
	}
	return d, Hash(data), nil
}

// DecodeDesired decodes relay.json's bytes: an unknown field, another version and
// values that can't be are errors.
func DecodeDesired(data []byte) (Desired, error) {
	var d Desired
	if err := decode(data, &d); err != nil {
		return Desired{}, err
	}
	if d.Version != Version {
		return Desired{}, versionError(d.Version)
	}
	if err := d.Validate(); err != nil {
		return Desired{}, err
	}
	return d, nil
}

// WriteReport writes relay-report.json. Version is filled in.
func WriteReport(dir string, r Report) error {
	r.Version = Version
	data, err := encode(r)
	if err != nil {
		return err
	}
	return frr.WriteFile(dir, ReportFile, data)
}

// ReadReport reads relay-report.json. Without a file the error is fs.ErrNotExist.
func ReadReport(dir string) (Report, error) {
	path := filepath.Join(dir, ReportFile)
	data, err := read(path)
	if err != nil {
		return Report{}, err
	}
	r, err := DecodeReport(data)
	if err != nil {
		return Report{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// DecodeReport decodes the bytes of relay-report.json as strictly as DecodeDesired.
func DecodeReport(data []byte) (Report, error) {
	var r Report
	if err := decode(data, &r); err != nil {
		return Report{}, err
	}
	if r.Version != Version {
		return Report{}, versionError(r.Version)
	}
	return r, nil
}

func versionError(got int) error {
	return fmt.Errorf("version %d, want %d: agent and relay are of different releases", got, Version)
}

func encode(of any) ([]byte, error) {
	data, err := json.MarshalIndent(of, "", " ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

func decode(data []byte, into any) error {
	if len(data) > MaxBytes {
		return ErrTooLarge
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	return data, nil
}
