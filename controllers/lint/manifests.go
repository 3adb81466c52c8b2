package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/admission"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
)

// metalLBGroups are the API groups of objects that "kubectl herald migrate" reads.
var metalLBGroups = []string{"metallb.io", "frrk8s.metallb.io"}

// validator is made once: its rules don't change while the program runs.
var validator = sync.OnceValues(admission.New)

// checkManifests says what the API server would refuse, object by object.
func checkManifests(ctx context.Context, manifests []offline.Manifest) ([]Finding, error) {
	validator, err := validator()
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, manifest := range manifests {
		found, isHeralds := checkKind(validator, manifest)
		if isHeralds && len(found) == 0 {
			refused, err := validator.Check(ctx, manifest.Object)
			if err != nil {
				return nil, err
			}
			found = refusals(offline.RefOf(manifest), refused)
		}
		for i := range found {
			found[i].Source = manifest.Source
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// checkKind says whether an object is meant to be Herald's, and if so what is
// wrong with its apiVersion and kind.
func checkKind(validator *admission.Validator, manifest offline.Manifest) (found []Finding, isHeralds bool) {
	kind := manifest.Object.GroupVersionKind()
	ref := offline.RefOf(manifest)
	versions := validator.Versions(kind.Kind)
	right := strings.Join(versions, " or ")
	switch {
	case slices.Contains(metalLBGroups, kind.Group):
		return []Finding{about(ref, Note, ReasonMetalLB, fmt.Sprintf("apiVersion %s is not Herald's and is passed over: kubectl herald migrate makes Herald's objects of it", kind.GroupVersion()))}, false
	case kind.Group != v1alpha1.GroupName && !strings.Contains(kind.Group, "herald"):
		return nil, false
	case len(versions) == 0:
		return []Finding{about(ref, Error, ReasonUnknownKind, fmt.Sprintf("there is no kind %s in %s: it is one of %s", kind.Kind, v1alpha1.GroupName, strings.Join(validator.Kinds(), ", ")))}, true
	case kind.Group != v1alpha1.GroupName || !slices.Contains(versions, kind.Version):
		return []Finding{about(ref, Error, ReasonUnknownVersion, fmt.Sprintf("apiVersion %s does not exist: write %s/%s", kind.GroupVersion(), v1alpha1.GroupName, right))}, true
	}
	return nil, true
}

// refusals are the API server's own words, each with its field.
func refusals(ref compile.ObjectRef, errs field.ErrorList) []Finding {
	var findings []Finding
	for _, err := range errs {
		finding := about(ref, Error, ReasonInvalid, err.ErrorBody())
		if finding.Field = err.Field; finding.Field == "<nil>" {
			finding.Field = ""
		}
		findings = append(findings, finding)
	}
	return findings
}

// problemFindings are what could not be read of the manifests.
func problemFindings(problems []offline.Problem) []Finding {
	var findings []Finding
	for _, problem := range problems {
		reason := ReasonUnreadable
		switch {
		case problem.Field != "":
			reason = ReasonUnknownField
		case problem.Twice:
			reason = ReasonDuplicate
		}
		finding := about(problem.Object, Error, reason, problem.Message)
		finding.Source, finding.Field = problem.Source, problem.Field
		findings = append(findings, finding)
	}
	return findings
}
