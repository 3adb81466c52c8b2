package snippet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Marker begins the line before a snippet in frr.conf; the snippet's name follows.
// The base configuration holds no such line, and neither does a checked snippet:
// its comments come without their text.
const Marker = "! herald snippet "

// Snippet is extra configuration as it stands in frr.conf: line N of it is line N
// of what the user wrote.
type Snippet struct {
	Name  string
	Lines []string
}

// IsName says whether a name can stand behind Marker: as Kubernetes names objects.
func IsName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// Text is the lines as a file.
func (s Snippet) Text() string { return strings.Join(s.Lines, "\n") + "\n" }

// Hash names the text.
func (s Snippet) Hash() string {
	sum := sha256.Sum256([]byte(s.Text()))
	return hex.EncodeToString(sum[:])
}

// Split separates the body of frr.conf into the base and the snippets behind it,
// in their order.
func Split(body []byte) (base []byte, snippets []Snippet) {
	start := 0
	if !bytes.HasPrefix(body, []byte(Marker)) {
		if start = bytes.Index(body, []byte("\n"+Marker)) + 1; start == 0 {
			return body, nil
		}
	}
	for line := range strings.Lines(string(body[start:])) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, Marker); ok {
			snippets = append(snippets, Snippet{Name: name})
			continue
		}
		last := &snippets[len(snippets)-1]
		last.Lines = append(last.Lines, line)
	}
	return body[:start], snippets
}
