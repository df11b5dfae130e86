package translate

import (
	"cmp"
	"fmt"
	"slices"

	"aclium/translate/policy"
)

/*
Lists for targets with an order

A target whose first matching rule decides takes a list line by line. A line
that it cannot say is left out when it permits. A deny that it cannot say may go
when no later permit shares a packet with it, for then the end of the list
denies the same. Otherwise the list is ordered as for the other targets, and so
are several lists on the same pods and lists with Next: what comes of that are
permits, which a target with an order says too.

Calico has rules for one family, so that lists of both families stand one behind
the other and the family that no list governs is permitted. In a
ClusterNetworkPolicy a permit leaves the packet to the NetworkPolicies (Next),
because the list and those stand in series.
*/

// A written is what the lists of one part become: policies with an order, and a
// union that is asked behind them.
type written struct{ ordered, union []policy.Policy }

// tiers gives the stack of all results.
func (o *orderer) tiers(all []written) (s policy.Stack) {
	ordered, union := policy.Tier{Combine: policy.Ordered}, policy.Tier{Combine: policy.Union}
	if ordered.Name = "default"; o.options.Target.Pass {
		ordered.Name = "Admin"
	}
	for _, r := range all {
		ordered.Policies = append(ordered.Policies, r.ordered...)
		union.Policies = append(union.Policies, r.union...)
	}
	if o.options.Target.Ordered {
		s = append(s, ordered)
	}
	if !o.options.Target.Ordered || len(union.Policies) > 0 {
		s = append(s, union)
	}
	return s
}

// A saying says lists line by line.
type saying struct {
	*orderer
	part      part
	direction policy.Direction
	// pods says that peers are pods alone.
	pods  bool
	rules []policy.Rule
	left  []leftOut
}

// leftOut is a permit that the target cannot say, or not all of it.
type leftOut struct {
	list *policy.Policy
	rule *policy.Rule
	why  string
}

// lineByLine reports whether the part's lists can be said so: one, or one for
// each family.
func (s *saying) lineByLine() bool {
	lists := s.part.lists
	next := func(r policy.Rule) bool { return r.Action == policy.Next }
	for _, l := range lists {
		if slices.ContainsFunc(l.Rules, next) {
			return false
		}
	}
	return len(lists) == 1 || len(lists) == 2 && s.options.Target.Families && lists[0].Family&lists[1].Family == 0
}

// say takes all lists; false when one of them cannot be said line by line.
func (s *saying) say() bool {
	if !s.lineByLine() {
		return false
	}
	for _, l := range s.part.lists {
		if !s.list(l) {
			return false
		}
	}
	return true
}

func (s *saying) list(l *policy.Policy) bool {
	for i := range l.Rules {
		r := &l.Rules[i]
		doubt := s.doubts(s.part, l, r, s.direction)
		if doubt == "" && !s.part.covers(r, s.direction) || r.Match.Fragments || hostAlone(r, s.direction) {
			continue
		}
		d, peers, why := s.options.Target.say(r.Match.Services, l.Family), policy.Peers{}, ""
		if peers, why = s.peers(peerEnd(r, s.direction), l.Family); why != "" {
			d.lost, d.why = r.Match.Services, why
		}
		switch {
		case doubt != "" && !s.part.covers(r, s.direction):
			d = division{lost: r.Match.Services, why: string(doubt)}
		case r.Match.HTTP != nil:
			d = division{lost: r.Match.Services, why: "requests cannot be looked at"}
		case r.Match.LooksAtNames():
			d = division{lost: r.Match.Services, why: "names of the DNS cannot be said here"}
		}
		if len(d.lost) > 0 && r.Action == policy.Permit {
			s.left = append(s.left, leftOut{l, r, d.why})
		}
		if len(d.lost) > 0 && r.Action == policy.Deny && s.mayPermit(l, i, d.lost) {
			return false
		}
		if len(d.said) > 0 && !peers.Empty() {
			s.add(r, l.Family, peers, d.said)
		}
	}
	return true
}

