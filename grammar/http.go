package grammar

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about the policies that look into HTTP. A class of a PolicyMap
// names an HTTP policy-map, whose classes are HTTP class-maps.

// An HTTPClassMap is a class of HTTP requests and responses.
type HTTPClassMap struct {
	Name string
	Pos  Position
	// MatchAny says that one match is enough; else all must hold.
	MatchAny    bool
	Description string
	Matches     []HTTPMatch
	// Other holds further matches, which are kept. They count like Matches.
	Other []*Statement
}

// HTTPMatchKind is what an HTTPMatch looks at. The zero value is unset.
type HTTPMatchKind uint8

// The kinds, with the fields that they use.
const (
	HTTPMethod    HTTPMatchKind = iota + 1 // Method
	HTTPURI                                // Regex
	HTTPHeader                             // Header, Regex
	HTTPAnyHeader                          // Regex
)

// An HTTPMatch is one "match request" of an HTTPClassMap.
type HTTPMatch struct {
	Kind HTTPMatchKind
	// Not says that the match holds where it would not without.
	Not bool
	// Method is a request method in lower case, Header the name of a header
	// field in lower case, and Regex the regex parameter-map that the text
	// must match somewhere.
	Method, Header, Regex Name
	Pos                   Position
	// Text is the line as it was typed, without surrounding blanks.
	Text string
}

// An HTTPPolicyMap says what becomes of the classes of a connection's requests
// and responses.
type HTTPPolicyMap struct {
	Name        string
	Pos         Position
	Description string
	Classes     []*HTTPPolicyClass
}

// HTTPAction is what becomes of an HTTP class. The zero value is no action.
type HTTPAction uint8

// The actions: let the connection go on, or reset it.
const (
	HTTPAllow HTTPAction = iota + 1
	HTTPReset
)

// String gives the IOS word.
func (a HTTPAction) String() string { return [...]string{"", "allow", "reset"}[a] }

// An HTTPPolicyClass is one class of an HTTPPolicyMap.
type HTTPPolicyClass struct {
	Class  Name
	Pos    Position
	Action HTTPAction
	Log    bool
	// Text is the line of the action as it was typed, without surrounding
	// blanks, and ActionPos is its place.
	Text      string
	ActionPos Position
}

type (
	httpClassMapLine struct {
		Match lexer.Token `parser:"'class-map' 'type' 'inspect' 'http' @('match-any' | 'match-all')?"`
		Name  lexer.Token `parser:"@HTTPClassName"`
	}
	httpMatchLine struct {
		Not    lexer.Token `parser:"'match' @'not'? 'request'"`
		Method lexer.Token `parser:"( 'method' @( 'connect' | 'copy' | 'delete' | 'edit' | 'get' | 'getattribute' | 'getattributenames' | 'getproperties' | 'head' | 'index' | 'lock' | 'mkdir' | 'move' | 'options' | 'post' | 'propfind' | 'proppatch' | 'put' | 'revadd' | 'revlabel' | 'revlog' | 'revnum' | 'save' | 'setattribute' | 'startrev' | 'stoprev' | 'trace' | 'unedit' | 'unlock' )"`
		URI    lexer.Token `parser:"| 'uri' 'regex' @RegexMap"`
		Header lexer.Token `parser:"| 'header' @Word?"`
		Regex  lexer.Token `parser:"  'regex' @RegexMap )"`
	}
	httpPolicyMapLine struct {
		Name lexer.Token `parser:"'policy-map' 'type' 'inspect' 'http' @HTTPPolicyName"`
	}
	httpClassLine struct {
		Name lexer.Token `parser:"'class' 'type' 'inspect' 'http' @HTTPClassName"`
	}
	httpActionLine struct {
		Word lexer.Token `parser:"@('allow' | 'reset' | 'log')"`
	}
	httpServicePolicy struct {
		Policy lexer.Token `parser:"'service-policy' 'http' @HTTPPolicyName"`
	}
	noApplicationPolicy struct {
		Word     lexer.Token `parser:"@'service-policy'"`
		Protocol lexer.Token `parser:"@('http' | 'im' | 'imap' | 'pop3' | 'p2p' | 'sip' | 'smtp' | 'sunrpc' | 'urlfilter' | 'avc')?"`
	}
)

