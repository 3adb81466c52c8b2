package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/snippet"
)

// Job is what is to be tried, and where.
type Job struct {
	// Vtysh, LibDir, RunDir and Daemons are FRR's.
	Vtysh, LibDir, RunDir string
	Daemons               []string
	// Base is the skeleton of the wanted configuration.
	Base string
	// Snippets in their order.
	Snippets []snippet.Snippet
}

// Record is what was found out, with the key of what was tried.
type Record struct {
	Key      string
	Outcomes []Outcome
}

// Outcome is that of one snippet.
type Outcome struct {
	Name string
	// Hash of its text.
	Hash string
	// Refused is nil where it is accepted.
	Refused *snippet.Problem `json:",omitempty"`
	// Additions are the lines that FRR printed for it, as a configuration.
	Additions string `json:",omitempty"`
}

// Key names what a Record is about: a release of FRR, the base's skeleton, and
// the snippets.
func Key(release string, base *plan.Config, snippets []snippet.Snippet) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", release, base.Skeleton().Text(plan.Quirks{}))
	for _, s := range snippets {
		fmt.Fprintf(h, " %q %q", s.Name, s.Text())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Encode and DecodeRecord keep a Record in a file.
func (r *Record) Encode() ([]byte, error) { return json.MarshalIndent(r, "", " ") }

// DecodeRecord reads a Record; nil where it can't be read: then it is tried again.
func DecodeRecord(data []byte) *Record {
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil
	}
	return r
}
