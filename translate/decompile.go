package translate

import (
	"fmt"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

/*
From policy objects to IOS text

Several objects stand on one pod, and an interface has one list for each
direction and family. So the subjects are cut into disjoint parts, as Order
does it, parts on which the same objects stand are joined again, and what the
objects mean together there becomes one list:

	union      denies, permits, then the end
	ordered    the rules in their order; a rule that passes a packet on becomes
	           what the tiers behind it say of its packets
	the end    deny, or what the tiers behind say where nothing isolates

Lists stand in series on a pod's port, as interfaces with the same pods do, so
a tier of lists becomes interfaces of their own.

Addresses of the world alone (Cilium's CIDRs) have no word in IOS. A list with
some is said twice: first for the ends in the cluster, down to its end, then
for the rest, which is the world.

A permit that cannot be said is left out, which is narrower; a deny that cannot
be said keeps its list out.
*/

// decompiledFile is the name that the places of the text go by.
const decompiledFile = "policies"

// Decompile gives what policies mean together as IOS text: an interface for
// each share of their pods, with a list for each direction and family. Compile
// gives back policies that judge every packet alike, but for what the findings
// say; those of Seq 0 and State Refused are of policies that have no list.
func Decompile(s policy.Stack) (*grammar.Config, []policy.Finding, error) {
	d := &decompiler{names: map[string]bool{}, groups: map[string]string{}}
	for len(s) > 0 && s[0].Combine == policy.Series {
		for i := range s[0].Policies {
			d.series(&s[0].Policies[i])
		}
		s = s[1:]
	}
	for i := range s {
		if s[i].Combine == policy.Series && len(s[i].Policies) > 0 {
			return nil, nil, fmt.Errorf("decompile: lists stand behind policies that permit for good")
		}
	}
	d.objects(s)
	config, err := understood(d.text())
	if err != nil {
		return nil, nil, err
	}
	// Places are those of the text as it is printed.
	var canonical strings.Builder
	if err := config.Print(&canonical); err != nil || canonical.Len() == 0 {
		return config, d.findings, err
	}
	config, err = understood(canonical.String())
	return config, d.findings, err
}

// understood reads text of which every line must be understood.
func understood(text string) (*grammar.Config, error) {
	config, notices, err := grammar.ParseFile(decompiledFile, strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("decompile: the text is not understood: %w", err)
	}
	if len(notices) > 0 {
		return nil, fmt.Errorf("decompile: the text is not understood: %s: %s", notices[0].Pos, notices[0].Msg)
	}
	return config, nil
}

type decompiler struct {
	// names are all that are taken, of groups and of lists.
	names map[string]bool
	// groups are the names of object-groups, by kind and members.
	groups                          map[string]string
	groupText, listText, interfaces strings.Builder
	findings                        []policy.Finding
}

func (d *decompiler) text() string {
	return d.groupText.String() + d.listText.String() + d.interfaces.String() + "end\n"
}

// refuse reports policies that have no list.
func (d *decompiler) refuse(policies []*policy.Policy, format string, args ...any) {
	for _, p := range policies {
		d.note(policy.Finding{ID: policy.RuleID{ACL: p.ACL}, State: policy.Refused, Reason: p.Direction.String() + " of " + p.Subject.Name + ": " + fmt.Sprintf(format, args...)})
	}
}

func (d *decompiler) note(f policy.Finding) {
	same := func(g policy.Finding) bool {
		return g.ID == f.ID && g.Source == f.Source && g.Reason == f.Reason && g.State == f.State
	}
	if !slices.ContainsFunc(d.findings, same) {
		d.findings = append(d.findings, f)
	}
}

// series gives one list an interface of its own.
func (d *decompiler) series(p *policy.Policy) {
	if p.Subject.Nodes {
		d.refuse([]*policy.Policy{p}, "stands on nodes by their labels, which an interface cannot name")
		return
	}
	port := "interface " + p.Subject.Interface
	if p.Subject.Interface == "" {
		group, why := d.workloads(strings.TrimPrefix(p.Subject.Name, "workload "), podsOf(p.Subject.Selectors))
		if why != "" {
			d.refuse([]*policy.Policy{p}, "%s", why)
			return
		}
		port = "interface workload " + group
	}
	var settings []string
	if p.Subject.NoHostPermit {
		settings = append(settings, " no ip host-permit")
	}
	if p.Subject.AllowSpoofed {
		settings = append(settings, " no ip verify source")
	}
	l := &lineage{decompiler: d, direction: p.Direction, stateful: p.Stateful}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Action == policy.Next {
			d.refuse([]*policy.Policy{p}, "line %d leaves its class, which a list cannot say", r.ID.Seq)
			return
		}
		if what := r.BeyondObject(); what != "" {
			d.refuse([]*policy.Policy{p}, "line %d has %s, which is not written back", r.ID.Seq, what)
			return
		}
		if !r.Uncounted {
			l.lines = append(l.lines, said{action: r.Action, match: r.Match, rule: r, log: r.Log})
		}
	}
	l.end = policy.Deny
	if bindings := l.bind(p.ACL, p.Family, []*policy.Policy{p}); len(bindings) > 0 {
		d.port(port, append(settings, bindings...))
	}
}

