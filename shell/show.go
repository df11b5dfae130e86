package shell

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// totals are the packets of every line, summed over subjects, directions and
// nodes.
type totals map[policy.RuleID]uint64

func (s *Shell) counters(ctx context.Context) ([]policy.Counter, error) {
	if s.o.Counters == nil {
		return nil, nil
	}
	return s.o.Counters.Counters(ctx)
}

func sum(all []policy.Counter) totals {
	t := totals{}
	for _, c := range all {
		t[c.RuleID] += c.Packets
	}
	return t
}

func (s *Shell) showAccessLists(c *call) error {
	return s.showLists(c, func(grammar.ACLKind) bool { return true })
}

func (s *Shell) showIPAccessLists(c *call) error {
	return s.showLists(c, func(k grammar.ACLKind) bool { return !k.IsIPv6() })
}

func (s *Shell) showIPv6AccessLists(c *call) error {
	return s.showLists(c, func(k grammar.ACLKind) bool { return k.IsIPv6() })
}

// showLists prints the lists of some kinds, or the one that was named; nothing
// for a list that does not exist, as IOS. The counters are read before the
// configuration, so that a line never shows a count of its successor.
func (s *Shell) showLists(c *call, wanted func(grammar.ACLKind) bool) error {
	counters, err := s.counters(c.ctx)
	if err != nil {
		return err
	}
	entries, err := s.reflexive(c)
	if err != nil {
		return err
	}
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	s.banner(c.ctx, c.out)
	total, rows := sum(counters), []aclRow{}
	for _, a := range s.running.ACLs {
		if !wanted(a.Kind) || c.arg() != "" && a.Name != c.arg() {
			continue
		}
		rows = append(rows, aclRows(a, total)...)
		if c.has("detail") {
			s.printDetail(c.out, a, counters)
		} else {
			s.printList(c.out, a, total)
		}
	}
	for _, k := range []grammar.ACLKind{grammar.Extended, grammar.IPv6} {
		if wanted(k) {
			rows = append(rows, s.showReflexive(c, k.IsIPv6(), entries)...)
		}
	}
	if c.json {
		c.rows = rows
	}
	return nil
}

// printList prints a list exactly as IOS does.
func (s *Shell) printList(out io.Writer, a *grammar.ACL, total totals) {
	s.printEntries(out, listHeader(a), a, total)
}

func (s *Shell) printEntries(out io.Writer, header string, a *grammar.ACL, total totals) {
	fmt.Fprintln(out, header)
	for _, e := range a.Entries {
		if e.ACE != nil {
			fmt.Fprintf(out, "    %s\n", e.Show(total[policy.RuleID{ACL: a.Name, Seq: e.Seq}], s.rangeState(e.ACE)))
		}
	}
}

func listHeader(a *grammar.ACL) string {
	return a.Kind.Header(a.Name)
}

// printDetail prints every line with a row for each subject, direction and
// node that counts it, the implicit deny among them.
func (s *Shell) printDetail(out io.Writer, a *grammar.ACL, counters []policy.Counter) {
	fmt.Fprintln(out, listHeader(a))
	for _, e := range a.Entries {
		if e.ACE != nil {
			fmt.Fprintf(out, "    %s\n", e.Show(0, s.rangeState(e.ACE)))
			s.printCounters(out, counters, policy.RuleID{ACL: a.Name, Seq: e.Seq})
		}
	}
	if len(a.Entries) > 0 {
		fmt.Fprintln(out, "    implicit deny")
		s.printCounters(out, counters, policy.RuleID{ACL: a.Name})
	}
}

func (s *Shell) printCounters(out io.Writer, counters []policy.Counter, id policy.RuleID) {
	found := slices.DeleteFunc(slices.Clone(counters), func(c policy.Counter) bool { return c.RuleID != id })
	slices.SortFunc(found, func(a, b policy.Counter) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Direction, b.Direction), strings.Compare(a.Node, b.Node))
	})
	for _, c := range found {
		fmt.Fprintf(out, "        %s %s on %s: %s, %d bytes%s\n", c.Subject, s.direction(&c), cmp.Or(c.Node, "-"), packets(c.Packets), c.Bytes, lastHit(c))
	}
}

