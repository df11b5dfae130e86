package translate

import (
	"fmt"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// A program is a list of rules under construction, with jumps forward.
type program struct {
	*zones
	rules   []policy.Rule
	refused bool
	// path holds the class-maps that are being walked.
	path []*grammar.ClassMap
	// requestsLooked says that the class that is being walked looks into HTTP.
	requestsLooked bool
}

// A label is a place that rules jump to before it is known.
type label struct{ from []int }

// An exit is what a hit means: the rule of a class, or a jump when rule is nil.
type exit struct {
	rule *policy.Rule
	to   *label
}

// here binds a label to the rule that comes next.
func (b *program) here(l *label) {
	for _, i := range l.from {
		b.rules[i].Goto = len(b.rules)
	}
}

// emit adds a rule: packets that match take the exit, others go on behind it.
func (b *program) emit(text string, m policy.Match, e exit) {
	if e.rule != nil {
		b.rules = append(b.rules, restricted(*e.rule, m)...)
		return
	}
	e.to.from = append(e.to.from, len(b.rules))
	b.rules = append(b.rules, policy.Rule{Text: text, Action: policy.Next, Uncounted: true, Match: m})
}

// everything matches every packet.
func everything() policy.Match {
	return policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
}

func (b *program) jump(to *label) { b.emit("", everything(), exit{to: to}) }

// permit adds a permit that is not counted, as inside a zone.
func (b *program) permit(list string, pos grammar.Position, source, destination policy.Peers) {
	b.rules = append(b.rules, policy.Rule{
		ID: policy.RuleID{ACL: list}, Text: "permit " + list, Source: sourceOf(pos), Action: policy.Permit, Uncounted: true,
		Match: policy.Match{Source: source, Destination: destination, Services: []policy.Service{policy.AnyService()}},
	})
}

// pair adds the classes of a zone-pair for the packets between the ends.
func (b *program) pair(p *grammar.ZonePair, ends policy.Match) {
	m := b.config.PolicyMap(p.Policy.Text)
	var inside, behind label
	ends.Services = []policy.Service{policy.AnyService()}
	b.emit("zone-pair "+p.Name, ends, exit{to: &inside})
	b.jump(&behind)
	b.here(&inside)
	last := uint32(10)
	fallback := &grammar.PolicyClass{Default: true, Pos: m.Pos}
	for _, c := range m.Classes {
		if c.Default {
			fallback = c
			continue
		}
		b.class(p, c, last)
		last += 10
	}
	final := b.classRule(p, fallback, last)
	b.refuseKept(final, withoutPolice(fallback.Other))
	b.emit("", everything(), exit{rule: final})
	b.here(&behind)
}

// class adds one class of a policy-map.
func (b *program) class(p *grammar.ZonePair, c *grammar.PolicyClass, seq uint32) {
	m := b.config.ClassMap(c.Class.Text)
	if m == nil {
		b.undefined(c.Class, "class-map", b.classNames())
		return
	}
	rule := b.classRule(p, c, seq)
	b.refuseKept(rule, withoutPolice(c.Other))
	b.lookInto(rule, c.HTTPPolicy)
	b.requestsLooked = rule.Match.HTTP != nil
	b.classMap(m, exit{rule: rule}, rule)
}

func (b *program) classNames() (out []definition) {
	for _, m := range b.config.ClassMaps {
		out = append(out, definition{m.Name, m.Pos})
	}
	return out
}

// classRule gives the rule of a class. IOS drops a class without an action.
// "pass" lets packets by in one direction without looking at connections. A
// pod's port cannot do that: it would let the replies pass too, which the text
// does not. Such a class drops.
func (b *program) classRule(p *grammar.ZonePair, c *grammar.PolicyClass, seq uint32) *policy.Rule {
	r := &policy.Rule{
		ID: policy.RuleID{ACL: "zone-pair " + p.Name, Seq: seq}, Text: "class type inspect " + c.Class.Text,
		Source: sourceOf(c.Pos), Action: policy.Deny, Log: c.Log,
	}
	if c.Default {
		r.Text = "class class-default"
	}
	switch c.Action {
	case grammar.Inspect:
		r.Action = policy.Permit
	case grammar.Pass:
		b.note(r.ID, c.ActionPos, c.Text, policy.Refused,
			"pass has no replies, which a pod's port cannot withhold: the class is dropped; use inspect")
	}
	b.police(r, p, c)
	return r
}

// classMap walks a class-map; a miss goes on behind it. final is the rule of
// the class whose map it is or belongs to.
func (b *program) classMap(m *grammar.ClassMap, hit exit, final *policy.Rule) {
	b.refuseKept(final, m.Other)
	if len(m.Matches) == 0 {
		b.note(policy.RuleID{ACL: "class-map " + m.Name}, m.Pos, "", policy.NoEffect, "the class-map matches nothing")
		return
	}
	b.path = append(b.path, m)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	if m.MatchAny {
		for _, part := range m.Matches {
			b.part(part, hit, final)
		}
		return
	}
	b.all(m, hit, final)
}

// all walks a match-all map. IOS gives a packet one protocol, so that a map
// which asks for two matches nothing.
func (b *program) all(m *grammar.ClassMap, hit exit, final *policy.Rule) {
	protocols := 0
	for _, part := range m.Matches {
		if part.Kind == grammar.MatchProtocol {
			protocols++
		}
	}
	if protocols > 1 {
		b.note(policy.RuleID{ACL: "class-map " + m.Name}, m.Pos, "", policy.NoEffect,
			"a packet has one protocol: match-all with %d of them matches nothing", protocols)
		return
	}
	var miss label
	for i, part := range m.Matches {
		if i == len(m.Matches)-1 {
			b.part(part, hit, final)
			break
		}
		var next label
		b.part(part, exit{to: &next}, final)
		b.jump(&miss)
		b.here(&next)
	}
	b.here(&miss)
}

func (b *program) part(part grammar.ClassMatch, hit exit, final *policy.Rule) {
	switch part.Kind {
	case grammar.MatchProtocol:
		b.protocol(part, hit)
	case grammar.MatchACL:
		b.accessGroup(part, hit, final)
	case grammar.MatchClassMap:
		m := b.config.ClassMap(part.Name.Text)
		switch {
		case m == nil:
			b.undefined(part.Name, "class-map", b.classNames())
		case slices.Contains(b.path, m):
			b.fail(part.Name.Pos, "class-map %s matches itself", m.Name)
		default:
			b.classMap(m, hit, final)
		}
	}
}

func (b *program) protocol(part grammar.ClassMatch, hit exit) {
	p, ok := inspectProtocols[part.Name.Text]
	if !ok {
		var all []definition
		for _, name := range inspectNames() {
			all = append(all, definition{name: name})
		}
		hint := ""
		if d, ok := closest(part.Name.Text, all); ok {
			hint = " (did you mean " + d.name + "?)"
		}
		b.fail(part.Name.Pos, "unknown protocol %s%s", part.Name.Text, hint)
		return
	}
	looked := part.Name.Text == "http" && b.requestsLooked
	if p.note != "" && !looked {
		b.note(policy.RuleID{ACL: "class-map " + b.path[len(b.path)-1].Name}, part.Pos, part.Text, p.state, "%s", p.note)
	}
	b.emit(part.Text, policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: p.services()}, hit)
}

