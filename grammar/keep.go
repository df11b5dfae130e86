package grammar

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file is about statements that are understood word by word and have no
// node of their own, because nothing is compiled from them: they are kept in
// canonical words, edited, printed back and reported. Their grammars are
// written as the EBNF that participle prints for the others.

// A Statement is a line of configuration with the lines below it.
type Statement struct {
	Pos Position
	// Text is the line as it was typed, without surrounding blanks; Words is
	// its canonical form, the same as Text when it is not understood.
	Text, Words string
	// Known says that the grammar has the statement. Harmless says that it
	// changes no verdict.
	Known, Harmless bool
	// Names are the names that the line defines or refers to.
	Names []Reference
	Below []*Statement

	// key is what a later line must share to take this one's place.
	key string
	// quiet says that the lines below are reported; opens that there may be
	// some.
	quiet, opens bool
}

// A Reference is a name on a Statement.
type Reference struct {
	Name
	// Space is what the name names, such as "time-range".
	Space string
	// Defines says that the statement defines the name.
	Defines bool
}

// kept describes a statement that is kept.
type kept struct {
	// production names the statement in the help table; grammar is what
	// stands behind its "=". parts holds further productions.
	production, grammar, parts string
	modes                      []Mode
	// enters is the mode of the lines below; 0 when there are none.
	enters Mode
	// key is how many leading words tell the setting from others, so that a
	// later line takes its place; 0 when each line stands beside the others.
	key int
	// no is the grammar behind "no" where less is enough.
	no string
	// defines is the space of the name that the line defines.
	defines  string
	harmless bool
	// quiet says that the line is not reported, but those below it are.
	quiet bool
	// why is what is reported; empty for "is kept, and neither enforced nor
	// translated". A line below another one is reported with that.
	why string
}

// keep registers statements that are kept.
func (l *language) keep(all ...kept) {
	for _, k := range all {
		l.register(k.production, k.grammar, k.parts, plain|negated, k.modes, func(ln *line, words []lexer.Token, _ lexer.Token) error {
			return ln.keep(&k, words)
		})
		if k.no != "" {
			l.register("No"+k.production, k.no, k.parts, negated, k.modes, func(ln *line, words []lexer.Token, _ lexer.Token) error {
				ln.forget(wordsOf(words))
				return nil
			})
		}
	}
}

// register adds a statement whose grammar is EBNF.
func (l *language) register(production, grammar, parts string, f form, modes []Mode, run func(*line, []lexer.Token, lexer.Token) error) {
	s := &statement{ebnf: production + " = " + grammar + " .\n" + parts, run: func(ln *line, w *walk) error { return run(ln, w.tokens, w.end()) }}
	l.addStatement(s, f, modes)
}

// wordsOf gives the canonical words of a line.
func wordsOf(tokens []lexer.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch c := classOf(t); {
		case c != nil && c.canonical != nil:
			b.WriteString(c.canonical(t.Value))
		case c == nil && isCalendar(t.Value):
			b.WriteString(strings.ToUpper(t.Value[:1]) + t.Value[1:])
		default:
			b.WriteString(t.Value)
		}
	}
	return b.String()
}

// classOf gives the class of a token, nil for a keyword.
func classOf(t lexer.Token) *class {
	if i := int(keywordType - 1 - t.Type); i >= 0 && i < len(classes) {
		return classes[i]
	}
	return nil
}

// keep stores the line, or takes it away.
func (l *line) keep(k *kept, words []lexer.Token) error {
	s := &Statement{Pos: l.pos, Text: l.text, Words: wordsOf(words), Known: true, Harmless: k.harmless, quiet: k.quiet, opens: k.enters != 0, Names: references(k, words)}
	s.key = s.Words
	if k.key > 0 {
		s.key = wordsOf(words[:k.key])
	}
	if k.enters != 0 && len(l.path) >= k.enters.depth() {
		l.enter(k.enters.parent()) // it stands beside the block that it is typed in
	}
	if l.no {
		l.forget(s.Words)
		return nil
	}
	s = l.store(k, s)
	if k.enters != 0 {
		path := append(slices.Clone(l.path), s)
		l.enter(k.enters)
		l.path = path
	}
	return nil
}