func lastHit(c policy.Counter) string {
	if c.LastHit.IsZero() {
		return ""
	}
	return ", last hit " + c.LastHit.UTC().Format("15:04:05 UTC Jan 2 2006")
}

// direction gives IOS's word: "out" is towards the pod, and away from the node
// on an interface of its own.
func (s *Shell) direction(c *policy.Counter) string {
	i := s.running.Interface(c.Subject)
	if own := i != nil && !i.Workload; own == (c.Direction == policy.Ingress) {
		return "in"
	}
	return "out"
}

// An aclRow is one line of "show access-lists | json".
type aclRow struct {
	ACL     string `json:"acl"`
	Kind    string `json:"kind"`
	Seq     uint32 `json:"seq"`
	Text    string `json:"text"`
	Packets uint64 `json:"packets"`
	// TimeLeft is in seconds, of entries of reflexive lists alone.
	TimeLeft *int `json:"timeLeft,omitempty"`
}

func aclRows(a *grammar.ACL, total totals) []aclRow {
	var rows []aclRow
	kind := strings.ToLower(a.Kind.String())
	for _, e := range a.Entries {
		if e.ACE != nil {
			rows = append(rows, aclRow{ACL: a.Name, Kind: kind, Seq: e.Seq, Text: e.ACE.String(), Packets: total[policy.RuleID{ACL: a.Name, Seq: e.Seq}]})
		}
	}
	return append(rows, aclRow{ACL: a.Name, Kind: kind, Text: "implicit deny", Packets: total[policy.RuleID{ACL: a.Name}]})
}

func (s *Shell) showObjectGroup(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for _, g := range s.running.ObjectGroups {
		if c.arg() == "" || g.Name == c.arg() {
			printGroup(c.out, g)
		}
	}
	return nil
}

var groupHeaders = map[grammar.GroupKind]string{
	grammar.NetworkGroup:    "Network object group",
	grammar.NetworkGroup6:   "V6-Network object group",
	grammar.ServiceGroup:    "Service object group",
	grammar.ServiceGroup6:   "V6-Service object group",
	grammar.PatternGroup:    "FQDN object group",
	grammar.RegionGroup:     "GEO object group",
	grammar.TagGroup:        "Security object group",
	grammar.PolicyAddresses: "IP address object group",
	grammar.PolicyPorts:     "IP port object group",
}

func printGroup(out io.Writer, g *grammar.ObjectGroup) {
	fmt.Fprintln(out, groupHeaders[g.Kind], g.Name)
	if g.Description != "" {
		fmt.Fprintln(out, " Description", g.Description)
	}
	for _, m := range g.Members {
		fmt.Fprintf(out, " %s\n", m)
	}
}

func interfaceName(i *grammar.Interface) string {
	if i.Workload {
		return "workload " + i.Name
	}
	return i.Name
}

// showIPInterface prints the IPv4 lists of interfaces. Whether a link is up is
// the node's business, not ours.
func (s *Shell) showIPInterface(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	for _, i := range s.running.Interfaces {
		if c.arg() == "" || isCalled(c.arg(), i) {
			printInterface(c.out, i)
		}
	}
	return nil
}

// isCalled reports whether the words name the interface.
func isCalled(words string, i *grammar.Interface) bool {
	return strings.EqualFold(strings.Join(strings.Fields(words), " "), interfaceName(i))
}

func printInterface(out io.Writer, i *grammar.Interface) {
	fmt.Fprintf(out, "%s is configured\n", interfaceName(i))
	fmt.Fprintf(out, "  Outgoing access list is %s\n", bound(i, grammar.Outbound))
	fmt.Fprintf(out, "  Inbound  access list is %s\n", bound(i, grammar.Inbound))
}

func bound(i *grammar.Interface, d grammar.Direction) string {
	for _, b := range i.Bindings {
		if !b.IPv6 && b.Direction == d {
			return b.ACL.Text
		}
	}
	return "not set"
}
