package main

import (
	"bytes"
	"fmt"
	"io"

	"aclium/grammar"
)

// The targets that are text again: IOS, and the dialect of the file.
const (
	targetIOS  = "ios"
	targetText = "text"
)

// canonical prints the files as canonical configuration.
func (o *convertOptions) canonical(files []string, in io.Reader, out, errOut io.Writer) error {
	if o.output != "yaml" {
		return fmt.Errorf("-t %s writes configuration, and -o has no say in it", o.target)
	}
	var text bytes.Buffer
	r := reporter{target: o.target}
	for _, name := range files {
		config, notices, err := o.dialect.read(name, in)
		if err != nil {
			return printMistakes(err, errOut)
		}
		if o.target == targetIOS && config.Dialect != grammar.IOS {
			return fmt.Errorf("%s is %s configuration, and -t ios takes ios alone: -t text prints a file in its own dialect", name, config.Dialect)
		}
		if err := config.Print(&text); err != nil {
			return err
		}
		r.notices(printed(notices))
	}
	r.sort()
	if err := o.writeReport(errOut, &r, o.summary(nil)); err != nil {
		return err
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return verdictOf(r.rows)
}

// printed leaves out the notices about lines that are kept: they are printed
// back, which is all that text asks for.
func printed(all []grammar.Notice) (out []grammar.Notice) {
	for _, n := range all {
		if n.State != grammar.Unsupported {
			out = append(out, n)
		}
	}
	return out
}

// textTarget reports whether the target is configuration and not objects.
func (o *convertOptions) textTarget() bool { return o.target == targetIOS || o.target == targetText }
