package grammar

import (
	"slices"

	"github.com/alecthomas/participle/v2/lexer"
)

// A RegexMap is "parameter-map type regex NAME": text matches it when it
// matches one of the patterns.
type RegexMap struct {
	Name        string
	Pos         Position
	Description string
	// Patterns are regular expressions as typed, in quotes or not.
	Patterns []Name
}

type (
	regexMapLine struct {
		Name lexer.Token `parser:"'parameter-map' 'type' 'regex' @RegexMap"`
	}
	regexPattern struct {
		Text lexer.Token `parser:"'pattern' @Regex"`
	}
)

func (l *language) addRegexMaps() {
	add(l, both, (*line).regexMapLine, ModeGlobal)
	add(l, both, (*line).regexPattern, ModeRegexMap)
	add(l, both, (*line).setDescription, ModeRegexMap)
	add(l, negated, (*line).noDescription, ModeRegexMap)
}

// RegexMap gives the regex parameter-map of that name, or nil.
func (c *Config) RegexMap(name string) *RegexMap {
	return c.regexMaps.get(c.RegexMaps, func(m *RegexMap) string { return m.Name }, name)
}

func regexNames(c *Config) (out []string) {
	for _, m := range c.RegexMaps {
		out = append(out, m.Name)
	}
	return out
}

func (l *line) regexMapLine(n *regexMapLine) error {
	m := l.Config.RegexMap(n.Name.Value)
	switch {
	case l.no:
		take(l, &l.Config.RegexMaps, m)
		return nil
	case m == nil:
		m = &RegexMap{Name: n.Name.Value, Pos: at(n.Name)}
		l.Config.RegexMaps = append(l.Config.RegexMaps, m)
	}
	l.enter(ModeRegexMap)
	l.regexMap = m
	return nil
}

func (l *line) regexPattern(n *regexPattern) error {
	all := l.regexMap.Patterns
	at := slices.IndexFunc(all, func(p Name) bool { return p.Text == n.Text.Value })
	switch {
	case l.no && at < 0:
		l.notice(l.pos, NoEffect, "the parameter-map has no such pattern")
	case l.no:
		l.regexMap.Patterns = slices.Delete(slices.Clone(all), at, at+1)
	case at < 0:
		l.regexMap.Patterns = append(all, name(n.Text))
	}
	return nil
}

func (m *RegexMap) clone() *RegexMap {
	d := *m
	d.Patterns = slices.Clone(m.Patterns)
	return &d
}

func (m *RegexMap) print(p *printer) {
	p.block("parameter-map type regex %s", m.Name)
	p.description(m.Description)
	for _, text := range m.Patterns {
		p.line("pattern %s", text.Text)
	}
}
