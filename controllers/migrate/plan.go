package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/admission"
	"github.com/herald-lb/herald/controllers/compile"
	"github.com/herald-lb/herald/controllers/offline"
	"github.com/herald-lb/herald/controllers/status"
)

// Options of a migration.
type Options struct {
	// SecretsNamespace is that of the peers' passwords.
	SecretsNamespace string
	// AtOnce leaves out what lets the nodes be moved one by one: the label of the
	// cut-over in the BGPPeers' nodeSelectors.
	AtOnce bool
	// Annotations that the manager reads: with MetalLB's no Service needs others.
	Annotations status.Annotations
	// Reader says which namespace objects have that name none.
	Reader offline.Reader
}

// CutOverLabel on a Node says that Herald, and not the other speaker, has the
// node's sessions.
const CutOverLabel = v1alpha1.GroupName + "/cut-over"

// Remark is something that does not carry over as it is.
type Remark struct {
	Object compile.ObjectRef
	// Message names the field, says why and what to do.
	Message string
}

// Output is an object of Herald's, or a Secret.
type Output struct {
	// From is what it was made of.
	From   compile.ObjectRef
	Object map[string]any
	// Remarks about what it was made of.
	Remarks []string
}

// Plan is a migration.
type Plan struct {
	Outputs []Output
	// Remarks in the order of the input, those of the Outputs included.
	Remarks []Remark
	// Annotate are commands that give Services Herald's annotations.
	Annotate []string
	// Steps of the cut-over.
	Steps []string
}

// planner makes a Plan.
type planner struct {
	options   Options
	validator *admission.Validator
	plan      *Plan
	// names that outputs have, by Kind and name, with what they were made of.
	names map[string]compile.ObjectRef
	// renamed names of objects, by what they were made of.
	renamed map[compile.ObjectRef]string
	secrets map[compile.ObjectRef]map[string]any
	// peers of theirs, for the steps.
	peers []theirPeer
	ref   compile.ObjectRef
	// remarks about the object at hand.
	remarks []string
}

// Make reads everything and plans. The error is the program's own.
func Make(manifests []offline.Manifest, options Options) (*Plan, error) {
	validator, err := admission.New()
	if err != nil {
		return nil, err
	}
	p := &planner{
		options: options, validator: validator, plan: &Plan{},
		names: map[string]compile.ObjectRef{}, renamed: map[compile.ObjectRef]string{}, secrets: map[compile.ObjectRef]map[string]any{},
	}
	theirs := slices.Clone(manifests)
	for i := range theirs {
		theirs[i] = options.Reader.Complete(theirs[i])
	}
	slices.SortStableFunc(theirs, func(a, b offline.Manifest) int { return rank(a) - rank(b) })
	for _, manifest := range theirs {
		if manifest.Object.GetKind() == "Secret" {
			p.secrets[offline.RefOf(manifest)] = manifest.Object.Object
		}
	}
	for _, manifest := range theirs {
		p.object(manifest)
	}
	objects, _ := options.Reader.Read(manifests)
	p.services(objects.Services)
	p.steps()
	return p.plan, nil
}

// kinds in the order in which they are written: what is named before what names it.
var kinds = []string{"IPAddressPool", "AddressPool", "BFDProfile", "Community", "BGPPeer", "BGPAdvertisement", "FRRConfiguration"}

func rank(manifest offline.Manifest) int {
	if at := slices.Index(kinds, manifest.Object.GetKind()); at >= 0 {
		return at
	}
	return len(kinds)
}

