package translate

import (
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

/*
A zone becomes two policies on its members, whose name starts with "zone ":

	towards a member of D                      from a member of S
	  from D itself: permit                      to the node: the pair S to self,
	  from the node: the pair self to D,           or permit when it has no policy
	    or permit when it has no policy          to a member of any zone: permit
	  from S: the classes of the pair S to D     to anything else: implicit deny
	  from anything else: implicit deny

A packet between zones is judged once, at its destination: the permits on the
way out are not counted. Both policies are stateful, so that what a pair
inspects has its replies without a pair back.

The classes of a pair are a program of rules: a rule with action Next jumps
forward. A class is tried by walking the tree of its class-map:

	match-any   a hit of any part is a hit
	match-all   a hit of one part goes on to the next one, whose hit is the
	            hit; a miss leaves the class
	list        a permit is a hit, a deny leaves the list, as does its end

so that nothing is multiplied out, however maps and lists are nested. What a
hit means stands in an exit: the class's own rule, or a jump.
*/

// self is the zone of the node.
const self = "self"

// A zone is a zone with its members.
type zone struct {
	*grammar.Zone
	members   []*grammar.Interface
	subjects  []policy.Subject
	selectors []policy.Selector
}

// zones is what the zone passes work on.
type zones struct {
	*compiler
	all    []*zone
	byName map[string]*zone
	// pairs holds the pairs that are well formed, by source and destination.
	pairs map[[2]string]*grammar.ZonePair
}

// joinZones gives the policies of every zone.
func (t *compiler) joinZones() {
	z := &zones{compiler: t, byName: map[string]*zone{}, pairs: map[[2]string]*grammar.ZonePair{}}
	z.findMembers()
	z.findPairs()
	for _, zone := range z.all {
		for _, s := range zone.subjects {
			z.addPolicy(z.towards(zone, s))
			z.addPolicy(z.from(zone, s))
		}
	}
	if t.options.HostPolicies {
		z.protectNodes()
	}
}

func (z *zones) addPolicy(p policy.Policy, refused bool) {
	if !refused {
		z.policies = append(z.policies, p)
	}
}

func (z *zones) findMembers() {
	for _, def := range z.config.Zones {
		zone := &zone{Zone: def}
		z.all = append(z.all, zone)
		z.byName[def.Name] = zone
	}
	for _, i := range z.config.Interfaces {
		if i.Zone.Text != "" {
			z.addMember(i)
		}
	}
	for _, zone := range z.all {
		z.makeSubjects(zone)
	}
}

func (z *zones) addMember(i *grammar.Interface) {
	zone := z.byName[i.Zone.Text]
	id := policy.RuleID{ACL: "zone " + i.Zone.Text}
	switch {
	case i.Zone.Text == "default":
		z.fail(i.Zone.Pos, "zone default is not supported")
	case zone == nil:
		z.undefined(i.Zone, "zone", z.zoneNames())
	case !i.Workload:
		z.note(id, i.Zone.Pos, "zone-member security "+i.Zone.Text, policy.Refused,
			"interface %s is the node's own; only interface workload can be in a zone", i.Name)
	default:
		if selectors, ok := z.workload(i); ok {
			zone.members = append(zone.members, i)
			zone.selectors = append(zone.selectors, selectors...)
		}
	}
}

func (z *zones) zoneNames() (out []definition) {
	for _, zone := range z.config.Zones {
		out = append(out, definition{zone.Name, zone.Pos})
	}
	return out
}

// makeSubjects gives a zone one subject; members that differ in what protects
// them otherwise get one each.
func (z *zones) makeSubjects(zone *zone) {
	id := policy.RuleID{ACL: "zone " + zone.Name}
	if len(zone.members) == 0 {
		z.note(id, zone.Pos, "zone security "+zone.Name, policy.NoEffect, "the zone has no members")
		return
	}
	first := zone.members[0]
	alike := !slices.ContainsFunc(zone.members, func(i *grammar.Interface) bool {
		return i.NoHostPermit != first.NoHostPermit || i.NoVerifySource != first.NoVerifySource
	})
	if alike {
		zone.subjects = []policy.Subject{{
			Name: "zone " + zone.Name, Selectors: zone.selectors,
			NoHostPermit: first.NoHostPermit, AllowSpoofed: first.NoVerifySource,
		}}
		return
	}
	for _, i := range zone.members {
		if s, ok := z.subject(i); ok {
			zone.subjects = append(zone.subjects, s)
		}
	}
}

// findPairs checks every pair, whether a packet can take it or not.
func (z *zones) findPairs() {
	for _, p := range z.config.ZonePairs {
		if !z.isEnd(p.Source) || !z.isEnd(p.Destination) {
			continue
		}
		ends := [2]string{p.Source.Text, p.Destination.Text}
		if other := z.pairs[ends]; other != nil {
			z.fail(p.Pos, "zone-pair %s already joins %s and %s at %s", other.Name, ends[0], ends[1], other.Pos)
			continue
		}
		z.pairs[ends] = p
		z.checkPair(p)
	}
}

func (z *zones) isEnd(n grammar.Name) bool {
	if n.Text == "default" {
		z.fail(n.Pos, "zone default is not supported")
		return false
	}
	if n.Text != self && z.byName[n.Text] == nil {
		z.undefined(n, "zone", z.zoneNames())
		return false
	}
	return true
}

func (z *zones) checkPair(p *grammar.ZonePair) {
	id := policy.RuleID{ACL: "zone-pair " + p.Name}
	switch {
	case p.Source.Text == self && p.Destination.Text == self:
		z.fail(p.Destination.Pos, "zone-pair %s joins self and self", p.Name)
	case p.Policy.Text == "" && (p.Source.Text == self || p.Destination.Text == self):
		z.note(id, p.Pos, "", policy.NoEffect, "the zone-pair has no service-policy: the node is not filtered")
	case p.Policy.Text == "" && p.Source.Text == p.Destination.Text:
		z.note(id, p.Pos, "", policy.NoEffect, "the zone-pair has no service-policy: everything passes inside the zone")
	case p.Policy.Text == "":
		z.note(id, p.Pos, "", policy.NoEffect, "the zone-pair has no service-policy: everything is dropped")
	case z.config.PolicyMap(p.Policy.Text) == nil:
		var all []definition
		for _, m := range z.config.PolicyMaps {
			all = append(all, definition{m.Name, m.Pos})
		}
		z.undefined(p.Policy, "policy-map", all)
	}
}

// filtering gives the pair between two zones when it has a policy.
func (z *zones) filtering(from, to string) *grammar.ZonePair {
	p := z.pairs[[2]string{from, to}]
	if p == nil || z.config.PolicyMap(p.Policy.Text) == nil {
		return nil
	}
	return p
}

// towards gives the policy on what reaches a zone's members; refused says that
// it cannot be said, which has been reported.
func (z *zones) towards(d *zone, s policy.Subject) (p policy.Policy, refused bool) {
	b := &program{zones: z}
	if z.filtering(d.Name, d.Name) == nil {
		b.permit("zone "+d.Name, d.Pos, policy.Peers{Selectors: d.selectors}, policy.Everybody())
	}
	node := policy.Peers{Entities: []policy.Entity{policy.Host}}
	if z.filtering(self, d.Name) == nil {
		b.permit("zone "+self, d.Pos, node, policy.Everybody())
	} else if !s.NoHostPermit {
		pair := z.filtering(self, d.Name)
		z.note(policy.RuleID{ACL: "zone-pair " + pair.Name}, pair.Pos, "", policy.NoEffect,
			"the node always reaches its own pods; \"no ip host-permit\" on their interface withdraws that")
	}
	for _, pair := range z.config.ZonePairs {
		if pair.Destination.Text != d.Name || z.filtering(pair.Source.Text, d.Name) != pair {
			continue
		}
		source := node
		if pair.Source.Text != self {
			source = policy.Peers{Selectors: z.byName[pair.Source.Text].selectors}
		}
		b.pair(pair, policy.Match{Source: source, Destination: policy.Everybody()})
	}
	return z.policyOf(d, s, policy.Ingress, b), b.refused
}

// from gives the policy on what leaves a zone's members.
func (z *zones) from(zone *zone, s policy.Subject) (p policy.Policy, refused bool) {
	b := &program{zones: z}
	node := policy.Peers{Entities: []policy.Entity{policy.Host}}
	if pair := z.filtering(zone.Name, self); pair != nil {
		b.pair(pair, policy.Match{Source: policy.Everybody(), Destination: node})
	} else {
		b.permit("zone "+self, zone.Pos, policy.Everybody(), node)
	}
	for _, other := range z.all {
		if len(other.selectors) > 0 {
			b.permit("zone "+other.Name, zone.Pos, policy.Everybody(), policy.Peers{Selectors: other.selectors})
		}
	}
	z.note(policy.RuleID{ACL: "zone " + zone.Name}, zone.Pos, "zone security "+zone.Name, policy.NoEffect,
		"members of the zone reach nothing outside of the zones, the cluster's DNS included unless its pods are in one")
	return z.policyOf(zone, s, policy.Egress, b), b.refused
}

func (z *zones) policyOf(d *zone, s policy.Subject, direction policy.Direction, b *program) policy.Policy {
	return policy.Policy{
		ACL: "zone " + d.Name, Subject: s, Direction: direction, Family: policy.Dual, Stateful: true, Rules: b.rules,
	}
}

// checkPolicyMaps walks every class on trial, so that a mistake is told before
// a zone-pair uses the class. What else there is to say about it waits for that.
func (t *compiler) checkPolicyMaps() {
	trial := *t
	trial.findings, trial.applied = nil, map[string]bool{}
	for _, m := range t.config.PolicyMaps {
		b := &program{zones: &zones{compiler: &trial}}
		b.pair(&grammar.ZonePair{Policy: grammar.Name{Text: m.Name}}, policy.Match{})
	}
	t.errors = trial.errors
}
