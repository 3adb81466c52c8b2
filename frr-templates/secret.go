package frrtemplates

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

const redacted = "***"

// Secret is a password that prints as "***" in every format, log and encoding.
// Only Reveal gives it out, and only the neighbor template and the checks of a
// password call that. Secrets of the same password are equal.
type Secret struct {
	// A handle, so that not even a print of an unexported field, where fmt calls
	// no method, shows the text.
	text unique.Handle[string]
}

// NewSecret wraps a password; that of an empty text is the zero value.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: unique.Make(text)}
}

// Reveal is the password itself, for frr.conf.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero says whether there is no password.
func (s Secret) IsZero() bool { return s == Secret{} }

// String is "***", or empty where there is no password.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format keeps the password out of every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON keeps the password out of JSON and of structured logs.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText keeps the password out of every text encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps the password out of slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
