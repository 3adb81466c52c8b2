package frrtemplates

import "strings"

// networkLines is the text of one family's networks, and where each line ends
// in it.
type networkLines struct {
	networks []Network
	ends     []int
	text     string
}

// next is the text of other networks. Lines of networks that are in both are
// taken over; nil knows none. Both are in the order of prefixes: where they are
// not, the text is right all the same and only takes longer.
func (l *networkLines) next(networks []Network, family Family) (*networkLines, error) {
	if l == nil {
		l = &networkLines{}
	}
	next := &networkLines{networks: networks, ends: make([]int, 0, len(networks))}
	var text strings.Builder
	text.Grow(len(l.text) + len(l.text)/8)
	old := 0
	for _, network := range networks {
		for old < len(l.networks) && l.networks[old].Prefix.Compare(network.Prefix) < 0 {
			old++
		}
		if old < len(l.networks) && l.networks[old] == network {
			text.WriteString(l.line(old))
			old++
		} else if err := renderNetwork(&text, network, family); err != nil {
			return nil, err
		}
		next.ends = append(next.ends, text.Len())
	}
	next.text = text.String()
	return next, nil
}

func (l *networkLines) line(i int) string {
	if i == 0 {
		return l.text[:l.ends[0]]
	}
	return l.text[l.ends[i-1]:l.ends[i]]
}

func renderNetwork(to *strings.Builder, network Network, family Family) error {
	if err := checkNetwork(network, family); err != nil {
		return err
	}
	return templates.ExecuteTemplate(to, networkTemplate, network)
}