func (l *language) addHTTP() {
	add(l, both, (*line).httpClassMapLine, ModeGlobal)
	add(l, both, (*line).httpMatchLine, ModeHTTPClassMap)
	add(l, both, (*line).httpPolicyMapLine, ModeGlobal)
	add(l, both, (*line).httpClass, ModeHTTPPolicyMap, ModeHTTPPolicyClass)
	add(l, both, (*line).httpAction, ModeHTTPPolicyClass)
	add(l, both, (*line).httpServicePolicy, ModePolicyClass)
	add(l, negated, (*line).noApplicationPolicy, ModePolicyClass)
	add(l, both, (*line).setDescription, ModeHTTPClassMap, ModeHTTPPolicyMap)
	add(l, negated, (*line).noDescription, ModeHTTPClassMap, ModeHTTPPolicyMap)
}

// HTTPClassMap gives the HTTP class-map of that name, or nil.
func (c *Config) HTTPClassMap(name string) *HTTPClassMap {
	return c.httpClassMaps.get(c.HTTPClassMaps, func(m *HTTPClassMap) string { return m.Name }, name)
}

// HTTPPolicyMap gives the HTTP policy-map of that name, or nil.
func (c *Config) HTTPPolicyMap(name string) *HTTPPolicyMap {
	return c.httpPolicyMaps.get(c.HTTPPolicyMaps, func(m *HTTPPolicyMap) string { return m.Name }, name)
}

func httpClassNames(c *Config) (out []string) {
	for _, m := range c.HTTPClassMaps {
		out = append(out, m.Name)
	}
	return out
}

func httpPolicyNames(c *Config) (out []string) {
	for _, m := range c.HTTPPolicyMaps {
		out = append(out, m.Name)
	}
	return out
}

func (l *line) httpClassMapLine(n *httpClassMapLine) error {
	m := l.Config.HTTPClassMap(n.Name.Value)
	matchAny := n.Match.Value == "match-any"
	switch {
	case l.no:
		take(l, &l.Config.HTTPClassMaps, m)
		return nil
	case m == nil:
		m = &HTTPClassMap{Name: n.Name.Value, Pos: at(n.Name), MatchAny: matchAny}
		l.Config.HTTPClassMaps = append(l.Config.HTTPClassMaps, m)
	case n.Match.Value != "" && m.MatchAny != matchAny:
		return l.semantic(at(n.Match), "Class-map "+m.Name+" already exists as "+matchWord(m.MatchAny))
	}
	l.enter(ModeHTTPClassMap)
	l.httpClassMap = m
	return nil
}

func (l *line) httpMatchLine(n *httpMatchLine) error {
	m := HTTPMatch{Not: n.Not.Value != "", Pos: l.pos, Text: l.text, Regex: name(n.Regex)}
	switch {
	case n.Method.Value != "":
		m.Kind, m.Method = HTTPMethod, name(n.Method)
	case n.URI.Value != "":
		m.Kind, m.Regex = HTTPURI, name(n.URI)
	case n.Header.Value != "":
		m.Kind, m.Header = HTTPHeader, name(n.Header)
		m.Header.Text = strings.ToLower(m.Header.Text)
	default:
		m.Kind = HTTPAnyHeader
	}
	all := l.httpClassMap.Matches
	at := slices.IndexFunc(all, func(o HTTPMatch) bool { return o.String() == m.String() })
	switch {
	case l.no && at < 0:
		l.notice(l.pos, NoEffect, "the class-map has no such match")
	case l.no:
		l.httpClassMap.Matches = slices.Delete(slices.Clone(all), at, at+1)
	case at >= 0:
		l.notice(l.pos, NoEffect, "the class-map has this match already")
	default:
		l.httpClassMap.Matches = append(all, m)
	}
	return nil
}

func (l *line) httpPolicyMapLine(n *httpPolicyMapLine) error {
	m := l.Config.HTTPPolicyMap(n.Name.Value)
	switch {
	case l.no:
		take(l, &l.Config.HTTPPolicyMaps, m)
		return nil
	case m == nil:
		m = &HTTPPolicyMap{Name: n.Name.Value, Pos: at(n.Name)}
		l.Config.HTTPPolicyMaps = append(l.Config.HTTPPolicyMaps, m)
	}
	l.enter(ModeHTTPPolicyMap)
	l.httpPolicyMap = m
	return nil
}

