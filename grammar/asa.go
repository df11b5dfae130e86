package grammar

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file and its neighbours asa*.go are about the ASA. Its lines have no
// block for lists: every entry is a whole line of global configuration. Their
// grammars are written as EBNF, because the same line is written for every
// protocol with other names of ports, and are read with a cursor.

// addASA adds the statements of the ASA.
func (l *language) addASA() {
	l.addASALists()
	l.addASAGroups()
	l.addASANames()
	l.addASAInterfaces()
	l.addASAKept()
	l.addTimeRanges()
}

// A cursor reads the words of a line, whose order its grammar has checked.
type cursor struct {
	words []lexer.Token
}

// next takes a word; the zero token at the end.
func (c *cursor) next() (t lexer.Token) {
	if len(c.words) > 0 {
		t, c.words = c.words[0], c.words[1:]
	}
	return t
}

// take takes n words.
func (c *cursor) take(n int) []lexer.Token {
	taken := c.words[:n:n]
	c.words = c.words[n:]
	return taken
}

// is reports whether the next word is one of the keywords.
func (c *cursor) is(keywords ...string) bool { return c.isAt(0, keywords...) }

func (c *cursor) isAt(i int, keywords ...string) bool {
	if i >= len(c.words) || c.words[i].Type != keywordType {
		return false
	}
	for _, k := range keywords {
		if c.words[i].Value == k {
			return true
		}
	}
	return false
}

// skip takes the keyword if it is the next word.
func (c *cursor) skip(keyword string) bool {
	if !c.is(keyword) {
		return false
	}
	c.next()
	return true
}

// isA reports whether the next word is of the class.
func (c *cursor) isA(class string) bool {
	return len(c.words) > 0 && c.words[0].Type == classByToken[class].typ
}

// asa registers a statement of the ASA.
func (l *language) asa(production, grammar, parts string, f form, run func(*line, *cursor) error, modes ...Mode) {
	l.register(production, grammar, parts, f, modes, func(ln *line, words []lexer.Token, _ lexer.Token) error {
		return run(ln, &cursor{words})
	})
}

// asaClasses are the arguments that only the ASA has.
var asaClasses = []*class{
	{name: "ASAList", what: "a list", rows: rows("WORD"), accepts: isASAName, free: true, defined: aclNames(Standard, Extended)},
	{name: "LineNumber", what: "a line number", rows: rows("<1-2147483647>"), accepts: between(1, maxSeq)},
	{name: "AnyGroup", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(NetworkGroup, ServiceGroup, PortGroup, ProtocolGroup)},
	{name: "ASANetwork", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(NetworkGroup)},
	{name: "ASAService", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(ServiceGroup, PortGroup)},
	{name: "PortList", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(PortGroup)},
	{name: "ProtocolList", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(ProtocolGroup)},
	{name: "ICMPList", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(ICMPGroup)},
	{name: "NetworkObject", what: "an object", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(NetworkObject)},
	{name: "ServiceObject", what: "an object", rows: rows("WORD"), accepts: isASAName, free: true, defined: groupNames(ServiceObject)},
	{name: "NameIf", what: "an interface", rows: rows("WORD"), accepts: isASAName, free: true, defined: nameIfs},
	{name: "Alias", what: "a name", rows: rows("WORD"), accepts: isAlias, free: true, defined: aliasNames},
	{name: "UserGroup", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, space: "user group", defined: definedIn("user group")},
	{name: "SecurityGroup", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, space: "security group", defined: definedIn("security group")},
	{name: "NetworkServices", what: "an object-group", rows: rows("WORD"), accepts: isASAName, free: true, space: "network-service", defined: definedIn("network-service")},
	{name: "DNSName", what: "a DNS name", rows: rows("WORD"), accepts: func(s string) bool { return isDNSName(lowerCase(strings.TrimSuffix(s, "."))) }, free: true},
	{name: "ASAProtocol", what: "a protocol", rows: rows("<0-255>"), names: asaProtocols.rows(), accepts: between(0, 255)},
	{name: "ASATCPPort", what: "a TCP port", rows: rows("<0-65535>"), names: asaTCPPorts.rows(), accepts: between(0, 65535)},
	{name: "ASAUDPPort", what: "a UDP port", rows: rows("<0-65535>"), names: asaUDPPorts.rows(), accepts: between(0, 65535)},
	{name: "ASABothPort", what: "a TCP and UDP port", rows: rows("<0-65535>"), names: asaBothPorts.rows(), accepts: between(0, 65535)},
	{name: "ASAICMPType", what: "an ICMP type", rows: rows("<0-255>"), names: asaICMPTypes.rows(), accepts: between(0, 255)},
	{name: "ASAICMP6Type", what: "an ICMPv6 type", rows: rows("<0-255>"), names: asaICMP6Types.rows(), accepts: between(0, 255)},
	{name: "LogLevel", what: "a syslog level", rows: rows("<0-7>"), names: logLevels.rows(), accepts: between(0, 7)},
	{name: "LogInterval", what: "a number of seconds", rows: rows("<1-600>"), accepts: between(1, 600)},
	{name: "SecurityLevel", what: "a security level", rows: rows("<0-100>"), accepts: between(0, 100)},
	{name: "SecurityTag", what: "a security group tag", rows: rows("<1-65533>"), accepts: between(1, 65533)},
}

