package policy

import "slices"

// Implicit is the line index of a list's implicit last line.
const Implicit = -1

// Eval walks the rules and gives the action of the first one that matches,
// Permit or Deny, and its index; Deny and Implicit when none does. The packet
// must be of a family that the policy governs.
func (p *Policy) Eval(packet *Packet) (Action, int) {
	return p.eval(packet, packet.reflected)
}

// eval is Eval with reflexive lists: reflected reports whether an entry of the
// list fits the packet.
func (p *Policy) eval(packet *Packet, reflected func(list string) bool) (Action, int) {
	for i := 0; i < len(p.Rules); i++ {
		r := &p.Rules[i]
		if !r.matches(packet) || r.Match.Evaluate != "" && !reflected(r.Match.Evaluate) {
			continue
		}
		if r.Action == Next && r.Match.Time != nil && packet.At.IsZero() {
			return Deny, i // either way may be the wide one
		}
		if r.Action != Next {
			return r.Action, i
		}
		i = r.Goto - 1
	}
	return Deny, Implicit
}

// ID gives the RuleID of a line index that Eval returned.
func (p *Policy) ID(line int) RuleID {
	if line == Implicit {
		return RuleID{ACL: p.ACL}
	}
	return p.Rules[line].ID
}

// Matches reports whether the packet is in the rule's match. A non-initial
// fragment carries no ports, so a rule that asks for some matches it by its
// addresses alone when it permits, and never when it does not (Cisco,
// "Access Control Lists and IP Fragments").
//
// A rule that evaluates a reflexive list matches what the packet says of it.
func (r *Rule) Matches(p *Packet) bool {
	return (r.Match.Evaluate == "" || p.reflected(r.Match.Evaluate)) && r.matches(p)
}

// matches is Matches of a rule whose reflexive list, if it has one, has an
// entry for every packet.
func (r *Rule) matches(p *Packet) bool {
	m := &r.Match
	if m.Fragments && p.Fragment != Later || !r.exists(p) {
		return false
	}
	if m.TrafficClass != nil && !m.TrafficClass.Has(p.TrafficClass) || m.HopLimit != nil && !m.HopLimit.Has(p.HopLimit) {
		return false
	}
	if !m.Source.Has(&p.Source) || !m.Destination.Has(&p.Destination) {
		return false
	}
	fits := func(s Service) bool { return r.matchesService(&s, p) }
	return slices.ContainsFunc(m.Services, fits) && r.matchesRequest(p)
}

// exists reports whether the rule is there at the packet's moment. At an
// unknown one what may permit is absent and what may deny is present.
func (r *Rule) exists(p *Packet) bool {
	switch {
	case r.Match.Time == nil:
		return true
	case p.At.IsZero():
		return r.Action != Permit
	}
	return r.Match.Time.Active(p.At)
}

// matchesRequest looks at what the connection carries. It has to be open
// before a request can be seen.
func (r *Rule) matchesRequest(p *Packet) bool {
	switch {
	case r.Match.HTTP == nil:
		return true
	case p.HTTP == nil:
		return r.Action == Permit
	}
	return slices.ContainsFunc(r.Match.HTTP, func(m HTTPMatch) bool { return m.Matches(p.HTTP) })
}

func (r *Rule) matchesService(s *Service, p *Packet) bool {
	if !s.Protocols.Has(p.Protocol) {
		return false
	}
	if p.Fragment == Later {
		return !s.LooksAtL4() || r.Action == Permit
	}
	return s.matchesL4(p)
}
