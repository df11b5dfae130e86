package check

import (
	"strings"

	"aclium/grammar"
	"aclium/translate"
)

// A use is a place that names something. Text is its line, from is the name of
// what the line is part of, in the same space; empty when that has no name.
type use struct {
	space string
	name  grammar.Name
	text  string
	from  string
}

// A definition is a place that defines a name.
type definition struct {
	space, name string
	pos         grammar.Position
	text        string
}

// The spaces of names.
const (
	lists      = "access-list"
	groups     = "object-group"
	classMaps  = "class-map"
	policyMaps = "policy-map"
	zones      = "zone"
	timeRanges = "time-range"
	reflexive  = "reflexive list"
	regexMaps  = "regex"

	httpClassMaps  = "http class-map"
	httpPolicyMaps = "http policy-map"
)

// names are the names of a configuration.
type names struct {
	defined []definition
	uses    []use
	// known and used are the names of both, by space.
	known, used map[string]map[string]bool
	// spoken are the words of kept statements, unknown those of statements that
	// the grammar does not know.
	spoken, unknown map[string]bool
}

// checkNames reports names that nothing defines, and what nothing uses.
func (f *finder) checkNames() {
	n := &names{known: map[string]map[string]bool{}, used: map[string]map[string]bool{}, spoken: map[string]bool{}, unknown: map[string]bool{}}
	n.collect(f.config)
	for _, u := range n.uses {
		if !n.known[u.space][u.name.Text] && !n.loose(u) {
			f.say(u.name.Pos, u.text, Undefined, "%s", n.missing(&u))
		}
	}
	for _, d := range n.defined {
		if n.used[d.space][d.name] || n.spoken[d.name] {
			continue
		}
		if d.space == lists {
			f.say(d.pos, d.text, Unbound, "%s %s is bound nowhere: it filters nothing", d.space, d.name).ACL = d.name
		} else {
			f.say(d.pos, d.text, Unused, "%s %s is used nowhere", d.space, d.name)
		}
	}
	f.checkEmptyLists()
}

// loose reports whether a name may be defined by what is kept: a statement that
// the grammar does not know may define anything.
func (n *names) loose(u use) bool {
	switch u.space {
	case lists, groups, classMaps, policyMaps, zones:
		return n.unknown[u.name.Text]
	case timeRanges, reflexive:
		return false
	}
	return n.spoken[u.name.Text]
}

// missing says what a name that is not defined does.
func (n *names) missing(u *use) string {
	noun := u.space
	if noun == groups && strings.Contains(u.text, "object "+u.name.Text) {
		noun = "object"
	}
	msg := noun + " " + u.name.Text + " is not defined"
	var all []string
	for _, d := range n.defined {
		if d.space == u.space {
			all = append(all, d.name)
		}
	}
	if c := translate.Closest(u.name.Text, all); c != "" {
		for _, d := range n.defined {
			if d.space == u.space && d.name == c {
				msg += " (did you mean " + c + " at " + d.pos.String() + "?)"
				break
			}
		}
	}
	switch {
	case u.space == lists && u.from == filter:
		msg += ": every packet is permitted here"
	case u.space == lists && u.from == classifier:
		msg += ": nothing matches it"
	case u.space == timeRanges:
		msg += ": the line is always active in IOS"
	}
	return msg
}

// What an access-list is used for.
const (
	filter     = "\x00filter"
	classifier = "\x00classifier"
)

func (n *names) define(space, name string, pos grammar.Position, text string) {
	if n.known[space] == nil {
		n.known[space] = map[string]bool{}
	}
	if !n.known[space][name] {
		n.known[space][name] = true
		n.defined = append(n.defined, definition{space, name, pos, text})
	}
}

func (n *names) use(space string, name grammar.Name, text, from string) {
	if name.Text == "" {
		return
	}
	n.uses = append(n.uses, use{space, name, text, from})
	if from == name.Text {
		return // what names itself is not used by that
	}
	if n.used[space] == nil {
		n.used[space] = map[string]bool{}
	}
	n.used[space][name.Text] = true
}

