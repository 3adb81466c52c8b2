package plan

import "strings"

// Words that open and close blocks.
const (
	routerPrefix    = "router bgp "
	routeMapPrefix  = "route-map "
	familyPrefix    = "address-family "
	vrfPrefix       = "vrf "
	interfacePrefix = "interface "
	networkPrefix   = "network "
	// ipv6RoutePrefix starts a static route of IPv6.
	ipv6RoutePrefix = "ipv6 route "
	exitFamily      = "exit-address-family"
	exitVRF         = "exit-vrf"
	exit            = "exit"
	end             = "end"
)

// parser walks the lines of a configuration. At most one of router, entry and
// block is open; family belongs to router.
type parser struct {
	config Config
	rest   string
	router *Router
	family *Family
	entry  *Entry
	block  *Block
	path   []string
}

// Parse reads a configuration as FRR prints it or as Herald renders it. It
// accepts everything: whether a line means something is FRR's to say.
func Parse(text string) *Config {
	p := &parser{rest: text}
	for p.rest != "" {
		var line string
		line, p.rest, _ = strings.Cut(p.rest, "\n")
		p.line(line)
	}
	return &p.config
}

func (p *parser) line(line string) {
	text := strings.TrimSpace(line)
	if text == "" || text[0] == '!' || text[0] == '#' {
		return
	}
	depth := 0
	for depth < len(line) && line[depth] == ' ' {
		depth++
	}
	switch {
	case depth == 0:
		p.topLevel(text)
	case p.router != nil:
		p.routerLine(text)
	case p.entry != nil:
		p.entry.Lines = append(p.entry.Lines, text)
	case p.block != nil:
		p.blockLine(text, depth)
	case text != exit: // indented, but in no block: FRR would take it as a command
		p.config.Top = append(p.config.Top, text)
	}
}

func (p *parser) topLevel(text string) {
	wasBlock := p.block
	p.router, p.family, p.entry, p.block = nil, nil, nil, nil
	switch {
	case text == exit, text == exitVRF, text == end:
		if wasBlock != nil {
			wasBlock.Footer = text
		}
	case strings.HasPrefix(text, routerPrefix):
		p.router = p.config.router(text)
		if p.router == nil {
			p.router = &Router{Header: text}
			p.config.Routers = append(p.config.Routers, p.router)
		}
	case isEntryHeader(text):
		f := strings.Fields(text)
		p.entry = &Entry{Map: f[1], Action: f[2], Sequence: f[3]}
		p.config.RouteMaps = append(p.config.RouteMaps, p.entry)
	case p.opensBlock():
		p.block, p.path = &Block{Header: text, Footer: exit}, nil
		p.config.Blocks = append(p.config.Blocks, p.block)
	case kept(text):
		p.config.Kept = append(p.config.Kept, text)
	default:
		p.config.Top = append(p.config.Top, normal(text))
	}
}

// normal is a line with the prefix of a static route in its canonical spelling.
func normal(text string) string {
	rest, ok := strings.CutPrefix(text, ipv6RoutePrefix)
	if !ok {
		return text
	}
	prefix, rest, _ := strings.Cut(rest, " ")
	return ipv6RoutePrefix + canonical(prefix) + " " + rest
}

func isEntryHeader(text string) bool {
	if !strings.HasPrefix(text, routeMapPrefix) {
		return false
	}
	f := strings.Fields(text)
	return len(f) == 4 && (f[2] == "permit" || f[2] == "deny")
}

// opensBlock looks at the next line: a block's first line is indented, an empty
// block is followed by its end.
func (p *parser) opensBlock() bool {
	rest := p.rest
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '!' {
			continue
		}
		return line[0] == ' ' || text == exit || text == exitVRF
	}
	return false
}

func (p *parser) routerLine(text string) {
	switch {
	case strings.HasPrefix(text, familyPrefix):
		p.family = p.router.ensureFamily(text[len(familyPrefix):])
	case text == exitFamily:
		p.family = nil
	case p.family == nil:
		p.router.Lines = append(p.router.Lines, text)
	case strings.HasPrefix(text, networkPrefix):
		if p.family.Networks == nil {
			p.family.Networks = make([]Network, 0, 1+p.linesOfFamily())
		}
		prefix, rest, _ := strings.Cut(text[len(networkPrefix):], " ")
		p.family.Networks = append(p.family.Networks, Network{Prefix: prefix, Rest: rest})
	default:
		p.family.Lines = append(p.family.Lines, text)
	}
}

// linesOfFamily is how many lines the open family has at most from here on: of many
// networks most of the time would go into making room.
func (p *parser) linesOfFamily() int {
	rest, _, _ := strings.Cut(p.rest, exitFamily)
	return strings.Count(rest, "\n")
}

// blockLine keeps the stack of headers by depth: a line is inside the nearest
// line above that is indented less.
func (p *parser) blockLine(text string, depth int) {
	if depth < len(p.path) {
		p.path = p.path[:depth]
	}
	for len(p.path) < depth {
		p.path = append(p.path, "")
	}
	if text == exit {
		return
	}
	p.block.Lines = append(p.block.Lines, BlockLine{Path: strings.Join(p.path[:depth], "/"), Text: normal(text), Depth: depth})
	p.path = append(p.path, text)
}

// keptPrefixes are lines that Herald neither wants nor unwants: FRR's own
// heading, the host's name, an operator's debugging; and the forwarding sysctls
// of the host, which FRR prints as the kernel has them at that moment: writing
// such a line writes the sysctl.
var keptPrefixes = []string{
	"frr version", "frr defaults", "hostname ", "domainname ", "service integrated-vtysh-config",
	"log ", "no log ", "debug ", "Building configuration", "Current configuration",
	"ip forwarding", "no ip forwarding", "ipv6 forwarding", "no ipv6 forwarding",
}

func kept(text string) bool {
	for _, prefix := range keptPrefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