// isASAName accepts the names of lists, objects and interfaces, which have 241
// characters at most.
func isASAName(s string) bool { return len(s) <= 241 && !strings.ContainsAny(s, "!?\";") }

// isAlias accepts the names of addresses, which start with a letter.
func isAlias(s string) bool {
	c := s[0] | 0x20
	return ('a' <= c && c <= 'z' || s[0] == '_') && len(s) <= 63 && !strings.ContainsAny(s, "!?\";:")
}

func nameIfs(c *Config) (out []string) {
	for _, i := range c.Interfaces {
		if i.NameIf.Text != "" {
			out = append(out, i.NameIf.Text)
		}
	}
	return out
}

func aliasNames(c *Config) (out []string) {
	for _, a := range c.Aliases {
		out = append(out, a.Name)
	}
	return out
}

// The names of addresses.
func (l *language) addASANames() {
	l.asa("Names", `"names"`, "", both, (*line).showNames, ModeGlobal)
	l.asa("HostAlias", `"name" (<address> | <address6>) <alias> ("description" <text>)?`, "", both, (*line).hostAlias, ModeGlobal)
	l.asa("NoHostAlias", `"name" (<address> | <address6>)`, "", negated, (*line).hostAlias, ModeGlobal)
}

func (l *line) showNames(*cursor) error {
	l.Config.ShowNames = !l.no
	return nil
}

func (l *line) hostAlias(c *cursor) error {
	c.next()
	addr := hostAddress(c.next()).Addr
	t := c.next()
	if l.no {
		return l.removeAlias(addr, t.Value)
	}
	a := &Alias{Name: t.Value, Addr: addr, Pos: at(t)}
	if c.skip("description") {
		a.Description = c.next().Value
	}
	old := l.Config.Alias(a.Name)
	switch {
	case old != nil && old.Addr != addr:
		return l.semantic(at(t), "The name "+a.Name+" stands for "+old.Addr.String()+" already")
	case old != nil:
		l.notice(l.pos, NoEffect, "the name is defined already")
	default:
		l.Config.Aliases = append(l.Config.Aliases, a)
	}
	return nil
}

// removeAlias takes a name away. Lines that use it keep their address.
func (l *line) removeAlias(addr netip.Addr, name string) error {
	found := false
	for _, a := range l.Config.Aliases {
		if a.Addr == addr && (name == "" || a.Name == name) {
			l.Config.Aliases = without(l.Config.Aliases, a)
			l.Config.forgetAlias(a.Name)
			found = true
		}
	}
	if !found {
		l.notice(l.pos, NoEffect, "there is no such name")
	}
	return nil
}

// forgetAlias writes the address where the name was.
func (c *Config) forgetAlias(name string) {
	for _, a := range c.ACLs {
		for i, e := range a.Entries {
			if e.ACE != nil && (e.ACE.Source.Alias.Text == name || e.ACE.Destination.Alias.Text == name) {
				a.Entries[i] = e.withoutAlias(name)
				a.keys, a.asa = nil, nil
			}
		}
	}
	for _, g := range c.ObjectGroups {
		for i, m := range g.Members {
			if m.Alias.Text == name {
				d := *m
				d.Alias = Name{}
				g.Members[i], g.keys = &d, nil
			}
		}
	}
}

func (e *Entry) withoutAlias(name string) *Entry {
	d, ace := *e, *e.ACE
	for _, a := range []*Address{&ace.Source, &ace.Destination} {
		if a.Alias.Text == name {
			a.Alias = Name{}
		}
	}
	d.ACE = &ace
	return &d
}

// aliased gives the address of a name.
func (l *line) aliased(t lexer.Token) (netip.Addr, Name, error) {
	if a := l.Config.Alias(t.Value); a != nil {
		return a.Addr, name(t), nil
	}
	err := l.invalid(at(t), "name "+t.Value+" is not defined").(*LineError)
	n := nearest(t.Value, aliasNames(l.Config))
	if n == "" {
		n = nearest(lowerCase(t.Value), []string{"any", "any4", "any6", "host", "interface", "object", "object-group"})
	}
	if n != "" {
		err.Hint = "did you mean " + n + "?"
	}
	return netip.Addr{}, Name{}, err
}