// mayPermit reports whether what is said of a later line permits something that
// line i denies with the services.
func (s *saying) mayPermit(l *policy.Policy, i int, services []policy.Service) bool {
	for k := i + 1; k < len(l.Rules); k++ {
		r := &l.Rules[k]
		if r.Action == policy.Permit && s.part.covers(r, s.direction) &&
			servicesMeet(services, s.options.Target.say(r.Match.Services, l.Family).said, l.Family) &&
			s.peersMeet(peerEnd(&l.Rules[i], s.direction), peerEnd(r, s.direction), l.Family) {
			return true
		}
	}
	return false
}

// peersMeet reports whether two ends may be one.
func (s *saying) peersMeet(a, b *policy.Peers, f policy.Family) bool {
	beyond := func(p *policy.Peers) bool { return p.Any || len(p.Entities)+len(p.FQDNs)+len(p.Outside) > 0 }
	if beyond(a) || beyond(b) {
		return !a.Empty() && !b.Empty()
	}
	sp := space{identities: s.ids, byAddress: len(s.ids.cluster) == 0 && len(a.Selectors)+len(b.Selectors) == 0}
	x, y := sp.doubtful(a, f), sp.doubtful(b, f)
	mixed := !sp.apart(f) && (len(x.pods) > 0 && len(y.addrs) > 0 || len(x.addrs) > 0 && len(y.pods) > 0)
	return mixed || !x.intersect(y).empty()
}

// peers gives what can be said of a line's peers, and why that is not all.
func (s *saying) peers(p *policy.Peers, f policy.Family) (policy.Peers, string) {
	if s.pods {
		return s.podPeers(p, f)
	}
	if p.Any {
		return policy.Everybody(), ""
	}
	why := ""
	addrs := newAddrSet(p.Addresses...)
	for _, m := range p.Masked {
		ranges, ok := expandMasked(m)
		if !ok {
			why = tooManyPrefixes(m)
			continue
		}
		addrs = addrs.union(ranges)
	}
	if addrs = addrs.intersect(wholeFamilies(f)); len(wholeFamilies(f).minus(addrs)) == 0 {
		return policy.Everybody(), ""
	}
	out := policy.Peers{Addresses: addrs, Selectors: p.Selectors}
	if s.ids.given {
		doubt, reason := space{identities: s.ids, noPods: s.options.Target.AddressesAreNoPods}.peerDoubt(addrs, f)
		out.Addresses, why = addrs.minus(s.ids.cluster).minus(doubt.addrs), cmp.Or(why, string(reason))
	}
	switch {
	case len(p.Entities) > 0:
		why = "entities cannot be told from other peers here"
	case len(p.FQDNs) > 0:
		why = "names of the DNS cannot be said here"
	case len(p.Outside) > 0:
		why = "addresses of the world alone cannot be told from those of pods here"
	}
	return out, why
}

// podPeers gives the pods among a line's peers.
func (s *saying) podPeers(p *policy.Peers, f policy.Family) (policy.Peers, string) {
	r, unsure := space{identities: s.ids}.region(p, f)
	return policy.Peers{Selectors: r.pods.selectors()}, string(unsure)
}

// add writes one line.
func (s *saying) add(r *policy.Rule, f policy.Family, peers policy.Peers, services []policy.Service) {
	out := policy.Rule{
		ID: r.ID, Source: r.Source, Action: r.Action, Log: r.Log, Text: lineList([]policy.RuleID{r.ID}),
		Match: policy.Match{Source: peers, Destination: s.own(f), Services: services},
	}
	if s.options.Target.Pass && r.Action == policy.Permit {
		out.Action, out.Goto = policy.Next, len(s.rules)+1
	}
	if s.direction == policy.Egress {
		out.Match.Source, out.Match.Destination = out.Match.Destination, out.Match.Source
	}
	s.rules = append(s.rules, out)
}

