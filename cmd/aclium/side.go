package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// A side is a configuration as it is compared with another side.
type side struct {
	config   *grammar.Config
	policies []policy.Policy
	// inventory is what is known of the cluster, with the identity maps of the
	// configuration; nil when nothing is.
	inventory *inventory.Inventory
	// unproved are lines and lists that no policy holds: what they mean is
	// not in the comparison.
	unproved []policy.Finding
}

// stack gives the lists as they mean something together: in series.
func (s *side) stack() policy.Stack {
	return policy.Stack{{Combine: policy.Series, Policies: s.policies}}
}

// A sideReader says how configurations are read that are compared.
type sideReader struct {
	dialect   dialectFlag
	inventory *inventory.Inventory
	transit   transitFlag
	found     map[string]bool
	// nodes says that the policies on nodes are compared, too.
	nodes bool
}

// read reads a configuration and compiles it as convert does. Mistakes are
// printed.
func (r *sideReader) read(name string, in io.Reader, errOut io.Writer) (*side, error) {
	config, notices, err := r.dialect.read(name, in)
	s := &side{config: config}
	var with translate.Options
	var findings []policy.Finding
	if err == nil {
		with, err = compileOptions(config, r.inventory, r.transit, r.found)
		s.inventory, with.HostPolicies = with.Inventory, r.nodes
	}
	if err == nil {
		s.policies, findings, err = with.Compile(config)
	}
	if err != nil {
		return nil, printMistakes(err, errOut)
	}
	for _, n := range notices {
		if n.State == grammar.Unsupported && !mapsIdentity(config, n) {
			s.unproved = append(s.unproved, policy.Finding{
				Source: policy.Source{File: n.Pos.File, Line: n.Pos.Line, Column: n.Pos.Column}, Text: n.Text, State: policy.Refused, Reason: n.State.String() + ": " + n.Msg,
			})
		}
	}
	for _, f := range findings {
		if f.State == policy.Refused || f.State == policy.Faulty {
			s.unproved = append(s.unproved, f)
		}
	}
	return s, nil
}

// An unprovedRow is a line that is not in a comparison, in its JSON form.
type unprovedRow struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	ACL    string `json:"acl"`
	Seq    uint32 `json:"seq"`
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

func unprovedRows(all []policy.Finding) []unprovedRow {
	rows := []unprovedRow{}
	for _, f := range all {
		rows = append(rows, unprovedRow{f.Source.File, f.Source.Line, f.ID.ACL, f.ID.Seq, f.Text, f.Reason})
	}
	return rows
}

// rangesFlag holds the address ranges of the cluster's pods.
type rangesFlag []string

func (r *rangesFlag) add(c *cobra.Command) {
	c.Flags().StringArrayVar((*[]string)(r), "cluster-cidr", nil, "address range of the cluster's pods; may be given more than once")
}

// into adds the ranges to an inventory, which may be nil; nil when nothing is
// known then.
func (r rangesFlag) into(inv *inventory.Inventory) (*inventory.Inventory, error) {
	if len(r) == 0 {
		return inv, nil
	}
	out := &inventory.Inventory{}
	if inv != nil {
		*out = *inv
	}
	out.ClusterCIDRs = slices.Clone(out.ClusterCIDRs)
	for _, text := range r {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--cluster-cidr %q, want an address range such as 10.1.0.0/16", text)
		}
		out.ClusterCIDRs = append(out.ClusterCIDRs, p.Masked())
	}
	return out, nil
}

// familyFlag limits a comparison to one family.
type familyFlag string

func (f *familyFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(f), "family", "", "compare this family alone: ipv4 or ipv6 (default: both)")
	_ = c.RegisterFlagCompletionFunc("family", cobra.FixedCompletions([]string{"ipv4", "ipv6"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f familyFlag) family() (out policy.Family, err error) {
	switch f {
	case "":
		return 0, nil
	case "ipv4", "ipv6":
		return out, out.UnmarshalText([]byte(f))
	}
	return 0, fmt.Errorf("unknown family %q, want ipv4 or ipv6", string(f))
}
