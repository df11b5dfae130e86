package grammar

import (
	"reflect"
	"sync"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/alecthomas/participle/v2"
)

// A statement is one kind of line: its grammar and what a line that follows it
// does to a session.
type statement struct {
	name string
	ebnf string
	// node is the struct with the grammar as if it were captured; nil when the
	// grammar is the EBNF alone. parser is participle's for it, which has printed the EBNF; tests
	// parse with it.
	node   *capture
	parser any
	// run applies a line. What it gets of the line's words, the node and the
	// tokens, is valid until it returns.
	run func(l *line, w *walk) error
}

// form says in which forms a statement is accepted.
type form uint8

const (
	plain   form = 1 << iota // FORM
	negated                  // no FORM, default FORM
	both    = plain | negated
)

// A line is a line being applied: the session, what stands before the
// statement, and what is to be reported.
type line struct {
	*Session
	pos  Position
	text string
	// origin is the place of the line's first rune, pos that of its first word.
	origin Position
	// no is "no" or "default"; reset is "default".
	no, reset bool
	notices   []Notice
	// fragments is where the line says "fragments".
	fragments Position
	// inNamed is the first option that only named lists have.
	inNamed lexer.Token
}

func (l *line) notice(pos Position, state State, msg string) {
	l.notices = append(l.notices, Notice{Pos: pos, State: state, Msg: msg, Text: l.text, Count: 1})
}

// language is the automaton of every mode.
type language struct {
	automaton
	// terms and pools count what has a number.
	terms, pools int
	// plain and negated are the terms that lines start with.
	plain, negated [modeCount][]*term
	start          [modeCount]*state
	statements     []*statement
}

// languageOf gives the language of a dialect. It is built when a line is first
// read, because a program that reads none should not pay for it.
func languageOf(d Dialect) *language { return languages[d]() }

var languages = [dialectCount]func() *language{
	IOS: sync.OnceValue(func() *language {
		return newLanguage(
			(*language).addGlobal, (*language).addACLs, (*language).addRoleLists, (*language).addDomainLists, (*language).addListSettings, (*language).addObjectGroups, (*language).addGroupKinds, (*language).addInterfaces, (*language).addZones,
			(*language).addClassMaps, (*language).addPolicyMaps, (*language).addEnforcedTimeRanges, (*language).addClock,
			(*language).addKeptMaps, (*language).addRegexMaps, (*language).addHTTP, (*language).addTrustSec, (*language).addTerminals, (*language).addLinkLists, (*language).addOldInspection,
			(*language).addIdentity,
		)
	}),
	ASA:  sync.OnceValue(func() *language { return newLanguage((*language).addGlobal, (*language).addASA) }),
	NXOS: sync.OnceValue(func() *language { return newLanguage((*language).addGlobal, (*language).addNXOS) }),
	IOSXR: sync.OnceValue(func() *language {
		return newLanguage((*language).addGlobal, (*language).addXRLists, (*language).addXRGroups, (*language).addXRInterfaces)
	}),
}

// newLanguage builds a language from the families of its statements.
func newLanguage(families ...func(*language)) *language {
	l := &language{automaton: automaton{states: map[string]*state{}}}
	for _, add := range families {
		add(l)
	}
	var modes []Mode
	for m := ModeGlobal; m < modeCount; m++ {
		if l.has(m) {
			modes = append(modes, m)
		}
	}
	l.addCommon(modes)
	for _, m := range modes {
		l.start[m] = l.root(m)
	}
	return l
}

// has reports whether the language has the mode.
func (l *language) has(m Mode) bool { return len(l.plain[m])+len(l.negated[m]) > 0 }

// add registers the statement whose grammar is G in one mode or several.
func add[G any](l *language, f form, run func(*line, *G) error, modes ...Mode) {
	parser := participle.MustBuild[G](participle.Lexer(symbols{}), participle.UseLookahead(2))
	s := &statement{ebnf: parser.String(), parser: parser, node: &capture{kind: byPointer, typ: reflect.TypeFor[G]()}}
	s.run = func(ln *line, w *walk) error {
		return run(ln, w.decode(s).(*G))
	}
	l.addStatement(s, f, modes)
}

// addStatement puts a statement into the automaton.
func (l *language) addStatement(s *statement, f form, modes []Mode) {
	l.statements = append(l.statements, s)
	s.name = firstWord(s.ebnf) + "/" + itoa(len(l.statements))
	first := l.build(s, s.ebnf)
	for _, m := range modes {
		if f&plain != 0 {
			l.plain[m] = append(l.plain[m], first...)
		}
		if f&negated != 0 {
			l.negated[m] = append(l.negated[m], first...)
		}
	}
}

// root is the state at the start of a line in a mode.
func (l *language) root(m Mode) *state {
	s := newState(starts(l.plain[m]), nil)
	for _, w := range []string{"no", "default"} {
		e := &edge{keyword: w, help: help("", w), to: l.state(starts(l.negated[m]), nil)}
		s.keywords = append(s.keywords, e)
	}
	s.sort()
	return s
}

// starts gives the links to the terms that a line starts with.
func starts(terms []*term) []link {
	links := make([]link, len(terms))
	for i, t := range terms {
		links[i].term = t
	}
	return links
}