func (l *line) httpClass(n *httpClassLine) error {
	m := l.httpPolicyMap
	i := slices.IndexFunc(m.Classes, func(c *HTTPPolicyClass) bool { return c.Class.Text == n.Name.Value })
	switch {
	case l.no && i < 0:
		l.notice(l.pos, NoEffect, "the policy-map has no such class")
		return nil
	case l.no:
		m.Classes = slices.Delete(slices.Clone(m.Classes), i, i+1)
		l.enter(ModeHTTPPolicyMap)
		return nil
	case i < 0:
		i = len(m.Classes)
		m.Classes = append(m.Classes, &HTTPPolicyClass{Class: name(n.Name), Pos: at(n.Name)})
	}
	l.enter(ModeHTTPPolicyClass)
	l.httpPolicyClass = m.Classes[i]
	return nil
}

func (l *line) httpAction(n *httpActionLine) error {
	c, action := l.httpPolicyClass, HTTPAllow
	switch {
	case n.Word.Value == "log":
		c.Log = !l.no
		return nil
	case n.Word.Value == "reset":
		action = HTTPReset
	}
	switch {
	case l.no && c.Action != action:
		l.notice(l.pos, NoEffect, "the class has another action")
		return nil
	case l.no:
		c.Action, c.Text, c.ActionPos = 0, "", Position{}
		return nil
	case c.Action != 0 && c.Action != action:
		l.notice(l.pos, Replaced, "takes the place of "+c.Action.String())
	}
	c.Action, c.Text, c.ActionPos = action, l.text, at(n.Word)
	return nil
}

func (l *line) httpServicePolicy(n *httpServicePolicy) error {
	c := l.class
	switch old := c.HTTPPolicy.Text; {
	case l.no && old != n.Policy.Value:
		l.notice(l.pos, NoEffect, "the class has no such policy")
		return nil
	case l.no:
		c.HTTPPolicy = Name{}
		return nil
	case old != "" && old != n.Policy.Value:
		l.notice(l.pos, Replaced, "takes the place of policy-map "+old)
	}
	c.HTTPPolicy = name(n.Policy)
	return nil
}

// noApplicationPolicy takes away the policy of a protocol, or all of them.
func (l *line) noApplicationPolicy(n *noApplicationPolicy) error {
	had := l.class.HTTPPolicy.Text != "" && (n.Protocol.Value == "" || n.Protocol.Value == "http")
	if had {
		l.class.HTTPPolicy = Name{}
	}
	words := strings.TrimSpace("service-policy " + n.Protocol.Value)
	if kept := slices.ContainsFunc(l.class.Other, func(s *Statement) bool { return s.startsWith(words) }); kept || !had {
		l.forget(words)
	}
	return nil
}

func (m *HTTPClassMap) clone() *HTTPClassMap {
	d := *m
	d.Matches, d.Other = slices.Clone(m.Matches), cloneStatements(m.Other)
	return &d
}

func (m *HTTPPolicyMap) clone() *HTTPPolicyMap {
	d := *m
	d.Classes = clones(m.Classes, copied)
	return &d
}

// printHTTP writes the maps with those first that others name.
func (c *Config) printHTTP(p *printer) {
	for _, m := range c.RegexMaps {
		m.print(p)
	}
	for _, m := range c.HTTPClassMaps {
		m.print(p)
	}
	for _, m := range c.HTTPPolicyMaps {
		m.print(p)
	}
}

func (m *HTTPClassMap) print(p *printer) {
	p.block("class-map type inspect http %s %s", matchWord(m.MatchAny), m.Name)
	p.description(m.Description)
	for _, match := range m.Matches {
		p.line("match %s", match)
	}
	p.statements(m.Other)
}

// String gives the match without the word "match".
func (m HTTPMatch) String() string {
	text := "request "
	if m.Not {
		text = "not request "
	}
	switch m.Kind {
	case HTTPMethod:
		return text + "method " + m.Method.Text
	case HTTPURI:
		return text + "uri regex " + m.Regex.Text
	case HTTPHeader:
		return text + "header " + m.Header.Text + " regex " + m.Regex.Text
	}
	return text + "header regex " + m.Regex.Text
}

func (m *HTTPPolicyMap) print(p *printer) {
	p.block("policy-map type inspect http %s", m.Name)
	p.description(m.Description)
	for _, c := range m.Classes {
		p.line("class type inspect http %s", c.Class.Text)
		if c.Action != 0 {
			p.line(" %s", c.Action)
		}
		if c.Log {
			p.line(" log")
		}
	}
}
