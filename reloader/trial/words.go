package trial

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-lb/herald/reloader/snippet"
)

// failedLine is how vtysh names a line of its file: one that no daemon knows, or
// one that a daemon refused, for which the daemon's words stand elsewhere.
var failedLine = regexp.MustCompile(`^line (\d+): (.*)$`)

// maxWords of FRR, in bytes.
const maxWords = 400

// refusal reads what vtysh said about a file that it couldn't load whole: the first
// line of the file that failed, in FRR's words.
func refusal(output string, lines []string) *snippet.Problem {
	first := &snippet.Problem{}
	unknown := false
	var words []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		match := failedLine.FindStringSubmatch(line)
		if match == nil {
			if line != "" && !isNoise(line) {
				words = append(words, strings.TrimLeft(line, "% "))
			}
			continue
		}
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > len(lines) || strings.HasPrefix(match[2], "Warning") {
			continue
		}
		if first.Line == 0 || n < first.Line {
			first.Line, first.Text = n, strings.TrimSpace(lines[n-1])
			unknown = strings.Contains(match[2], "Unknown command")
		}
	}
	said := strings.Join(words, "; ")
	switch {
	case first.Line > 0 && unknown:
		said = "FRR: Unknown command"
	case said == "":
		said = "FRR refuses it without a word"
	default:
		said = "FRR: " + said
	}
	first.Why = strings.ToValidUTF8(said[:min(len(said), maxWords)], "")
	return first
}

// namesLine says whether vtysh named a line that failed; not every release ends
// with an error then.
func namesLine(output string) bool {
	for line := range strings.Lines(output) {
		if match := failedLine.FindStringSubmatch(strings.TrimSpace(line)); match != nil && !strings.HasPrefix(match[2], "Warning") {
			return true
		}
	}
	return false
}

// isNoise is what vtysh and daemons say besides: their progress, remarks about
// route-maps that come later, and vtysh's own mark of a file's end, which FRR 8
// doesn't know after an error.
func isNoise(line string) bool {
	for _, part := range []string{
		"] sending configuration", "] done", "Waiting for children", "MGMTD: No changes found",
		"The route-map '", "FRR_end_configuration", "processing failure",
	} {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}