// blame gives the reason for an error further in front: where an address may
// stand any word may be a name for one, so that a misspelt keyword is noticed
// by the word behind it.
func (s *Session) blame(pos Position, text string, err error) error {
	walks := []*walk{&s.room.own, &s.room.global}
	if s.Mode == ModeGlobal {
		walks = walks[:1]
	}
	for _, w := range walks {
		for i, t := range w.tokens {
			if t.Type != classByToken["alias"].typ || i > 0 && w.tokens[0].Value == "name" {
				continue
			}
			l := &line{Session: s, text: strings.Trim(text, " \t\r"), origin: pos}
			if _, _, wrong := l.aliased(t); wrong != nil {
				return wrong
			}
		}
	}
	return err
}

// nearest gives the name that a word was probably meant to be, or "".
func nearest(word string, names []string) string {
	best, least := "", min(3, len(word)/2+1)
	for _, n := range names {
		if d := distance(word, n, least); d < least {
			best, least = n, d
		}
	}
	return best
}

// The interfaces of an ASA have a name that lists are bound to.
func (l *language) addASAInterfaces() {
	add(l, both, (*line).plainInterface, ModeGlobal)
	add(l, both, (*line).setDescription, ModeInterface)
	add(l, negated, (*line).noDescription, ModeInterface)
	l.asa("InterfaceName", `"nameif" <nameif>`, "", both, (*line).setNameIf, ModeInterface)
	l.asa("NoInterfaceName", `"nameif"`, "", negated, (*line).setNameIf, ModeInterface)
	l.asa("InterfaceLevel", `"security-level" <securitylevel>`, "", both, (*line).setSecurityLevel, ModeInterface)
	l.asa("NoInterfaceLevel", `"security-level"`, "", negated, (*line).setSecurityLevel, ModeInterface)
	const on = `"access-group" <asalist> `
	l.asa("ASABinding", on+`(("in" "interface" <nameif> ("per-user-override" | "control-plane")?) | ("out" "interface" <nameif>) | "global")`, "",
		both, (*line).asaBind, ModeGlobal)
}

func (l *line) setNameIf(c *cursor) error {
	c.next()
	l.iface.NameIf = name(c.next())
	if l.no {
		l.iface.NameIf = Name{}
	}
	return nil
}

func (l *line) setSecurityLevel(c *cursor) error {
	c.next()
	l.iface.SecurityLevel = nil
	if t := c.next(); !l.no {
		l.iface.SecurityLevel = &Value{seqOf(t), at(t)}
	}
	return nil
}

func (l *line) asaBind(c *cursor) error {
	c.next()
	b := Binding{ACL: name(c.next()), Direction: Inbound, Pos: l.pos, Text: l.text}
	switch word := c.next(); word.Value {
	case "global":
		b.Global = true
	default:
		b.Direction = direction(word)
		c.next()
		b.Interface = name(c.next())
		b.Options = c.next().Value
	}
	return l.bindASA(b)
}

// A bindingPlace is where one list may stand.
type bindingPlace struct {
	on           string
	direction    Direction
	global       bool
	controlPlane bool
}

func (b *Binding) place() bindingPlace {
	return bindingPlace{b.Interface.Text, b.Direction, b.Global, b.Options == "control-plane"}
}

// binding gives the index of the list at a place, or -1.
func (c *Config) binding(at bindingPlace) int {
	if c.places == nil || len(c.places) != len(c.Bindings) {
		c.places = make(map[bindingPlace]int, len(c.Bindings))
		for i := range c.Bindings {
			c.places[c.Bindings[i].place()] = i
		}
	}
	if i, ok := c.places[at]; ok {
		return i
	}
	return -1
}

// bindASA replaces the list of the same place, or takes it away.
func (l *line) bindASA(b Binding) error {
	c := l.Config
	i := c.binding(b.place())
	switch {
	case l.no && (i < 0 || c.Bindings[i].ACL.Text != b.ACL.Text):
		l.notice(l.pos, NoEffect, "the list is not bound there")
	case l.no:
		c.Bindings, c.places = slices.Delete(c.Bindings, i, i+1), nil
	case i < 0:
		c.places[b.place()] = len(c.Bindings)
		c.Bindings = append(c.Bindings, b)
	default:
		if old := c.Bindings[i].ACL.Text; old != b.ACL.Text {
			l.notice(l.pos, Replaced, "takes the place of access-list "+old)
		}
		c.Bindings[i] = b
	}
	return nil
}