// port writes an interface.
func (d *decompiler) port(head string, lines []string) {
	fmt.Fprintf(&d.interfaces, "%s\n%s\n!\n", head, strings.Join(lines, "\n"))
}

// objects gives every share of the pods its interface.
func (d *decompiler) objects(s policy.Stack) {
	var all []*policy.Policy
	for i := range s {
		for k := range s[i].Policies {
			p := &s[i].Policies[k]
			if p.Subject.Nodes || p.Subject.Interface != "" {
				d.refuse([]*policy.Policy{p}, "stands on nodes and not on pods: an interface of a node filters without state")
				continue
			}
			if slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.BeyondObject() != "" }) {
				d.refuse([]*policy.Policy{p}, "has what no object of a cluster says")
				continue
			}
			all = append(all, p)
		}
	}
	shares, ok := sharesOf(all)
	if !ok {
		d.refuse(all, "the subjects overlap in more than %d ways", maxParts)
		return
	}
	for _, share := range shares {
		d.share(s, share)
	}
}

// A share is pods on which the same policies stand.
type share struct {
	pods     podSet
	policies []*policy.Policy
}

// sharesOf cuts the subjects; false when they overlap in too many ways.
func sharesOf(all []*policy.Policy) (out []share, ok bool) {
	var pods, cuts podSet
	subjects := make([]podSet, len(all))
	for i, p := range all {
		subjects[i] = podsOf(p.Subject.Selectors)
		pods = pods.union(subjects[i])
		cuts = append(cuts, subjects[i]...)
	}
	slices.SortFunc(cuts, func(a, b conj) int { return strings.Compare(a.String(), b.String()) })
	cuts = slices.CompactFunc(cuts, func(a, b conj) bool { return a.String() == b.String() })
	pieces := splitAll(pods, cuts)
	if len(pieces) > maxParts {
		return nil, false
	}
	at := map[string]int{}
	for _, piece := range pieces {
		var on []*policy.Policy
		key := ""
		for i, p := range all {
			if slices.ContainsFunc(subjects[i], piece.implies) {
				on = append(on, p)
				key += fmt.Sprint(i, " ")
			}
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, share{policies: on})
		}
		out[i].pods = append(out[i].pods, piece)
	}
	return out, true
}

// share writes the interface of one share of the pods.
func (d *decompiler) share(s policy.Stack, on share) {
	name := shareName(on.policies)
	group, why := d.workloads(name, on.pods.simplified())
	if why != "" {
		d.refuse(on.policies, "%s", why)
		return
	}
	var bindings []string
	for _, direction := range []policy.Direction{policy.Egress, policy.Ingress} {
		for _, family := range []policy.Family{policy.IPv4, policy.IPv6} {
			tiers := tiersFor(s, on.policies, direction, family)
			if len(tiers) == 0 {
				continue
			}
			l := &lineage{decompiler: d, direction: direction, stateful: true, remarks: true}
			var bad string
			if l.lines, l.end, bad = l.walk(tiers); bad != "" {
				d.refuse(slices.Concat(tiersPolicies(tiers)...), "%s", bad)
				continue
			}
			bindings = append(bindings, l.bind(name, family, slices.Concat(tiersPolicies(tiers)...))...)
		}
	}
	if len(bindings) > 0 {
		d.port("interface workload "+group, bindings)
	}
}

// shareName joins the names of the objects.
func shareName(policies []*policy.Policy) string {
	var names []string
	for _, p := range policies {
		if !slices.Contains(names, p.ACL) {
			names = append(names, p.ACL)
		}
	}
	return strings.Join(names, "+")
}

// tier is the part of a tier that has a say.
type tier struct {
	combine  policy.Combination
	policies []*policy.Policy
}

// tiersFor gives the tiers of a direction and family, without those in which
// no policy has a say.
func tiersFor(s policy.Stack, on []*policy.Policy, d policy.Direction, f policy.Family) (out []tier) {
	for i := range s {
		t := tier{combine: s[i].Combine}
		for k := range s[i].Policies {
			if p := &s[i].Policies[k]; p.Direction == d && p.Family&f != 0 && slices.Contains(on, p) {
				t.policies = append(t.policies, p)
			}
		}
		if len(t.policies) > 0 {
			out = append(out, t)
		}
	}
	return out
}

func tiersPolicies(tiers []tier) (out [][]*policy.Policy) {
	for _, t := range tiers {
		out = append(out, t.policies)
	}
	return out
}
