package status

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWhatARouterSaysIsHarmless(t *testing.T) {
	const said = "Cease\x1b[2J\x00: maintenance\u202e at 5\u009b31m\xff\n(RFC 9003)"
	if got, want := shorten(said, maxText), "Cease [2J : maintenance  at 5 31m\uFFFD\n(RFC 9003)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzShorten(f *testing.F) {
	for _, seed := range []string{"", "Cease/Administrative Shutdown", "\x1b[31m", strings.Repeat("ä", 600), "\xff\xfe", "\u202e"} {
		f.Add(seed, 20)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(8, limit%maxError)
		got := shorten(text, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%q of %d bytes, at most %d", got, len(got), limit)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Errorf("%q holds a control character", got)
		}
	})
}