// object reads one of their objects.
func (p *planner) object(manifest offline.Manifest) {
	object := manifest.Object
	kind := object.GroupVersionKind()
	p.ref, p.remarks = offline.RefOf(manifest), nil
	root := fieldsOf("", object.Object)
	for _, known := range []string{"apiVersion", "kind", "metadata", "status"} {
		root.take(known)
	}
	spec := fieldsOf("spec", root.take("spec"))
	convert := map[string]func(map[string]any, *fields){
		"IPAddressPool": p.pool, "AddressPool": p.addressPool, "BFDProfile": p.profile,
		"Community": p.community, "BGPPeer": p.peer, "BGPAdvertisement": p.advertisement,
	}
	switch {
	case kind.Group == "metallb.io" && convert[kind.Kind] != nil:
		convert[kind.Kind](object.Object, spec)
	case kind.Group == "frrk8s.metallb.io" && kind.Kind == "FRRConfiguration":
		p.frrConfiguration(object.Object, spec)
	case kind.Group == "metallb.io" || kind.Group == "frrk8s.metallb.io":
		p.remark("%s", notMigrated(kind.Kind))
		return
	case kind.Group == "" && kind.Kind == "ConfigMap" && object.GetName() == "config" && object.GetNamespace() == "metallb-system":
		p.remark("the configuration of MetalLB before 0.13 is not read: make objects of it with MetalLB's converter, then migrate these")
		return
	default:
		return
	}
	for _, path := range append(root.unknown(), spec.unknown()...) {
		p.remark("%s: this program does not know the field; it is left out: look up what it does, and whether Herald has the like", strings.TrimPrefix(path, "."))
	}
}

func notMigrated(kind string) string {
	switch kind {
	case "L2Advertisement":
		return "left out: Herald announces by BGP only. Services of these pools that are announced by ARP or NDP alone will not be reachable: give them a BGPAdvertisement, or leave them to MetalLB by spec.loadBalancerClass"
	case "ServiceL2Status", "ServiceBGPStatus", "ConfigurationState", "ConfigurationStatus", "BGPSessionState", "FRRNodeState":
		return "left out: it is a status that the other load balancer writes"
	default:
		return "left out: this program does not know the Kind " + kind
	}
}

// remark about the object at hand.
func (p *planner) remark(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	p.remarks = append(p.remarks, text)
	p.plan.Remarks = append(p.plan.Remarks, Remark{Object: p.ref, Message: text})
	for i := range p.plan.Outputs {
		if p.plan.Outputs[i].From == p.ref {
			p.plan.Outputs[i].Remarks = append(p.plan.Outputs[i].Remarks, text)
			return
		}
	}
}

// add writes an object of Herald's with the wanted name, or another one where that
// is taken: Herald's Kinds have no namespace. Fields that Herald doesn't have (yet)
// are told and left out.
func (p *planner) add(kind, name string, source map[string]any, spec map[string]any) string {
	name = p.free(kind, name)
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		if !p.validator.HasField(kind, "spec", field) {
			delete(spec, field)
			p.remark("spec.%s: %s has no such field in this version of Herald; it is left out", field, kind)
		}
	}
	metadata := map[string]any{"name": name}
	if labels := labelsOf(source); len(labels) > 0 {
		metadata["labels"] = labels
	}
	p.put(map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": metadata, "spec": spec})
	return name
}

func (p *planner) put(object map[string]any) {
	p.plan.Outputs = append(p.plan.Outputs, Output{From: p.ref, Object: object})
	if first := slices.IndexFunc(p.plan.Outputs, func(o Output) bool { return o.From == p.ref }); first == len(p.plan.Outputs)-1 {
		p.plan.Outputs[first].Remarks = slices.Clone(p.remarks)
	}
}

// free is a name that no other object of the Kind has.
func (p *planner) free(kind, name string) string {
	for taken, is := p.names[kind+"/"+name]; is; taken, is = p.names[kind+"/"+name] {
		other := name + "-" + p.ref.Namespace
		p.remark("%s is also the name of %s in namespace %s, and Herald's objects have no namespace: this one is named %s", name, taken.Kind, taken.Namespace, other)
		name = other
	}
	p.names[kind+"/"+name] = p.ref
	p.renamed[p.ref] = name
	return name
}

// nameOf is what an object of theirs is called now.
func (p *planner) nameOf(kind, name string) string {
	if now, known := p.renamed[compile.ObjectRef{Kind: kind, Namespace: p.ref.Namespace, Name: name}]; known {
		return now
	}
	return name
}

func labelsOf(object map[string]any) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	return labels
}

func refText(ref compile.ObjectRef) string {
	if ref.Namespace == "" {
		return ref.Kind + "/" + ref.Name
	}
	return ref.Kind + "/" + ref.Namespace + "/" + ref.Name
}