// accessGroup walks a list as a classifier: a permit is a hit, a deny is a
// miss, and a list that is not defined matches nothing. A line that cannot be
// said may be left out only where its packets then pass no more than before:
// a permit whose hit is the end of a class that permits without police, as its
// packets come to a later class. Anything else refuses the policy.
func (b *program) accessGroup(part grammar.ClassMatch, hit exit, final *policy.Rule) {
	b.applied[part.Name.Text] = true
	a := b.config.ACL(part.Name.Text)
	if a == nil {
		b.note(policy.RuleID{ACL: part.Name.Text}, part.Pos, part.Text, policy.NoEffect,
			"access-list %s is not defined: it matches nothing in a class-map", part.Name.Text)
		return
	}
	if !a.Kind.FiltersPackets() {
		b.fail(part.Name.Pos, "access-list %s cannot be looked at here: %s", a.Name, notAFilter(a))
		return
	}
	var miss label
	b.otherFamily(a, &miss)
	for _, e := range a.Entries {
		if e.ACE == nil {
			continue
		}
		n := b.line(e)
		if e.ACE.Reflect.Text != "" && n.unsaid == "" {
			n.unsaid = "reflexive lists are not supported in a class-map"
		}
		switch {
		case n.unsaid != "":
			b.unsaidLine(a, n, final)
		case e.ACE.Action == grammar.Permit:
			b.established(a, n, final)
			b.emit(textOf(e), n.match, hit)
		default:
			b.emit(textOf(e), n.match, exit{to: &miss})
		}
	}
	b.here(&miss)
}

// otherFamily leaves a list that does not govern the packet's family. The
// policy of a zone governs both, and a selector has no family.
func (b *program) otherFamily(a *grammar.ACL, miss *label) {
	m := everything()
	m.Source = policy.Peers{Addresses: []policy.AddrRange{everyIPv6}}
	if a.Kind.IsIPv6() {
		m.Source = policy.Peers{Addresses: []policy.AddrRange{everyIPv4}}
	}
	b.emit(fmt.Sprintf("not %s", familyOf(a)), m, exit{to: miss})
}

func (b *program) unsaidLine(a *grammar.ACL, n *line, final *policy.Rule) {
	e := n.entry
	b.note(policy.RuleID{ACL: a.Name, Seq: e.Seq}, e.Pos, textOf(e), policy.Refused, "%s", n.unsaid)
	if e.ACE.Action != grammar.Deny && final.Action == policy.Permit && final.Police == nil {
		return
	}
	b.refused = true
	b.note(policy.RuleID{ACL: final.ID.ACL}, e.Pos, textOf(e), policy.Refused,
		"the zone-pair cannot be applied, because its %s needs what cannot be said: %s", final.Text, n.unsaid)
}

// refuseKept refuses the policy when a line is kept that would change what a
// class matches or does.
func (b *program) refuseKept(final *policy.Rule, kept []*grammar.Statement) {
	if s := meaningful(kept); s != nil {
		b.refuse(final, s.Pos, s.Text, s.Words)
	}
}

// refuse refuses the policy for what a class needs.
func (b *program) refuse(final *policy.Rule, pos grammar.Position, text, what string) {
	b.refused = true
	b.note(policy.RuleID{ACL: final.ID.ACL}, pos, text, policy.Refused,
		"the zone-pair cannot be applied, because its %s needs what cannot be said: %s", final.Text, what)
}

// established takes away what a line has no say in where it would permit:
// replies pass by their connection, and the line opens none.
func (b *program) established(a *grammar.ACL, n *line, final *policy.Rule) {
	f := n.entry.ACE.Flags
	if final.Action == policy.Permit && f != nil && f.Match == grammar.Established {
		n.match.Services = nil
		b.note(policy.RuleID{ACL: a.Name, Seq: n.entry.Seq}, n.entry.Pos, textOf(n.entry), policy.NoEffect,
			"replies pass by their connection in an inspected class, and the line permits no new one")
	}
}
