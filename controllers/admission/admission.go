package admission

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/herald-lb/herald/config/crd"
)

// Validator knows Herald's Kinds. It is safe for concurrent use.
type Validator struct {
	kinds map[string]*kind
}

// kind is one Kind; its rules are compiled when they are first needed.
type kind struct {
	definition *apiextensionsv1.CustomResourceDefinition
	compile    func() (*rules, error)
}

type rules struct {
	structural *structuralschema.Structural
	schema     apiservervalidation.SchemaValidator
	cel        *cel.Validator
}

// New reads the CustomResourceDefinitions that this program was built with.
func New() (*Validator, error) {
	files, err := fs.Glob(crd.Bases, "bases/*.yaml")
	if err != nil {
		return nil, err
	}
	v := &Validator{kinds: map[string]*kind{}}
	for _, file := range files {
		text, err := crd.Bases.ReadFile(file)
		if err != nil {
			return nil, err
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		v.kinds[definition.Spec.Names.Kind] = &kind{
			definition: definition, compile: sync.OnceValues(func() (*rules, error) { return newRules(schema) }),
		}
	}
	return v, nil
}

func newRules(v1 *apiextensionsv1.JSONSchemaProps) (*rules, error) {
	schema := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, schema, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := apiservervalidation.NewSchemaValidator(schema)
	if err != nil {
		return nil, err
	}
	return &rules{structural: structural, schema: validator, cel: cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// Kinds of Herald, sorted.
func (v *Validator) Kinds() []string {
	var names []string
	for name := range v.kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Versions of a Kind that an API server has; none where there is no such Kind.
func (v *Validator) Versions(name string) []string {
	if v.kinds[name] == nil {
		return nil
	}
	var versions []string
	for _, version := range v.kinds[name].definition.Spec.Versions {
		versions = append(versions, version.Name)
	}
	return versions
}

// Check is what an API server would refuse when the object, of one of Herald's
// Kinds, is made, sorted by field. The error is the program's own.
func (v *Validator) Check(ctx context.Context, object *unstructured.Unstructured) (field.ErrorList, error) {
	known := v.kinds[object.GetKind()]
	if known == nil {
		return nil, fmt.Errorf("kind %q is not Herald's", object.GetKind())
	}
	rules, err := known.compile()
	if err != nil {
		return nil, fmt.Errorf("CRD of %s: %w", object.GetKind(), err)
	}
	return rules.check(ctx, object.DeepCopy()), nil
}

// check does what an API server does with an object, in its order.
func (r *rules) check(ctx context.Context, object *unstructured.Unstructured) field.ErrorList {
	pruning.Prune(object.Object, r.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, r.structural)
	defaulting.Default(object.Object, r.structural)
	errs := apivalidation.ValidateObjectMetaAccessor(object, false, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, apiservervalidation.ValidateCustomResource(nil, object.Object, r.schema)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, r.structural, object.Object)...)
	if r.cel != nil && slices.ContainsFunc(errs, blocksRules) { // nil: the Kind has no rules
		errs = append(errs, field.Invalid(nil, nil, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
	} else {
		found, _ := r.cel.Validate(ctx, nil, r.structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, found...)
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// blocksRules says whether an error keeps the API server from asking the CEL
// rules: they can't read the object.
func blocksRules(err *field.Error) bool {
	switch err.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}

// HasField says whether objects of a Kind can have a field, by its path.
func (v *Validator) HasField(name string, path ...string) bool {
	if v.kinds[name] == nil {
		return false
	}
	schema := *v.kinds[name].definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, field := range path {
		next, found := schema.Properties[field]
		if !found {
			return false
		}
		schema = next
	}
	return true
}
