package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate/check"
)

type checkOptions struct {
	output  string
	dialect dialectFlag
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Find lines that do not do what they say",
		Long: `Check finds the lines of Cisco configuration files that earlier lines hide,
that contradict each other, that could go, that match no packet, and names that
nothing defines or uses. Each finding names the lines that are to blame. Lines
are compared with the union of all others, exactly, whatever they look at.

Each FILE is a configuration of its own; - is standard input. The exit status
is 0 when there is nothing to say, 1 when there are findings, and 2 when a file
cannot be read.`,
		Example: `  aclium check edge.cfg
  aclium check -o json edge.cfg core.cfg`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			return o.run(files, c.InOrStdin(), c.OutOrStdout())
		},
	}
	c.Flags().StringVarP(&o.output, "output", "o", "text", "form of the findings: text or json")
	o.dialect.add(c)
	return c
}

func (o *checkOptions) run(files []string, in io.Reader, out io.Writer) error {
	if o.output != "text" && o.output != "json" {
		return fmt.Errorf("unknown output format %q, want text or json", o.output)
	}
	all := []check.Finding{}
	var trouble error
	for _, name := range files {
		found, err := o.file(name, in)
		trouble, all = errors.Join(trouble, err), append(all, found...)
	}
	if err := o.write(out, all); err != nil {
		return err
	}
	switch {
	case trouble != nil:
		return trouble
	case len(all) > 0:
		return errFindings
	}
	return nil
}

// file checks one file. The error says that it cannot be read.
func (o *checkOptions) file(name string, in io.Reader) ([]check.Finding, error) {
	config, notices, err := o.dialect.read(name, in)
	var mistakes grammar.ErrorList
	if err != nil && !errors.As(err, &mistakes) {
		return nil, err
	}
	if len(mistakes) > 0 && mistakes[0].Whole {
		return nil, mistakes[0]
	}
	return check.File(config, notices, err), nil
}

func (o *checkOptions) write(out io.Writer, all []check.Finding) error {
	var b bytes.Buffer
	if o.output == "json" {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(all); err != nil {
			return err
		}
	} else {
		for i := range all {
			printFinding(&b, &all[i])
		}
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// printFinding writes a finding in the form of a compiler: its place, what is
// wrong, the line, and the lines that are to blame.
func printFinding(b *bytes.Buffer, f *check.Finding) {
	pos := grammar.Position{File: f.File, Line: f.Line, Column: f.Column}
	fmt.Fprintf(b, "%s: %s: %s\n", pos, f.Kind, f.Message)
	if f.Text != "" {
		fmt.Fprintf(b, "  %s\n", f.Text)
	}
	for _, k := range f.Blockers {
		fmt.Fprintf(b, "    blocked by %s:%d: %s\n", k.File, k.Line, k.Text)
	}
}
