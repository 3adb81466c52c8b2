package status

import (
	"strings"
	"unicode"
)

// shorten makes a text that others chose fit for a status: FRR's words hold what
// a router said (RFC 9003), and who reads them does so on a terminal.
func shorten(text string, limit int) string {
	const ellipsis = "…"
	text = strings.Map(harmless, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(ellipsis)], "") + ellipsis
}

// harmless leaves no rune that moves the cursor or turns the writing's direction.
func harmless(r rune) rune {
	if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
		return ' '
	}
	return r
}
