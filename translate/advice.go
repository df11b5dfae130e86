package translate

import (
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// tryLimit is how many lines are ordered again for targets whose cost grows
// faster than the lines.
const tryLimit = 2000

// Advice says how else lists could be converted. It converts them for other
// targets, each at most once, when that is first asked for.
type Advice struct {
	policies []policy.Policy
	options  OrderOptions
	lines    int
	// tried holds the findings by the name of the target.
	tried map[string][]policy.Finding
	safe  *safer
}

// Advise gives the advice about lists, from what Order found with the same
// arguments.
func Advise(policies []policy.Policy, o OrderOptions, found []policy.Finding) *Advice {
	a := &Advice{policies: policies, options: o, tried: map[string][]policy.Finding{o.Target.Name: found}}
	for i := range policies {
		a.lines += len(policies[i].Rules)
	}
	return a
}

// try gives what is found for a target; false for lists that are too long to
// try it.
func (a *Advice) try(t Target) ([]policy.Finding, bool) {
	found, ok := a.tried[t.Name]
	if ok || a.lines > tryLimit && !t.Ordered {
		return found, ok
	}
	again := a.options
	again.Target = t
	_, found = Order(a.policies, again)
	a.tried[t.Name] = found
	return found, true
}

// Carrier names, for a finding of Order, the first other target that carries
// the line, or the list, as it is; false when there is none.
func (a *Advice) Carrier(f policy.Finding) (Target, bool) {
	if f.State != policy.Narrower && f.State != policy.Refused {
		return Target{}, false
	}
	for _, t := range Targets() {
		if t.Name == a.options.Target.Name {
			continue
		}
		if found, ok := a.try(t); ok && carries(found, f) {
			return t, true
		}
	}
	return Target{}, false
}

// carries reports whether nothing is lacking of the finding's line, or of its
// list as a whole.
func carries(found []policy.Finding, f policy.Finding) bool {
	for _, g := range found {
		list := g.ID.ACL == f.ID.ACL && g.ID.Seq == 0
		if lacks(g) && (g.ID == f.ID || list && (f.ID.Seq == 0 || g.State == policy.Refused)) {
			return false
		}
	}
	return true
}

// lacks reports whether a finding says that something is not as in the list.
func lacks(f policy.Finding) bool {
	return f.State == policy.Narrower || f.State == policy.Refused || f.State == policy.Wider
}

// A Loss is what a target does not say of a list.
type Loss struct {
	// Lines counts the lines that are narrower, refused or wider: all of them
	// where the list is refused.
	Lines int
	// List says that the list as a whole is narrower or refused.
	List bool
}

// less reports whether one loses less than the other.
func (l Loss) less(other Loss) bool {
	return l.Lines < other.Lines || l.Lines == other.Lines && !l.List && other.List
}

// Best gives the target that loses least of a list, and what it loses: the one
// of the options, or the first of Targets where that loses less. The list is
// the one that the lines name as theirs.
func (a *Advice) Best(list string) (Target, Loss) {
	best := a.options.Target
	least := a.loss(list, a.tried[best.Name])
	for _, t := range Targets() {
		if least == (Loss{}) {
			break
		}
		if found, ok := a.try(t); ok {
			if l := a.loss(list, found); l.less(least) {
				best, least = t, l
			}
		}
	}
	return best, least
}

func (a *Advice) loss(list string, found []policy.Finding) (out Loss) {
	standing := a.standing(list)
	lines := map[uint32]bool{}
	refused := false
	for _, f := range found {
		switch {
		case !lacks(f):
		case f.ID.Seq == 0 && standing[f.ID.ACL]:
			out.List = true
			refused = refused || f.State == policy.Refused
		case f.ID.Seq != 0 && f.ID.ACL == list:
			lines[f.ID.Seq] = true
		}
	}
	if refused {
		lines = a.seqs(list)
	}
	out.Lines = len(lines)
	return out
}

// standing gives the names of the policies that a list's lines stand in: its
// own, or that of the zone whose pairs have them.
func (a *Advice) standing(list string) map[string]bool {
	out := map[string]bool{list: true}
	for i := range a.policies {
		p := &a.policies[i]
		if slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.ID.ACL == list && !r.Uncounted }) {
			out[p.ACL] = true
		}
	}
	return out
}

