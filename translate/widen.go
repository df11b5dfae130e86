package translate

import (
	"slices"

	"aclium/translate/policy"
)

// This file lets lines through without what the target cannot say, where the
// user asks for it. What is permitted then is wider than the lists, so that
// only lines which are refused otherwise are touched.

// maxWidenings bounds how often a list is tried again without a deny.
const maxWidenings = 100

// widened orders the policies and takes conditions away from the lines that
// are refused, until no more can be done.
func widened(policies []policy.Policy, o OrderOptions) (policy.Stack, []policy.Finding) {
	all := make([]policy.Policy, len(policies))
	for i, p := range policies {
		all[i] = p
		all[i].Rules = slices.Clone(p.Rules)
	}
	var notes []policy.Finding
	for range maxWidenings {
		stack, findings := ordered(all, o)
		refused := map[policy.RuleID]bool{}
		for _, f := range findings {
			if f.State == policy.Refused && f.ID.Seq != 0 {
				refused[f.ID] = true
			}
		}
		more := []policy.Finding(nil)
		for i := range all {
			for k := range all[i].Rules {
				if r := &all[i].Rules[k]; refused[r.ID] {
					more = append(more, letThrough(r, o.Target)...)
				}
			}
		}
		if len(more) == 0 {
			return stack, slices.Concat(notes, findings)
		}
		notes = append(notes, more...)
	}
	stack, findings := ordered(all, o)
	return stack, slices.Concat(notes, findings)
}

// letThrough takes from a line what the target cannot say, and tells; nothing when
// there is nothing to take. Of a permit the condition goes, of a deny the line.
func letThrough(r *policy.Rule, t Target) []policy.Finding {
	reason := ""
	switch {
	case r.Action == policy.Deny && len(r.Match.Services) > 0:
		r.Match.Services, reason = nil, "left out as --allow-wider asks: what it denies passes where a later line permits it"
	case r.Action == policy.Permit:
		services := slices.Clone(r.Match.Services)
		for i := range services {
			s := &services[i]
			if !t.SourcePorts && !s.SourcePorts.All() && len(s.SourcePorts) > 0 {
				s.SourcePorts, reason = policy.AllNumbers(), "permitted from every source port, as --allow-wider asks"
			}
			if types := wholeTypes(s.ICMP); !t.ICMPCodes && !slices.Equal(types, s.ICMP) {
				s.ICMP, reason = types, "permitted with every ICMP code, as --allow-wider asks"
			}
		}
		r.Match.Services = services
	}
	if reason == "" {
		return nil
	}
	return []policy.Finding{{ID: r.ID, Source: r.Source, Text: r.Text, State: policy.Wider, Reason: reason}}
}

// wholeTypes gives all codes of the types in a set of ICMP types and codes.
func wholeTypes(s policy.Ranges) (out policy.Ranges) {
	var all []policy.Range
	for _, r := range s {
		all = append(all, policy.Range{First: r.First &^ 0xff, Last: r.Last | 0xff})
	}
	return policy.NewRanges(all...)
}
