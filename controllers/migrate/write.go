package migrate

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

// Write prints the plan as YAML to apply, with the rest as comments.
func (p *Plan) Write(out io.Writer) error {
	var text bytes.Buffer
	for i, output := range p.Outputs {
		if i > 0 {
			text.WriteString("---\n")
		}
		comment(&text, "From "+refText(output.From)+".")
		for _, remark := range output.Remarks {
			comment(&text, remark)
		}
		body, err := yaml.Marshal(output.Object)
		if err != nil {
			return fmt.Errorf("%s: %w", refText(output.From), err)
		}
		text.Write(body)
	}
	p.writeRest(&text)
	_, err := out.Write(text.Bytes())
	return err
}

func (p *Plan) writeRest(text *bytes.Buffer) {
	written := map[Remark]bool{}
	for _, output := range p.Outputs {
		for _, remark := range output.Remarks {
			written[Remark{output.From, remark}] = true
		}
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		text.WriteString("#\n# == " + title + "\n#\n")
		for _, line := range lines {
			comment(text, line)
		}
	}
	var left []string
	for _, remark := range p.Remarks {
		if !written[remark] {
			left = append(left, refText(remark.Object)+": "+remark.Message)
		}
	}
	section("What is left out, or needs a look", left)
	section("Services", p.Annotate)
	section("Cut-over", p.Steps)
}

func comment(text *bytes.Buffer, line string) {
	text.WriteString("# " + strings.NewReplacer("\n", " ", "\r", " ").Replace(line) + "\n")
}
