package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"aclium/translate/inventory"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

type verifyOptions struct {
	against, output string
	inventory       inventoryFlag
	transit         transitFlag
	ranges          rangesFlag
	family          familyFlag
	dialect         dialectFlag
	packets         int
}

func newVerifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify FILE --against POLICIES.yaml",
		Short: "Prove that policy objects mean what a configuration means",
		Long: `Verify compares the lists of a configuration with policy objects over every
packet that opens a connection, for every pod that there can be. It proves that
they are equal, or shows packets: wider are those that the objects permit and
the lists deny, narrower the other way round, one for each line that decides.

What policy objects cannot see is left out: port 0, TCP packets in mid-stream,
later fragments, ICMP of the other family, neighbour discovery, and a node that
reaches its own pods. Lines that are not understood are not compared; then the
two are not called equal.

The exit status is 0 when they are equal, 1 when they differ, and 2 when a file
cannot be read or the comparison is too large.`,
		Example: `  aclium convert edge.cfg > policies.yaml; aclium verify edge.cfg --against policies.yaml
  aclium verify edge.cfg --against policies.yaml --family ipv4 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(args[0], c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.against, "against", "", "file of the policy objects")
	f.StringVarP(&o.output, "output", "o", "text", "form of the result: text or json")
	f.IntVar(&o.packets, "packets", 20, "most packets to show for each direction, wider and narrower")
	_ = c.MarkFlagRequired("against")
	_ = c.MarkFlagFilename("against", "yaml", "yml", "json")
	completeFormats(c)
	o.inventory.add(c)
	o.transit.add(c)
	o.ranges.add(c)
	o.family.add(c)
	o.dialect.add(c)
	return c
}

func (o *verifyOptions) run(file string, in io.Reader, out, errOut io.Writer) error {
	if err := checkFormat(o.output); err != nil {
		return err
	}
	families, err := o.family.family()
	if err != nil {
		return err
	}
	inv, err := o.inventory.read(in)
	if err != nil {
		return err
	}
	if inv, err = o.ranges.into(inv); err != nil {
		return err
	}
	got, err := decodeFile(o.against)
	if err != nil {
		return err
	}
	reader := sideReader{o.dialect, inv, o.transit, map[string]bool{}, onNodes(got)}
	want, err := reader.read(file, in, errOut)
	if err != nil {
		return err
	}
	if err := o.transit.missing(reader.found); err != nil {
		return err
	}
	inv = want.inventory
	r, err := verify.Compare(want.stack(), got, inv, verify.Options{Blind: blind(got), Moved: moved(inv), Families: families, Witnesses: max(o.packets, 1)})
	if err != nil {
		return err
	}
	o.note(want, got, errOut)
	if err := o.write(out, want, &r, inv); err != nil {
		return err
	}
	if !r.Equal || len(want.unproved) > 0 {
		return errFindings
	}
	return nil
}

// onNodes reports whether some object protects nodes.
func onNodes(s policy.Stack) bool {
	return slices.ContainsFunc(s.Policies(), func(p policy.Policy) bool { return p.Subject.Nodes })
}

// blind reports whether the objects cannot see what a list can: all but the
// lists of an AccessPolicy, which stand in series.
func blind(s policy.Stack) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(t policy.Tier) bool { return t.Combine != policy.Series })
}

// moved reports whether the inventory gives addresses to workloads, which their
// pods need not have any more.
func moved(inv *inventory.Inventory) bool {
	return inv != nil && slices.ContainsFunc(inv.Workloads, func(w inventory.Workload) bool { return len(w.Addresses) > 0 })
}

// note says what the comparison says nothing of.
func (o *verifyOptions) note(want *side, got policy.Stack, errOut io.Writer) {
	objects := got.Policies()
	for i := range want.policies {
		p := &want.policies[i]
		switch {
		case p.Subject.Interface != "":
			fmt.Fprintf(errOut, "%s on interface %s is not compared: no policy object filters a node's own interface\n", p.ACL, p.Subject.Interface)
		case !slices.ContainsFunc(objects, func(g policy.Policy) bool { return g.Direction == p.Direction }):
			fmt.Fprintf(errOut, "%s: no object filters the %s of %s\n", p.ACL, p.Direction, p.Subject.Name)
		}
	}
}

func (o *verifyOptions) write(out io.Writer, want *side, r *verify.Result, inv *inventory.Inventory) error {
	var b bytes.Buffer
	equal := r.Equal && len(want.unproved) == 0
	if o.output == "json" {
		err := writeJSON(&b, map[string]any{
			"equal": equal, "wider": differenceRows(r.Wider), "narrower": differenceRows(r.Narrower),
			"undecided": differenceRows(r.Undecided), "unproved": unprovedRows(want.unproved), "more": r.More,
		})
		if err != nil {
			return err
		}
		return writeAll(out, &b)
	}
	names := [2]string{"lists", "objects"}
	printDifferences(&b, "wider: the objects permit what the lists deny", r.Wider, want.stack(), names, inv)
	printDifferences(&b, "narrower: the objects deny what the lists permit", r.Narrower, want.stack(), names, inv)
	printDifferences(&b, "undecided: regular expressions that may be the same", r.Undecided, want.stack(), names, inv)
	printUnproved(&b, want.unproved)
	switch {
	case r.More:
		b.WriteString("there are more lines that differ: --packets shows more\n")
	case equal:
		b.WriteString("equal\n")
	}
	return writeAll(out, &b)
}