// store puts the statement among those of the mode and gives the one that is
// there: an equal one stays, one with the same key gives way.
func (l *line) store(k *kept, s *Statement) *Statement {
	all := l.statements()
	at := l.room.kept.find(all, s.key)
	switch {
	case at < 0:
		*all = append(*all, s)
	case (*all)[at].Words == s.Words:
		return (*all)[at]
	default:
		l.notice(l.pos, Replaced, "takes the place of "+(*all)[at].Words)
		*all = slices.Clone(*all)
		(*all)[at] = s
		return s
	}
	switch {
	case k.quiet || len(l.path) > 0 && !l.path[len(l.path)-1].quiet:
	case k.why != "":
		l.notice(l.pos, Unsupported, k.why)
	case k.harmless:
		l.notice(l.pos, Unsupported, "is kept; it changes no verdict")
	default:
		l.notice(l.pos, Unsupported, "is kept, and neither enforced nor translated")
	}
	return s
}

// forget takes away the statements of the mode that start with the words.
func (l *line) forget(words string) {
	all := l.statements()
	left := slices.DeleteFunc(slices.Clone(*all), func(o *Statement) bool {
		return o.startsWith(words)
	})
	if len(left) == len(*all) {
		l.notice(l.pos, NoEffect, "there is nothing like that")
	}
	*all = left
}

// startsWith reports whether the statement is known and has the words in front.
func (s *Statement) startsWith(words string) bool {
	return s.Known && (s.Words == words || strings.HasPrefix(s.Words, words+" "))
}

// references gives the names on the line.
func references(k *kept, words []lexer.Token) (out []Reference) {
	defines := k.defines
	for _, t := range words {
		c := classOf(t)
		if c == nil || c.space == "" {
			continue
		}
		out = append(out, Reference{Name: name(t), Space: c.space, Defines: c.space == defines})
		if c.space == defines {
			defines = ""
		}
	}
	return out
}

// statements gives the place of the statements of the mode.
func (l *line) statements() *[]*Statement {
	switch {
	case len(l.path) > 0:
		return &l.path[len(l.path)-1].Below
	case l.acl != nil:
		return &l.acl.Other
	case l.group != nil:
		return &l.group.Other
	case l.iface != nil:
		return &l.iface.Other
	case l.zone != nil:
		return &l.zone.Other
	case l.pair != nil:
		return &l.pair.Other
	case l.classMap != nil:
		return &l.classMap.Other
	case l.class != nil:
		return &l.class.Other
	case l.policyMap != nil:
		return &l.policyMap.Other
	case l.httpClassMap != nil:
		return &l.httpClassMap.Other
	}
	return &l.Config.Other
}

// definedIn lists the names that statements define in a space.
func definedIn(space string) func(*Config) []string {
	return func(c *Config) (out []string) {
		for _, s := range c.Other {
			for _, n := range s.Names {
				if n.Defines && n.Space == space {
					out = append(out, n.Text)
				}
			}
		}
		return out
	}
}

func cloneStatements(all []*Statement) []*Statement {
	return clones(all, func(s *Statement) *Statement {
		d := *s
		d.Below = cloneStatements(s.Below)
		return &d
	})
}

// print writes the statement as a block of its own.
func (s *Statement) print(p *printer) {
	p.block("%s", s.Words)
	s.printBelow(p, " ")
}

// printIn writes the statement into the open block.
func (s *Statement) printIn(p *printer) {
	p.line("%s", s.Words)
	s.printBelow(p, "  ")
}

// printBelow writes the lines below. Those that others stand below come last,
// so that none of these is taken for one of the block.
func (s *Statement) printBelow(p *printer, indent string) {
	for _, opens := range []bool{false, true} {
		for _, b := range s.Below {
			if b.opens == opens {
				p.text = append(p.text, indent+b.Words+"\n"...)
				b.printBelow(p, indent+" ")
			}
		}
	}
}