func (a *Advice) seqs(list string) map[uint32]bool {
	out := map[uint32]bool{}
	for i := range a.policies {
		for k := range a.policies[i].Rules {
			if r := &a.policies[i].Rules[k]; r.ID.ACL == list && !r.Uncounted {
				out[r.ID.Seq] = true
			}
		}
	}
	return out
}

/*
The nearest safe alternative

A deny that the target cannot say keeps its list out. Made larger, until the
target has words for it, it denies more and permits nothing that the list does
not: the list converts, narrower than it was. Source ports and ICMP codes are
given up, nothing else, for that is near enough to be of use.
*/

// safer is what the lists could say instead.
type safer struct {
	// changes says what to do with a line.
	changes []change
	// found is what Order says of the changed lists.
	found []policy.Finding
}

type change struct {
	id   policy.RuleID
	text string
}

// Alternative says what a refused list could say for the target to take it, and
// to permit less than it does; empty when nothing near is known.
func (a *Advice) Alternative(list string) []string {
	standing := a.standing(list)
	refused := func(all []policy.Finding) bool {
		return slices.ContainsFunc(all, func(f policy.Finding) bool {
			return f.State == policy.Refused && f.ID.Seq == 0 && standing[f.ID.ACL]
		})
	}
	if a.lines > tryLimit || !refused(a.tried[a.options.Target.Name]) {
		return nil
	}
	if a.safe == nil {
		a.safe = denyMore(a.policies, a.options)
	}
	if refused(a.safe.found) {
		return nil
	}
	var own, all []string
	for _, c := range a.safe.changes {
		all = append(all, fmt.Sprintf("line %d of %s %s", c.id.Seq, c.id.ACL, c.text))
		if c.id.ACL == list {
			own = append(own, fmt.Sprintf("line %d %s", c.id.Seq, c.text))
		}
	}
	if own == nil {
		return all // it is refused for what it stands together with
	}
	return own
}

// denyMore makes refused denies larger until no more can be done.
func denyMore(policies []policy.Policy, o OrderOptions) *safer {
	all := slices.Clone(policies)
	for i := range all {
		all[i].Rules = slices.Clone(all[i].Rules)
	}
	out := &safer{}
	for range maxWidenings {
		_, out.found = Order(all, o)
		refused := map[policy.RuleID]bool{}
		for _, f := range out.found {
			refused[f.ID] = refused[f.ID] || f.State == policy.Refused && f.ID.Seq != 0
		}
		made := out.enlarge(all, refused, o.Target)
		if len(made) == 0 {
			return out
		}
		out.changes = append(out.changes, made...)
	}
	return out
}

// enlarge makes the denies among lines larger, wherever they stand, and says so
// once for each.
func (s *safer) enlarge(all []policy.Policy, lines map[policy.RuleID]bool, t Target) (made []change) {
	for i := range all {
		for k := range all[i].Rules {
			r := &all[i].Rules[k]
			if r.Action != policy.Deny || !lines[r.ID] {
				continue
			}
			if text := larger(r, t); text != "" && !slices.ContainsFunc(made, func(c change) bool { return c.id == r.ID }) {
				made = append(made, change{r.ID, text})
			}
		}
	}
	return made
}

// larger takes from a deny the conditions that the target cannot say and gives
// what it denies then; "" when there is nothing to take.
func larger(r *policy.Rule, t Target) (text string) {
	services := slices.Clone(r.Match.Services)
	for i := range services {
		s := &services[i]
		if !t.SourcePorts && !s.SourcePorts.All() && len(s.SourcePorts) > 0 {
			s.SourcePorts, text = policy.AllNumbers(), "denying from every source port"
		}
		types := wholeTypes(s.ICMP)
		switch {
		case !t.ICMP && len(s.ICMP) > 0 && !s.ICMP.All():
			s.ICMP, text = policy.AllNumbers(), "denying ICMP of every type"
		case t.ICMP && !t.ICMPCodes && !slices.Equal(types, s.ICMP):
			s.ICMP, text = types, "denying every ICMP code"
		}
	}
	r.Match.Services = services
	return text
}