// own gives the subject's end of a rule: everybody, or a family's addresses,
// since both ends of a packet are of one family.
func (s *saying) own(f policy.Family) policy.Peers {
	if f == policy.Dual || !s.options.Target.Families {
		return policy.Everybody()
	}
	return policy.Peers{Addresses: wholeFamilies(f)}
}

// end closes the list: what no line decides is denied in the families that are
// governed, and permitted in the other one.
func (s *saying) end() {
	f, l := s.part.families(), s.part.lists[0]
	all := []policy.Service{policy.AnyService()}
	if f != policy.Dual && s.options.Target.Families {
		s.add(&policy.Rule{ID: policy.RuleID{ACL: l.ACL}, Action: policy.Permit}, policy.Dual&^f, policy.Everybody(), all)
		f = policy.Dual
	}
	s.add(&policy.Rule{ID: policy.RuleID{ACL: l.ACL}, Action: policy.Deny}, f, s.everybody(), all)
}

// everybody is what the end of a list denies.
func (s *saying) everybody() policy.Peers {
	if s.pods {
		return policy.Peers{Selectors: everyPod.selectors()}
	}
	return policy.Everybody()
}

// permits reports whether something said permits.
func permits(rules []policy.Rule) bool {
	return slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Action != policy.Deny })
}

// report says what the rules lack of the lists.
func (s *saying) report() {
	for _, l := range s.left {
		s.note(l.list, l.rule, policy.Refused, "left out: %s", l.why)
	}
	s.reportTracking(s.part)
	if !s.options.Target.Families {
		(&cellWalk{orderer: s.orderer, part: s.part}).reportFamilies()
	}
}

// reportTracking says once for each list what state means.
func (o *orderer) reportTracking(p part) {
	for _, l := range p.lists {
		if slices.ContainsFunc(l.Rules, func(r policy.Rule) bool { return r.Action == policy.Permit }) {
			o.note(l, nil, policy.NoEffect, "connections are tracked: replies to what the list permits pass, which a router without state would judge by the list of the other direction")
		}
	}
}

// policy gives rules on the pods of the part.
func (p part) policy(d policy.Direction, rules []policy.Rule) policy.Policy {
	return policy.Policy{
		ACL: p.names(), Direction: d, Family: policy.Dual, Stateful: true, Rules: rules,
		Subject: policy.Subject{Name: p.subject(), Nodes: p.nodes, Selectors: []policy.Selector{policy.Selector(p.pods)}},
	}
}

func tooManyPrefixes(m policy.Masked) string {
	return fmt.Sprintf("the mask %s stands for more than %d prefixes", m.Wildcard, maxMasked)
}

// result gives what line by line was said.
func (s *saying) result() (out written, bad *refusal) {
	if !permits(s.rules) && len(s.left) > 0 {
		return out, s.mute()
	}
	s.end()
	if bad := s.objects(s.rules, &out); bad != nil {
		return out, bad
	}
	s.report()
	return out, nil
}

// permits writes permits without an order, which come of cells.
func (s *saying) permits(rules []policy.Rule, out *written) *refusal {
	for i := range rules {
		r := &rules[i]
		d := s.options.Target.say(r.Match.Services, s.part.families())
		s.noteLost(d)
		if len(d.said) > 0 {
			s.add(r, s.part.families(), *peerEnd(r, s.direction), d.said)
			s.rules[len(s.rules)-1].Text = r.Text
		}
	}
	s.end()
	return s.objects(s.rules, out)
}

// noteLost reports the permits that speak of what is lost.
func (s *saying) noteLost(d division) {
	for _, l := range s.part.lists {
		for i := range l.Rules {
			if r := &l.Rules[i]; r.Action == policy.Permit && s.part.covers(r, s.direction) && servicesMeet(d.lost, r.Match.Services, l.Family) {
				s.note(l, r, policy.Narrower, "%s", d.why)
			}
		}
	}
}