// The statements of a time-range, which Config.TimeRanges reads. In a dialect
// that does not enforce them they are reported.
func (l *language) addTimeRanges() { l.timeRanges(false) }

func (l *language) addEnforcedTimeRanges() { l.timeRanges(true) }

func (l *language) timeRanges(enforced bool) {
	in := []Mode{ModeTimeRange}
	l.keep(
		kept{production: "TimeRange", grammar: `"time-range" <timerange>`, modes: []Mode{ModeGlobal}, enters: ModeTimeRange, defines: "time-range", quiet: enforced},
		kept{
			production: "Absolute", modes: in, key: 1, no: `"absolute"`, quiet: enforced,
			grammar: `"absolute" (("start" Moment ("end" Moment)?) | ("end" Moment ("start" Moment)?))`,
			parts:   "Moment = <time> <day> Month <year> .\n" + monthPart,
		},
		kept{
			production: "Periodic", modes: in, quiet: enforced,
			grammar: `"periodic" ((Weekday <time> "to" Weekday? <time>) | ((Weekday Weekday+ | "daily" | "weekdays" | "weekend") <time> "to" <time>))`,
			parts:   weekdayPart,
		},
	)
}

const weekdayPart = `Weekday = "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday" .` + "\n"

const monthPart = `Month = "january" | "february" | "march" | "april" | "may" | "june" | "july" | "august" | "september" | "october" | "november" | "december" .` + "\n"

// keptClasses are the arguments of kept statements.
var keptClasses = []*class{
	{name: "TimeRange", what: "a time-range", rows: rows("WORD"), accepts: isName, free: true, space: "time-range", defined: definedIn("time-range")},
	{name: "ParameterMap", what: "a parameter-map", rows: rows("WORD"), accepts: isName, free: true, space: "parameter-map", defined: definedIn("parameter-map")},
	{name: "RegexMap", what: "a regex parameter-map", rows: rows("WORD"), accepts: isName, free: true, space: "regex", defined: regexNames},
	{name: "RoleList", what: "a role-based list", rows: rows("WORD"), accepts: isName, free: true, space: "access-list", defined: aclNames(RoleBased, RoleBased6)},
	{name: "MACList", what: "a MAC list", rows: rows("WORD"), accepts: isName, free: true, space: "mac list", defined: definedIn("mac list")},
	{name: "MAC", what: "H.H.H", rows: rows("H.H.H"), accepts: isMAC},
	{name: "EtherType", what: "an EtherType", rows: rows("0xHHHH"), accepts: isEtherType},
	{name: "SGT", what: "a security group tag", rows: rows("<2-65519>"), accepts: between(2, 65519)},
	{name: "Time", what: "hh:mm", rows: rows("hh:mm"), accepts: isTime},
	{name: "Hours", what: "hours", rows: rows("<-23 - 23>"), accepts: isHours},
	{name: "Minute", what: "minutes", rows: rows("<0-59>"), accepts: between(0, 59)},
	{name: "LogRate", what: "messages a second", rows: rows("<1-10000>"), accepts: between(1, 10000)},
	{name: "Severity", what: "a level of messages", rows: rows("<0-7>"), accepts: between(0, 7)},
	{name: "Day", what: "a day of the month", rows: rows("<1-31>"), accepts: between(1, 31)},
	{name: "Year", what: "a year", rows: rows("<1993-2035>"), accepts: between(1993, 2035)},
}

// isCalendar reports whether the word is a month or a day of the week, which
// IOS prints with a capital.
func isCalendar(word string) bool {
	return strings.HasSuffix(word, "day") || strings.Contains(monthPart, `"`+word+`"`)
}

// isTime accepts hh:mm; the hour may have one digit.
func isTime(s string) bool {
	hour, minute, ok := strings.Cut(s, ":")
	return ok && len(hour) <= 2 && len(minute) == 2 && between(0, 23)(hour) && between(0, 59)(minute)
}
