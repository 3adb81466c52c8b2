package allocator

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	frrtemplates "github.com/herald-lb/herald/frr-templates"
)

// Request is what a Service asks for. The zero value asks for nothing.
type Request struct {
	// Addresses, at most one per family.
	Addresses []netip.Addr
	// Pool by name, "" for any.
	Pool string
	// PoolFrom is the annotation that asks for it.
	PoolFrom string
	// Problem is why the request can't be met whatever the pools are, with field
	// and remedy; "" if there is none.
	Problem string
}

// address asked for of a family; the zero Addr where there is none.
func (r *Request) address(family frrtemplates.Family) netip.Addr {
	for _, addr := range r.Addresses {
		if frrtemplates.FamilyOf(addr) == family {
			return addr
		}
	}
	return netip.Addr{}
}

// maxQuoted bounds how much of a user's text a message repeats.
const maxQuoted = 64

func quoted(text string) string { return fmt.Sprintf("%.*q", maxQuoted, text) }

const ipField = "spec.loadBalancerIP"

// Asked is what a Service's texts ask for. Empty ones ask for nothing.
type Asked struct {
	// IPs and Pool are the values of annotations, IPsFrom and PoolFrom their names.
	IPs, IPsFrom, Pool, PoolFrom string
	// LoadBalancerIP is the field of that name.
	LoadBalancerIP string
}

// ReadRequest reads what a Service with these families asks for.
func ReadRequest(asked Asked, families []frrtemplates.Family) Request {
	ips, loadBalancerIP := asked.IPs, asked.LoadBalancerIP
	request := Request{Pool: strings.TrimSpace(asked.Pool)}
	if request.Pool != "" {
		request.PoolFrom = asked.PoolFrom
	}
	var fromIPs []netip.Addr
	if strings.TrimSpace(ips) != "" {
		fromIPs, request.Problem = readAddresses("annotation "+asked.IPsFrom, strings.Split(ips, ","))
	}
	var fromField []netip.Addr
	if loadBalancerIP != "" && request.Problem == "" {
		fromField, request.Problem = readAddresses(ipField, []string{loadBalancerIP})
	}
	if request.Problem == "" {
		request.Problem = disagreement(asked.IPsFrom, fromIPs, fromField)
	}
	if len(fromIPs) == 0 {
		fromIPs = fromField
	}
	if request.Problem == "" {
		request.Problem = impossible(fromIPs, families)
	}
	if request.Problem == "" {
		request.Addresses = fromIPs
	}
	return request
}

func readAddresses(field string, texts []string) (addresses []netip.Addr, problem string) {
	for _, text := range texts {
		text = strings.TrimSpace(text)
		addr, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("%s: %s is not an address: write one such as 203.0.113.7 or 2001:db8::7, several separated by commas", field, quoted(text))
		case addr.Zone() != "":
			return nil, fmt.Sprintf("%s: %s has a zone: write %s", field, quoted(text), addr.WithZone(""))
		case addr.Is4In6():
			return nil, fmt.Sprintf("%s: %s is IPv4 written as IPv6: write %s", field, quoted(text), addr.Unmap())
		}
		addresses = append(addresses, addr)
	}
	return addresses, ""
}

func disagreement(annotation string, fromIPs, fromField []netip.Addr) string {
	if len(fromIPs) == 0 || len(fromField) == 0 || slices.Contains(fromIPs, fromField[0]) {
		return ""
	}
	return fmt.Sprintf("annotation %s asks for %s, %s for %s: remove one of them or let them agree",
		annotation, joined(fromIPs), ipField, fromField[0])
}

// impossible says why no set of pools can meet the request.
func impossible(asked []netip.Addr, wanted []frrtemplates.Family) string {
	for i, addr := range asked {
		family := frrtemplates.FamilyOf(addr)
		if !slices.Contains(wanted, family) {
			return fmt.Sprintf("%s is asked for, but %s is not in spec.ipFamilies: add it there (ipFamilyPolicy: PreferDualStack) or ask for an address of its family", addr, familyName(family))
		}
		for _, other := range asked[:i] {
			if frrtemplates.FamilyOf(other) == family {
				return fmt.Sprintf("%s and %s are both %s: a Service has one address per family, ask for one of them", other, addr, familyName(family))
			}
		}
	}
	return ""
}

func joined(addresses []netip.Addr) string {
	texts := make([]string, 0, len(addresses))
	for _, addr := range addresses {
		texts = append(texts, addr.String())
	}
	return strings.Join(texts, ", ")
}
