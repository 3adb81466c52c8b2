package frrtemplates

import (
	"bytes"
	"io"
	"slices"
)

// networkLines is the text of one family's networks, and where each line ends
// in it.
type networkLines struct {
	networks []Network
	ends     []int
	text     []byte
}

// follow makes it the text of other networks, in place: of 10,000 lines one is another
// mostly, and the text would be garbage each time. Lines of networks that are in both
// stay, those before the first difference and behind the last one as a whole. Both are in
// the order of prefixes: where they are not, the text is right all the same and only takes
// longer. After an error it is what it was.
func (l *networkLines) follow(networks []Network, family Family) error {
	head, tail := common(l.networks, networks)
	if head == len(networks) && head == len(l.networks) {
		return nil
	}
	var text bytes.Buffer
	var ends []int
	begin, old, last := l.end(head), head, len(l.networks)-tail
	for _, network := range networks[head : len(networks)-tail] {
		for old < last && l.networks[old].Prefix.Compare(network.Prefix) < 0 {
			old++
		}
		if old < last && l.networks[old] == network {
			text.Write(l.text[l.end(old):l.end(old+1)])
			old++
		} else if err := renderNetwork(&text, network, family); err != nil {
			return err
		}
		ends = append(ends, begin+text.Len())
	}
	moved := text.Len() - (l.end(last) - begin)
	l.text = slices.Replace(l.text, begin, l.end(last), text.Bytes()...)
	l.ends = slices.Replace(l.ends, head, last, ends...)
	for i := len(l.ends) - tail; moved != 0 && i < len(l.ends); i++ {
		l.ends[i] += moved
	}
	l.networks = networks
	return nil
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

func renderNetwork(to io.Writer, network Network, family Family) error {
	if err := checkNetwork(network, family); err != nil {
		return err
	}
	return templates.ExecuteTemplate(to, networkTemplate, network)
}
