package translate

import (
	"cmp"
	"slices"

	"aclium/translate/policy"
)

// verbatim gives the lists as they are, for a target that says every word but
// what a node cannot see.
func (o *orderer) verbatim(policies []policy.Policy) policy.Stack {
	o.refused = map[*policy.Policy]bool{}
	out := policy.Tier{Combine: policy.Series}
	all := make([]*policy.Policy, 0, len(policies)+len(o.options.Withheld))
	seen := map[*policy.Policy]policy.Policy{}
	for i := range policies {
		p := &policies[i]
		all = append(all, p)
		q, bad := o.seen(p)
		if bad != nil {
			o.refuse(*bad)
		}
		seen[p] = q
	}
	for i := range o.options.Withheld {
		o.refused[&o.options.Withheld[i]] = true
		all = append(all, &o.options.Withheld[i])
	}
	o.refuseTogether(all)
	for i := range policies {
		if p := &policies[i]; !o.refused[p] {
			out.Policies = append(out.Policies, seen[p])
		}
	}
	return policy.Stack{out}
}

// refuseTogether keeps out what stands on the same pods or interface as a list
// that is refused: one without the other would be wider than both.
func (o *orderer) refuseTogether(all []*policy.Policy) {
	for changed := true; changed; {
		changed = false
		for _, p := range all {
			for _, q := range all {
				if !o.refused[p] && o.refused[q] && p.Direction == q.Direction && sharesSubject(&p.Subject, &q.Subject) {
					o.refuse(refusal{list: p, reason: "stands on the same pods as " + q.ACL + ", which is refused"})
					changed = true
				}
			}
		}
	}
}

func sharesSubject(a, b *policy.Subject) bool {
	if a.Interface != "" || b.Interface != "" {
		return a.Interface == b.Interface
	}
	return a.Nodes == b.Nodes && len(podsOf(a.Selectors).intersect(podsOf(b.Selectors))) > 0
}

// seen gives the policy without the permits that look at what a node cannot
// see. A deny of that kind refuses the list unless no later permit may meet it.
func (o *orderer) seen(p *policy.Policy) (policy.Policy, *refusal) {
	out := *p
	out.Rules = nil
	// at counts the rules that are kept before each rule.
	at := make([]int, len(p.Rules)+1)
	permitted, left := false, false
	for i := range p.Rules {
		r := &p.Rules[i]
		at[i] = len(out.Rules)
		certain, why := o.certain(p, r)
		if beyond := r.BeyondNode(); beyond != "" {
			certain, why = nil, "the enforcer sees no "+beyond
		}
		if len(p.Subject.Selectors) == 0 && r.Match.LooksAtNames() {
			certain, why = nil, "the enforcer learns names on the ports of pods alone"
		}
		if why != "" {
			if (r.Action != policy.Permit || r.Police != nil) && o.meetsLater(p, i) {
				return out, &refusal{p, r, why + ", and a later line permits what this one may decide"}
			}
			if certain == nil || r.Action == policy.Permit {
				o.note(p, r, policy.Refused, "left out: %s", why)
			}
			left = true
		}
		if certain != nil {
			permitted = permitted || r.Action == policy.Permit
			out.Rules = append(out.Rules, *certain)
		}
	}
	at[len(p.Rules)] = len(out.Rules)
	for i := range out.Rules {
		if out.Rules[i].Action == policy.Next {
			out.Rules[i].Goto = at[out.Rules[i].Goto]
		}
	}
	if left && !permitted {
		return out, &refusal{list: p, reason: "the enforcer can say nothing of what the list permits: it would deny everything"}
	}
	return out, nil
}

// certain gives what a line says without the addresses that may be those of
// pods which nothing tells apart, and why that is not all; nil when nothing is
// left. A node's own interface sees the addresses that packets have.
func (o *orderer) certain(p *policy.Policy, r *policy.Rule) (*policy.Rule, string) {
	if len(p.Subject.Selectors) == 0 || !o.ids.given {
		return r, ""
	}
	out, why := *r, uncertain("")
	s := space{identities: o.ids}
	for _, end := range []*policy.Peers{&out.Match.Source, &out.Match.Destination} {
		addrs, ok := addresses(end, p.Family)
		if end.Any || !ok || len(addrs) == 0 {
			continue
		}
		doubt, reason := s.peerDoubt(addrs, p.Family)
		end.Masked, end.Addresses, why = nil, addrs.minus(o.ids.cluster).minus(doubt.addrs), cmp.Or(why, reason)
		if end.Empty() && r.Action == policy.Permit {
			return nil, string(why)
		}
	}
	return &out, string(why)
}

// meetsLater reports whether a later permit may share a packet with line i.
func (o *orderer) meetsLater(p *policy.Policy, i int) bool {
	s := &saying{orderer: o}
	for k := i + 1; k < len(p.Rules); k++ {
		r, q := &p.Rules[i].Match, &p.Rules[k].Match
		if p.Rules[k].Action == policy.Permit && o.servicesMeet(p, r, q) &&
			s.peersMeet(&r.Source, &q.Source, p.Family) && s.peersMeet(&r.Destination, &q.Destination, p.Family) {
			return true
		}
	}
	return false
}

// servicesMeet reports whether two lines of a list share a packet, as far as
// the target sees packets: a node sees them all, policy objects those that open
// connections. Without state every packet counts.
func (o *orderer) servicesMeet(p *policy.Policy, a, b *policy.Match) bool {
	switch {
	case !p.Stateful:
		return true
	case !o.options.Target.Verbatim:
		return servicesMeet(a.Services, b.Services, p.Family)
	}
	return slices.ContainsFunc(a.Services, func(s policy.Service) bool {
		return slices.ContainsFunc(b.Services, func(t policy.Service) bool { return meets(&s, &t) })
	})
}
