package grammar

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

type (
	classMapLine struct {
		Match lexer.Token `parser:"'class-map' 'type' 'inspect' @('match-any' | 'match-all')?"`
		Name  lexer.Token `parser:"@ClassName"`
	}
	matchACL struct {
		List lexer.Token `parser:"'match' 'access-group' (@ListNumber | 'name' @AnyList)"`
	}
	matchProtocol struct {
		Protocol lexer.Token `parser:"'match' 'protocol' @Word"`
	}
	matchClassMap struct {
		Name lexer.Token `parser:"'match' 'class-map' @ClassName"`
	}
)

func (l *language) addClassMaps() {
	add(l, both, (*line).classMapLine, ModeGlobal)
	add(l, both, (*line).matchACL, ModeClassMap)
	add(l, both, (*line).matchProtocol, ModeClassMap)
	add(l, both, (*line).matchClassMap, ModeClassMap)
}

func (l *line) classMapLine(n *classMapLine) error {
	m := l.Config.ClassMap(n.Name.Value)
	matchAny := n.Match.Value == "match-any"
	switch {
	case l.no && m == nil:
		l.notice(l.pos, NoEffect, "there is no class-map "+n.Name.Value)
		return nil
	case l.no:
		l.Config.ClassMaps = without(l.Config.ClassMaps, m)
		return nil
	case m == nil:
		m = &ClassMap{Name: n.Name.Value, Pos: at(n.Name), MatchAny: matchAny}
		l.Config.ClassMaps = append(l.Config.ClassMaps, m)
	case n.Match.Value != "" && m.MatchAny != matchAny:
		return l.semantic(at(n.Match), "Class-map "+m.Name+" already exists as "+m.match())
	}
	l.enter(ModeClassMap)
	l.classMap = m
	return nil
}

func (m *ClassMap) match() string { return matchWord(m.MatchAny) }

func matchWord(matchAny bool) string {
	if matchAny {
		return "match-any"
	}
	return "match-all"
}

func (l *line) matchACL(n *matchACL) error {
	list := name(n.List)
	list.Text = listNumber(n.List)
	return l.match(ClassMatch{Kind: MatchACL, Name: list})
}

func (l *line) matchProtocol(n *matchProtocol) error {
	protocol := name(n.Protocol)
	protocol.Text = strings.ToLower(protocol.Text)
	return l.match(ClassMatch{Kind: MatchProtocol, Name: protocol})
}

func (l *line) matchClassMap(n *matchClassMap) error {
	if n.Name.Value == l.classMap.Name {
		return l.semantic(at(n.Name), "A class-map cannot match itself")
	}
	return l.match(ClassMatch{Kind: MatchClassMap, Name: name(n.Name)})
}

func (l *line) match(m ClassMatch) error {
	m.Pos, m.Text = l.pos, l.text
	at := slices.IndexFunc(l.classMap.Matches, func(o ClassMatch) bool { return o.Kind == m.Kind && o.Name.Text == m.Name.Text })
	switch {
	case l.no && at < 0:
		l.notice(l.pos, NoEffect, "the class-map has no such match")
	case l.no:
		l.classMap.Matches = slices.Delete(l.classMap.Matches, at, at+1)
	case at >= 0:
		l.notice(l.pos, NoEffect, "the class-map has this match already")
	default:
		l.classMap.Matches = append(l.classMap.Matches, m)
	}
	return nil
}
