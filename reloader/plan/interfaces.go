package plan

import "strings"

// A line of an interface is removed by its own "no": to remove the last one,
// frr-reload.py on FRR 10 removes the whole block, which FRR refuses as long as the
// kernel has the interface (measured on 10.3).

func isInterface(header string) bool { return strings.HasPrefix(header, interfacePrefix) }

// footerOf is what ends a block.
func footerOf(header string) string {
	if isVRF(header) {
		return exitVRF
	}
	return exit
}

// writeInterfacesGone removes lines of interfaces that nobody wants.
func (d *difference) writeInterfacesGone(b *strings.Builder) {
	for _, line := range d.staleInterfaces {
		writeLine(b, 0, line.Context)
		if text, negated := strings.CutPrefix(line.Text, "no "); negated {
			writeLine(b, 1, text)
		} else {
			writeLine(b, 1, "no "+line.Text)
		}
		writeLine(b, 0, exit)
	}
}
