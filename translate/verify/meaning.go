package verify

import "aclium/translate/policy"

// An outcome is what a run of rules does: where it permits, where it leaves
// the tier, and where it decides nothing. What is left it denies.
type outcome struct{ permit, pass, rest ref }

// then joins two runs that are asked one after the other.
func (s *space) then(a, b outcome) outcome {
	return outcome{
		permit: s.or(a.permit, s.and(a.rest, b.permit)),
		pass:   s.or(a.pass, s.and(a.rest, b.pass)),
		rest:   s.and(a.rest, b.rest),
	}
}

// run asks the rules in order; Next leaves the tier. The halves are joined, so
// that the large functions are few.
func (s *space) run(rules []policy.Rule) outcome {
	switch len(rules) {
	case 0:
		return outcome{no, no, yes}
	case 1:
		m := s.match(&rules[0])
		out := outcome{no, no, m.not()}
		switch rules[0].Action {
		case policy.Permit:
			out.permit = m
		case policy.Next:
			out.pass = m
		}
		return out
	}
	return s.then(s.run(rules[:len(rules)/2]), s.run(rules[len(rules)/2:]))
}

// permits holds where the list permits, as Policy.Eval says.
func (s *space) permits(p *policy.Policy) ref {
	for i := range p.Rules {
		if p.Rules[i].Action == policy.Next {
			return s.permitsByJumps(p)
		}
	}
	return s.run(p.Rules).permit
}

// permitsByJumps walks a list backwards: from each line on, it knows where the
// lines behind it permit.
func (s *space) permitsByJumps(p *policy.Policy) ref {
	from := make([]ref, len(p.Rules)+1)
	from[len(p.Rules)] = no
	for i := len(p.Rules) - 1; i >= 0; i-- {
		r := &p.Rules[i]
		m := s.match(r)
		target := no
		switch r.Action {
		case policy.Permit:
			target = yes
		case policy.Next:
			target = from[r.Goto]
		}
		from[i] = s.or(s.and(m, target), s.without(from[i+1], m))
	}
	return from[0]
}

// hasSay holds where the policy filters the packet.
func (s *space) hasSay(p *policy.Policy) ref {
	if p.Direction != s.direction {
		return no
	}
	if s.lists {
		return s.isFamily(p.Family)
	}
	role, labels := uint64(pod), s.subject.labels
	if p.Subject.Nodes {
		role, labels = host, s.subject.nodeLabels
	}
	return s.all([]ref{s.isFamily(p.Family), s.is(s.subject.role, role), s.selects(p.Subject.Selectors, labels)})
}

// tier gives where a tier permits for good and where it leaves the packet to
// the tiers behind it.
func (s *space) tier(t *policy.Tier) (permit, next ref) {
	says, open := make([]ref, len(t.Policies)), make([]ref, 0, len(t.Policies))
	for i := range t.Policies {
		says[i] = s.hasSay(&t.Policies[i])
		if !t.Policies[i].Open {
			open = append(open, says[i].not())
		}
	}
	// ends holds where what no rule decides goes on to the next tier.
	silent, ends := s.any(says).not(), s.all(open)
	switch t.Combine {
	case policy.Series:
		return no, s.series(t, says)
	case policy.Union:
		deny, permit := s.union(t, says)
		return s.without(permit, deny), s.all([]ref{permit.not(), deny.not(), ends})
	case policy.Ordered:
		o := s.ordered(t.Policies, says)
		return o.permit, s.or(o.pass, s.and(o.rest, ends))
	}
	return no, silent
}

func (s *space) series(t *policy.Tier, says []ref) ref {
	fs := make([]ref, len(says))
	for i, say := range says {
		if fs[i] = yes; say != no {
			fs[i] = s.implies(say, s.permits(&t.Policies[i]))
		}
	}
	return s.all(fs)
}

func (s *space) union(t *policy.Tier, says []ref) (deny, permit ref) {
	denies, permits := make([]ref, len(says)), make([]ref, len(says))
	for i, say := range says {
		denies[i], permits[i] = no, no
		if say == no {
			continue
		}
		rules := map[policy.Action][]ref{}
		for k := range t.Policies[i].Rules {
			r := &t.Policies[i].Rules[k]
			rules[r.Action] = append(rules[r.Action], s.match(r))
		}
		denies[i], permits[i] = s.and(say, s.any(rules[policy.Deny])), s.and(say, s.any(rules[policy.Permit]))
	}
	return s.any(denies), s.any(permits)
}

func (s *space) ordered(policies []policy.Policy, says []ref) outcome {
	switch len(policies) {
	case 0:
		return outcome{no, no, yes}
	case 1:
		if says[0] == no {
			return outcome{no, no, yes}
		}
		o := s.run(policies[0].Rules)
		return outcome{s.and(says[0], o.permit), s.and(says[0], o.pass), s.or(says[0].not(), o.rest)}
	}
	half := len(policies) / 2
	return s.then(s.ordered(policies[:half], says[:half]), s.ordered(policies[half:], says[half:]))
}

// stack holds where the stack permits, as Stack.Judge says.
func (s *space) stack(tiers policy.Stack) ref {
	reached, permit := yes, no
	for i := range tiers {
		p, next := s.tier(&tiers[i])
		permit = s.or(permit, s.and(reached, p))
		reached = s.and(reached, next)
	}
	return s.or(permit, reached)
}
