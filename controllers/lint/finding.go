package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/herald-lb/herald/controllers/compile"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	// Error: something would be refused, or would not work.
	Error Level = "error"
	// Note: it would hold, but for what the message says.
	Note Level = "note"
)

// Reasons beside those of api/v1alpha1/conditions.go.
const (
	ReasonInvalid        = "Invalid"        // the API server refuses a value
	ReasonUnreadable     = "Unreadable"     // a value is not of the field's type
	ReasonUnknownField   = "UnknownField"   // there is no such field
	ReasonUnknownKind    = "UnknownKind"    // there is no such Kind
	ReasonUnknownVersion = "UnknownVersion" // there is no such version of the Kind
	ReasonDuplicate      = "Duplicate"      // the object is there twice
	ReasonOtherNamespace = "OtherNamespace" // a Secret is where Herald doesn't read it
	ReasonNotAnnounced   = "NotAnnounced"   // no node announces the Service
	ReasonNoNode         = "NoNodeSelected" // no Node matches the selectors
	ReasonMetalLB        = "MetalLB"        // another load balancer's object
)

// Finding is one thing that is wrong.
type Finding struct {
	Level Level `json:"level"`
	// Source of the object; empty where it is the cluster's.
	Source    string `json:"source,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Field that is wrong, where it is one.
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
	// Message: cause and remedy.
	Message string `json:"message"`
	// Nodes that it is so on; empty where it doesn't depend on a node.
	Nodes []string `json:"nodes,omitempty"`
}

func (f *Finding) ref() compile.ObjectRef {
	return compile.ObjectRef{Kind: f.Kind, Namespace: f.Namespace, Name: f.Name}
}

// about is a Finding about an object.
func about(ref compile.ObjectRef, level Level, reason, message string) Finding {
	return Finding{
		Level: level, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name,
		Field: fieldOf(message), Reason: reason, Message: message,
	}
}

// fieldOf is the field that a message begins with: every Issue names its field
// first.
func fieldOf(message string) string {
	if !strings.HasPrefix(message, "spec.") && !strings.HasPrefix(message, "metadata.") {
		return ""
	}
	end := strings.IndexAny(message, " :,;")
	if end < 0 {
		return ""
	}
	return message[:end]
}

func sortFindings(all []Finding) {
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Level, b.Level), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Source, b.Source),
		)
	})
}

// HasErrors says whether something is worse than a Note.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Error })
}