func (n *names) collect(c *grammar.Config) {
	for _, g := range c.ObjectGroups {
		n.define(groups, g.Name, g.Pos, nounOf(g)+" "+g.Kind.String()+" "+g.Name)
		if len(g.Other) > 0 {
			n.spoken[g.Name] = true // such as the NAT of an object
		}
		for _, m := range g.Members {
			n.use(groups, m.Group, m.Text, g.Name)
		}
	}
	for _, a := range c.ACLs {
		n.define(lists, a.Name, a.Pos, headOf(a))
		for _, e := range a.Entries {
			if e.ACE != nil {
				n.entry(e)
			}
		}
	}
	n.maps(c)
	n.httpMaps(c)
	n.trustSec(c)
	n.interfaces(c)
	for _, m := range c.Mentions {
		n.use(m.Space, m.Name, "", "")
	}
	eachStatement(c, n.statement)
}

func nounOf(g *grammar.ObjectGroup) string {
	if g.Kind == grammar.NetworkObject || g.Kind == grammar.ServiceObject {
		return "object"
	}
	return groups
}

func headOf(a *grammar.ACL) string {
	switch {
	case a.Dialect == grammar.ASA:
		return "access-list " + a.Name
	case a.Kind == grammar.IPv6:
		return "ipv6 access-list " + a.Name
	case a.Numbered && len(a.Entries) > 0:
		return a.Entries[0].Text
	}
	return "ip access-list " + strings.ToLower(a.Kind.String()) + " " + a.Name
}

// entry collects the names on a line of a list.
func (n *names) entry(e *grammar.Entry) {
	a := e.ACE
	for _, end := range []grammar.Address{a.Source, a.Destination} {
		if space := spaceOf(end.Kind); space != "" {
			n.use(space, end.Group, e.Text, "")
		}
	}
	n.use(groups, a.ServiceGroup, e.Text, "")
	n.use(groups, a.ICMPGroup, e.Text, "")
	for _, tag := range []grammar.Name{a.User, a.SourceTag, a.DestinationTag} {
		n.tag(tag, e.Text)
	}
	n.use(timeRanges, a.TimeRange, e.Text, "")
	for _, c := range []grammar.Compare{a.SourcePorts, a.DestinationPorts} {
		n.use(groups, c.Group, e.Text, "")
	}
	switch {
	case a.Action == grammar.Evaluate:
		n.use(reflexive, a.Reflect, e.Text, "")
	case a.Reflect.Text != "":
		n.define(reflexive, a.Reflect.Text, a.Reflect.Pos, e.Text)
	}
}

// tag collects the group in a condition such as "object-group-security SG".
func (n *names) tag(t grammar.Name, text string) {
	words := strings.Fields(t.Text)
	if len(words) == 2 && strings.HasPrefix(words[0], "object-group-") {
		n.use(groups, grammar.Name{Text: words[1], Pos: t.Pos}, text, "")
	}
}

// spaceOf gives what an address of a kind names; empty when that is nothing
// that a configuration defines.
func spaceOf(k grammar.AddressKind) string {
	switch k {
	case grammar.AddressGroup, grammar.AddressObject, grammar.PolicyGroup, grammar.FQDNGroup, grammar.GeoGroup:
		return groups
	}
	return ""
}

