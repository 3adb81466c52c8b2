package vty

import (
	"fmt"
	"strings"
)

// Statuses of an answer that callers tell apart (FRR lib/command.h).
const (
	StatusSuccess = 0
	// StatusWarning: a show command found nothing, or a command was of no effect.
	StatusWarning = 1
	// StatusNoMatch: the daemon doesn't know the command here.
	StatusNoMatch = 2
	// StatusWarningConfigFailed: the daemon knows the command and refuses it.
	StatusWarningConfigFailed = 13
)

const redacted = "***"

// CommandError is a command that a daemon answered with a failure.
type CommandError struct {
	// Daemon as given to Dial, and the command with passwords redacted.
	Daemon, Command string
	Status          byte
	// Output is what FRR said, passwords redacted.
	Output string
}

// Error names daemon, command, FRR's words and the status.
func (e *CommandError) Error() string {
	said := strings.Join(strings.Fields(e.Output), " ")
	if said == "" {
		said = "refused without a word"
	}
	return fmt.Sprintf("%s: %q: %s (status %d)", e.Daemon, e.Command, said, e.Status)
}

// Redact replaces the word after each "password" (and what follows it in the
// line) by ***: FRR echoes command lines in its messages, and a password is the
// last word of its command.
func Redact(text string) string {
	if !strings.Contains(text, "password") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = redactLine(line)
	}
	return strings.Join(lines, "\n")
}

func redactLine(line string) string {
	const word = "password "
	at := strings.Index(line, word)
	if at < 0 || strings.TrimSpace(line[at+len(word):]) == "" {
		return line
	}
	return line[:at+len(word)] + redacted
}
