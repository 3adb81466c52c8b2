package frrtemplates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

//go:embed *.tmpl
var files embed.FS

const (
	configTemplate  = "frr.conf.tmpl"
	networkTemplate = "network.tmpl"
)

var templates = template.Must(template.New(configTemplate).
	Option("missingkey=error").Funcs(functions()).ParseFS(files, "*.tmpl"))

// functions are what templates may call: formatting, no decisions.
func functions() template.FuncMap {
	return template.FuncMap{
		"join":    sprig.TxtFuncMap()["join"],
		"seconds": func(d time.Duration) int64 { return int64(d / time.Second) },
	}
}

// Render is the text of frr.conf without the exchange format's header line. The
// error says which part of the Config can't be rendered: it is a bug of the
// caller, no user's mistake gets here.
func Render(config Config) ([]byte, error) { return NewRenderer().Render(config) }

// Renderer renders one Config after another and takes the lines of networks over
// from the last one: of 10,000 networks only those that are new are rendered. It
// is not safe for concurrent use.
type Renderer struct {
	lines map[familyKey]*networkLines
}

type familyKey struct {
	vrf    string
	family Family
}

// NewRenderer makes a Renderer that knows no line yet.
func NewRenderer() *Renderer { return &Renderer{} }

// view is what the templates see: the Config, with the networks as text.
type view struct {
	Config
	Routers []routerView
}

type routerView struct {
	Router
	Families []familyView
}

type familyView struct {
	RouterFamily
	// NetworkLines stands for the family's, which needn't go through a template.
	NetworkLines string
}

// placeholder of network lines: no word of a configuration holds a control character.
const placeholder = "\x00"

// Render is the same as the function Render, byte for byte.
func (r *Renderer) Render(config Config) ([]byte, error) { return r.Append(nil, config) }

// Append puts the text behind what is in a buffer, which saves a large one each time.
func (r *Renderer) Append(to []byte, config Config) ([]byte, error) {
	if err := checkConfig(&config); err != nil {
		return nil, err
	}
	v, lines, err := r.view(config)
	if err != nil {
		return nil, err
	}
	var frame bytes.Buffer
	if err := templates.ExecuteTemplate(&frame, configTemplate, v); err != nil {
		return nil, fmt.Errorf("rendering frr.conf: %w", err)
	}
	return fill(to, frame.Bytes(), lines)
}

// fill puts the lines of networks where they belong, family by family.
func fill(to, frame []byte, families [][]byte) ([]byte, error) {
	size := len(frame)
	for _, lines := range families {
		size += len(lines)
	}
	to = slices.Grow(to, size)
	for _, lines := range families {
		before, rest, found := bytes.Cut(frame, []byte(placeholder))
		if !found {
			return nil, errors.New("rendering frr.conf: a family without a place for its networks")
		}
		to, frame = append(append(to, before...), lines...), rest
	}
	return append(to, frame...), nil
}

// view takes the lines of this Config's families along and forgets the others. They
// come beside it, in their order.
func (r *Renderer) view(config Config) (view, [][]byte, error) {
	var all [][]byte
	v := view{Config: config, Routers: make([]routerView, len(config.Routers))}
	lines := map[familyKey]*networkLines{}
	for i, router := range config.Routers {
		v.Routers[i] = routerView{Router: router, Families: make([]familyView, len(router.Families))}
		for j, family := range router.Families {
			key := familyKey{router.VRF, family.Family}
			known := r.lines[key]
			if known == nil {
				known = &networkLines{}
			}
			if err := known.follow(family.Networks, family.Family); err != nil {
				return v, nil, err
			}
			lines[key] = known
			v.Routers[i].Families[j] = familyView{RouterFamily: family, NetworkLines: placeholder}
			all = append(all, known.text)
		}
	}
	r.lines = lines
	return v, all, nil
}
