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
// taken over, those before the first difference and behind the last one as a whole;
// nil knows none. Both are in the order of prefixes: where they are not, the text is
// right all the same and only takes longer.
func (l *networkLines) next(networks []Network, family Family) (*networkLines, error) {
	if l == nil {
		l = &networkLines{}
	}
	head, tail := common(l.networks, networks)
	if head == len(networks) && head == len(l.networks) {
		return l, nil
	}
	next := &networkLines{networks: networks, ends: make([]int, 0, len(networks))}
	var text strings.Builder
	text.Grow(len(l.text) + len(l.text)/8)
	text.WriteString(l.text[:l.end(head)])
	next.ends = append(next.ends, l.ends[:head]...)
	old, last := head, len(l.networks)-tail
	for _, network := range networks[head : len(networks)-tail] {
		for old < last && l.networks[old].Prefix.Compare(network.Prefix) < 0 {
			old++
		}
		if old < last && l.networks[old] == network {
			text.WriteString(l.text[l.end(old):l.end(old+1)])
			old++
		} else if err := renderNetwork(&text, network, family); err != nil {
			return nil, err
		}
		next.ends = append(next.ends, text.Len())
	}
	moved := text.Len() - l.end(last)
	text.WriteString(l.text[l.end(last):])
	for _, end := range l.ends[last:] {
		next.ends = append(next.ends, end+moved)
	}
	next.text = text.String()
	return next, nil
}

// common is how many networks two have in common at their beginning, and behind it
// at their end.
func common(a, b []Network) (head, tail int) {
	shorter := min(len(a), len(b))
	for head < shorter && a[head] == b[head] {
		head++
	}
	for tail < shorter-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
}

// end of the first n lines.
func (l *networkLines) end(n int) int {
	if n == 0 {
		return 0
	}
	return l.ends[n-1]
}

func renderNetwork(to *strings.Builder, network Network, family Family) error {
	if err := checkNetwork(network, family); err != nil {
		return err
	}
	return templates.ExecuteTemplate(to, networkTemplate, network)
}
