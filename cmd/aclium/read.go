package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"aclium/grammar"
)

// A dialectFlag says which dialect files are in; empty for the one that each
// file looks like.
type dialectFlag string

// add puts --dialect on a command.
func (d *dialectFlag) add(c *cobra.Command) {
	words := strings.Join(grammar.Dialects(), ", ")
	c.Flags().StringVar((*string)(d), "dialect", "", "dialect of the files: "+words+" (default: what each file looks like)")
	_ = c.RegisterFlagCompletionFunc("dialect", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return grammar.Dialects(), cobra.ShellCompDirectiveNoFileComp
	})
}

// read reads a file of configuration; "-" is standard input.
func (d dialectFlag) read(name string, in io.Reader) (*grammar.Config, []grammar.Notice, error) {
	if _, ok := grammar.DialectOf(string(d)); d != "" && !ok {
		return nil, nil, fmt.Errorf("unknown dialect %q, want %s", string(d), strings.Join(grammar.Dialects(), ", "))
	}
	if name == "-" {
		return d.parse("stdin", in)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return d.parse(name, f)
}

func (d dialectFlag) parse(name string, r io.Reader) (*grammar.Config, []grammar.Notice, error) {
	if dialect, ok := grammar.DialectOf(string(d)); ok {
		return grammar.ParseDialect(name, r, dialect)
	}
	return grammar.ParseFile(name, r)
}