func (n *names) maps(c *grammar.Config) {
	for _, m := range c.ClassMaps {
		n.define(classMaps, m.Name, m.Pos, "class-map type inspect "+m.Name)
		for _, x := range m.Matches {
			switch x.Kind {
			case grammar.MatchACL:
				n.use(lists, x.Name, x.Text, classifier)
			case grammar.MatchClassMap:
				n.use(classMaps, x.Name, x.Text, m.Name)
			}
		}
	}
	for _, m := range c.PolicyMaps {
		n.define(policyMaps, m.Name, m.Pos, "policy-map type inspect "+m.Name)
		for _, k := range m.Classes {
			n.use(classMaps, k.Class, "class type inspect "+k.Class.Text, "")
			n.use("parameter-map", k.Parameter, k.Text, "")
			n.use(httpPolicyMaps, k.HTTPPolicy, "service-policy http "+k.HTTPPolicy.Text, "")
		}
	}
	for _, z := range c.Zones {
		n.define(zones, z.Name, z.Pos, "zone security "+z.Name)
	}
	for _, p := range c.ZonePairs {
		text := "zone-pair security " + p.Name
		for _, z := range []grammar.Name{p.Source, p.Destination} {
			if z.Text != "self" && z.Text != "default" {
				n.use(zones, z, text, "")
			}
		}
		n.use(policyMaps, p.Policy, "service-policy type inspect "+p.Policy.Text, "")
	}
}

func (n *names) interfaces(c *grammar.Config) {
	for _, b := range c.Bindings {
		n.use(lists, b.ACL, b.Text, filter)
	}
	for _, i := range c.Interfaces {
		if i.Workload {
			n.use(groups, grammar.Name{Text: i.Name, Pos: i.Pos}, "interface workload "+i.Name, "")
		}
		for _, b := range i.Bindings {
			n.use(lists, b.ACL, b.Text, filter)
		}
		n.use(zones, i.Zone, "zone-member security "+i.Zone.Text, "")
	}
}

// statement collects the names of a kept statement, and its words, which may be
// names.
func (n *names) statement(s *grammar.Statement) {
	own := ""
	for _, r := range s.Names {
		if r.Defines {
			n.define(r.Space, r.Text, s.Pos, s.Text)
			own = r.Text
		} else {
			n.use(r.Space, r.Name, s.Text, "")
		}
	}
	for _, w := range strings.Fields(s.Words) {
		if w == own || isNumber(w) && !namesLists(s.Words) {
			continue
		}
		n.spoken[w] = true
		if !s.Known {
			n.unknown[w] = true
		}
	}
}

func isNumber(w string) bool { return strings.Trim(w, "0123456789") == "" }

// namesLists reports whether a number on a line may be that of a list.
func namesLists(line string) bool {
	return strings.Contains(line, "access-") || strings.Contains(line, "list") || strings.Contains(line, "acl")
}

// checkEmptyLists reports lists without a line that filter something: IOS
// takes them for lists that are not defined.
func (f *finder) checkEmptyLists() {
	for _, i := range f.config.Interfaces {
		for _, b := range i.Bindings {
			a := f.config.ACL(b.ACL.Text)
			if a == nil {
				continue
			}
			empty := true
			for _, e := range a.Entries {
				empty = empty && e.ACE == nil
			}
			if empty && allHarmless(a.Other) {
				f.say(b.Pos, b.Text, Undefined, "access-list %s is empty: every packet is permitted here", a.Name).ACL = a.Name
			}
		}
	}
}

// eachStatement calls do for every kept statement.
func eachStatement(c *grammar.Config, do func(*grammar.Statement)) {
	var walk func([]*grammar.Statement)
	walk = func(all []*grammar.Statement) {
		for _, s := range all {
			do(s)
			walk(s.Below)
		}
	}
	walk(c.Other)
	for _, a := range c.ACLs {
		walk(a.Other)
	}
	for _, g := range c.ObjectGroups {
		walk(g.Other)
	}
	for _, i := range c.Interfaces {
		walk(i.Other)
	}
	for _, z := range c.Zones {
		walk(z.Other)
	}
	for _, p := range c.ZonePairs {
		walk(p.Other)
	}
	for _, m := range c.ClassMaps {
		walk(m.Other)
	}
	for _, m := range c.HTTPClassMaps {
		walk(m.Other)
	}
	for _, m := range c.PolicyMaps {
		walk(m.Other)
		for _, k := range m.Classes {
			walk(k.Other)
		}
	}
}
