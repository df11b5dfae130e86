package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
)

type inventoryCheckOptions struct {
	inventory inventoryFlag
	cluster   clusterFlags
	dialect   dialectFlag
	output    string
}

func newInventoryCheckCommand() *cobra.Command {
	var o inventoryCheckOptions
	c := &cobra.Command{
		Use:   "check FILE [CONFIG...]",
		Short: "Find what an inventory leaves out or has wrong",
		Long: `Check reads an inventory FILE, YAML or CSV; - is standard input. With
--kubeconfig, --context or -n it compares the inventory with the cluster of
today: pods with other addresses, addresses that are no pod's, workloads without
pods. With CONFIG files it lists the addresses in clusterCIDRs that their lists
and object-groups name and that no workload claims, each with the lines that use
them, and, from the cluster, whose addresses they are.

The exit status is 0 when there is nothing to say, 1 when there are findings, and
2 when a file or the cluster cannot be read.`,
		Example: `  aclium inventory check inventory.yaml edge.cfg
  aclium inventory check --context prod -o json inventory.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.inventory = inventoryFlag(args[0])
			return o.run(withContext(c.Context()), args[1:], c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.cluster.add(c)
	o.dialect.add(c)
	c.Flags().StringVarP(&o.output, "output", "o", "text", "form of the findings: text or json")
	return c
}

// An inventoryFinding is one thing that check says, in its JSON form.
type inventoryFinding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Kind is a kind of inventory.Drift, or "unmapped", or "cidr".
	Kind string `json:"kind"`
	// Name is the workload's, the service's or the object-group's.
	Name       string          `json:"name"`
	Addresses  []string        `json:"addresses"`
	Message    string          `json:"message"`
	Suggestion string          `json:"suggestion"`
	Lines      []inventoryLine `json:"lines"`
}

// An inventoryLine is a line that uses unmapped addresses.
type inventoryLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	ACL  string `json:"acl"`
	Seq  uint32 `json:"seq"`
	Text string `json:"text"`
}

func (o *inventoryCheckOptions) run(ctx context.Context, files []string, in io.Reader, out, errOut io.Writer) error {
	if o.output != "text" && o.output != "json" {
		return fmt.Errorf("unknown output format %q, want text or json", o.output)
	}
	inv, err := o.inventory.read(in)
	if err != nil {
		return err
	}
	all := idleRanges(inv, string(o.inventory))
	var snapshot *inventory.Snapshot
	if o.cluster.given() {
		if snapshot, err = o.cluster.snapshot(ctx, errOut); err != nil {
			return err
		}
		for _, missing := range snapshot.Missing {
			fmt.Fprintf(errOut, "aclium: %s\n", missing)
		}
		all = append(all, o.drift(inv, snapshot)...)
	}
	for _, name := range files {
		found, err := o.unmapped(name, in, inv, snapshot, errOut)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if err := o.write(out, all); err != nil {
		return err
	}
	if len(all) > 0 {
		return errFindings
	}
	return nil
}

// idleRanges finds clusterCIDRs in which no workload has an address.
func idleRanges(inv *inventory.Inventory, file string) (out []inventoryFinding) {
	for _, p := range inv.Idle() {
		out = append(out, inventoryFinding{
			File: file, Kind: "cidr", Addresses: []string{p.String()}, Message: fmt.Sprintf("no workload has an address in %s of clusterCIDRs", p),
		})
	}
	return out
}

func (o *inventoryCheckOptions) drift(inv *inventory.Inventory, s *inventory.Snapshot) (out []inventoryFinding) {
	for _, d := range inv.Drift(s) {
		if d.Source.File == "" {
			d.Source.File = string(o.inventory)
		}
		out = append(out, inventoryFinding{File: d.Source.File, Line: d.Source.Line, Column: d.Source.Column, Kind: d.Kind, Name: d.Name, Message: d.Message})
	}
	return out
}

// unmapped looks at one configuration. Mistakes in it are printed.
func (o *inventoryCheckOptions) unmapped(name string, in io.Reader, inv *inventory.Inventory, s *inventory.Snapshot, errOut io.Writer) (out []inventoryFinding, err error) {
	config, _, err := o.dialect.read(name, in)
	var all []translate.UnmappedAddress
	if err == nil {
		inv, err = translate.Identities(config, inv)
	}
	if err == nil {
		all, err = translate.Unmapped(config, inv)
	}
	if err != nil {
		return nil, o.mistakes(err, errOut)
	}
	if len(inv.ClusterCIDRs) == 0 {
		fmt.Fprintf(errOut, "aclium: %s names no clusterCIDRs: which addresses of %s are the cluster's is not known\n", o.inventory, name)
	}
	for _, u := range all {
		out = append(out, unmappedFinding(&u, s))
	}
	return out, nil
}

func (o *inventoryCheckOptions) mistakes(err error, errOut io.Writer) error {
	var list grammar.ErrorList
	if !errors.As(err, &list) {
		return err
	}
	if err := list.Render(errOut); err != nil {
		return err
	}
	return fmt.Errorf("%d %s, nothing is compared", len(list), plural(len(list), "mistake"))
}

func unmappedFinding(u *translate.UnmappedAddress, s *inventory.Snapshot) inventoryFinding {
	f := inventoryFinding{File: u.Source.File, Line: u.Source.Line, Column: u.Source.Column, Kind: "unmapped", Name: u.Group}
	for _, r := range u.Addresses {
		f.Addresses = append(f.Addresses, inventory.RangeText(r))
	}
	f.Message = strings.Join(f.Addresses[:min(len(f.Addresses), 5)], ", ")
	if n := len(f.Addresses); n > 5 {
		f.Message += fmt.Sprintf(" and %d more", n-5)
	}
	f.Message += " in clusterCIDRs: no workload claims it"
	if u.Group != "" {
		f.Message = "object-group " + u.Group + " stands for no workload alone: " + f.Message
	}
	for _, l := range u.Lines {
		f.Lines = append(f.Lines, inventoryLine{l.Source.File, l.Source.Line, l.ID.ACL, l.ID.Seq, l.Text})
	}
	if s != nil {
		f.Suggestion = s.Suggest(u.Addresses)
	}
	return f
}

func (o *inventoryCheckOptions) write(out io.Writer, all []inventoryFinding) error {
	var b bytes.Buffer
	if o.output == "json" {
		for i := range all {
			all[i].Addresses = append([]string{}, all[i].Addresses...)
			all[i].Lines = append([]inventoryLine{}, all[i].Lines...)
		}
		if err := writeJSON(&b, append([]inventoryFinding{}, all...)); err != nil {
			return err
		}
	} else {
		for i := range all {
			all[i].print(&b)
		}
	}
	if _, err := out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// print writes a finding in the form of a compiler, with the lines it is about.
func (f *inventoryFinding) print(b *bytes.Buffer) {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	fmt.Fprintf(b, "%s: %s: %s\n", place, f.Kind, f.Message)
	if f.Suggestion != "" {
		fmt.Fprintf(b, "    %s\n", f.Suggestion)
	}
	for _, l := range f.Lines {
		fmt.Fprintf(b, "    used by %s:%d: %s %d %s\n", l.File, l.Line, l.ACL, l.Seq, l.Text)
	}
}
