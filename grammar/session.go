package grammar

import (
	"sort"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// A Session edits a Config line by line, as a person at a prompt or a file
// does. It is not safe for concurrent use.
type Session struct {
	Config *Config
	// Mode is where the next line is read. Lines change it.
	Mode Mode
	// Ended is set by "end", and by "exit" in global configuration: the
	// session is back in EXEC mode. The caller clears it.
	Ended bool

	// file says that the lines come from a file, which may repeat itself.
	file bool
	// What the mode is about; only the one of the mode is set.
	acl       *ACL
	group     *ObjectGroup
	iface     *Interface
	zone      *Zone
	pair      *ZonePair
	classMap  *ClassMap
	policyMap *PolicyMap
	class     *PolicyClass
	regexMap  *RegexMap
	// httpPolicyMap is set in the mode of its classes too.
	httpClassMap    *HTTPClassMap
	httpPolicyMap   *HTTPPolicyMap
	httpPolicyClass *HTTPPolicyClass
	// path holds the kept statements that the mode is below.
	path []*Statement

	room *room
}

// A room is the memory that a session uses again for every line.
type room struct {
	own, global walk
	line        line
	// running is the statement of the line; late is the list that waits for
	// the entries of such lines to be put in order.
	running *statement
	late    *ACL
	// quiet says that the errors of walks need no message; see file.explain.
	quiet bool
	kept  keptIndex
	// removals are those of a file that have to be judged at its end.
	removals []removal
}

func (s *Session) language() *language { return languageOf(s.Config.Dialect) }

// NewSession gives a session in global configuration that edits c in place.
func NewSession(c *Config) *Session { return &Session{Config: c, Mode: ModeGlobal, room: &room{}} }

// enter changes the mode and forgets what the old one was about.
func (s *Session) enter(m Mode) {
	policyMap, httpPolicyMap, path := s.policyMap, s.httpPolicyMap, s.path
	*s = Session{Config: s.Config, Mode: m, Ended: s.Ended, file: s.file, room: s.room}
	if m == ModePolicyMap || m == ModePolicyClass {
		s.policyMap = policyMap
	}
	if m == ModeHTTPPolicyMap || m == ModeHTTPPolicyClass {
		s.httpPolicyMap = httpPolicyMap
	}
	s.path = path[:min(len(path), m.depth())]
}

// Line applies one line, whose first rune stands at pos, and changes the mode
// as the line says. A line that the mode does not know and global
// configuration does leaves the mode. An error is a *LineError; nothing is
// changed then.
func (s *Session) Line(pos Position, text string) ([]Notice, error) {
	pos.Line, pos.Column = max(pos.Line, 1), max(pos.Column, 1)
	w, stmt, err := s.walk(pos, text)
	if err != nil {
		return nil, s.blame(pos, text, err)
	}
	if stmt == nil {
		return nil, nil
	}
	s.settle(stmt)
	l := &s.room.line
	*l = line{Session: s, text: strings.Trim(text, " \t\r"), pos: start(pos, text), no: w.negation != "", reset: w.negation == "default", origin: pos}
	if w.global && s.Mode != ModeGlobal {
		return l.inGlobal(w, stmt)
	}
	if err := stmt.run(l, w); err != nil {
		return nil, err
	}
	return l.notices, nil
}

// inGlobal runs a statement of global configuration and leaves the mode unless
// that fails.
func (l *line) inGlobal(w *walk, stmt *statement) ([]Notice, error) {
	before := *l.Session
	l.enter(ModeGlobal)
	if err := stmt.run(l, w); err != nil {
		*l.Session = before
		return nil, err
	}
	return l.notices, nil
}

// start gives the place of the first word.
func start(pos Position, text string) Position {
	for i := 0; i < len(text) && isBlank(text[i]); i++ {
		pos.Column++
	}
	return pos
}

// walk finds the statement of the line in the mode, else in global
// configuration; nil for an empty line or a comment. A word that global
// configuration has is no abbreviation of a longer one of the mode: "zone
// security X" behind an interface is no "zone-member security X".
func (s *Session) walk(pos Position, text string) (*walk, *statement, error) {
	w := &s.room.own
	w.reset(s.language(), s.Mode, pos, text)
	w.quiet = s.room.quiet
	stmt, err := w.run()
	if w.empty() || err == nil && (s.Mode == ModeGlobal || w.typedInFull()) {
		return w, stmt, nil
	}
	if s.Mode == ModeGlobal {
		return nil, nil, err
	}
	g := &s.room.global
	g.reset(s.language(), ModeGlobal, pos, text)
	g.global, g.quiet = true, s.room.quiet
	globalStmt, globalErr := g.run()
	yields := w.yields(g, err) && (g.typedInFull() || !s.file || !isIndented(text))
	switch {
	case yields && globalErr == nil:
		return g, globalStmt, nil
	case err == nil:
		return w, stmt, nil
	case yields && g.depth > w.depth:
		return nil, nil, globalErr
	}
	return nil, nil, err
}

// yields reports whether global configuration may take a line: the mode
// refuses it, or knows its first word as an abbreviation only.
func (w *walk) yields(global *walk, err *LineError) bool {
	if err == nil || err.Kind == Ambiguous && len(w.tokens) == 0 {
		return !w.typedInFull() && global.typedInFull()
	}
	return w.mayLeave(global)
}

// mayLeave reports whether a line that the mode refuses may be one of global
// configuration: the mode must not know its first word, or as the same one, or
// as an abbreviation only. A wrong "host 10.0.0.300" in a group is no
// abbreviation of "hostname".
func (w *walk) mayLeave(global *walk) bool {
	if len(w.tokens) == 0 || len(global.tokens) == 0 || w.tokens[0].Value == global.tokens[0].Value {
		return true
	}
	return !w.typedInFull()
}

// typedInFull reports whether the first word is a keyword without abbreviation.
func (w *walk) typedInFull() bool {
	if len(w.tokens) == 0 {
		return false
	}
	first := w.tokens[0]
	return strings.HasPrefix(lowerCase(w.words.text[first.Pos.Offset:]), first.Value)
}

// knows reports whether the first word of the line is one of the mode and none
// of global configuration: a wrong line of a list or a group without indent.
func (s *Session) knows(text string) bool {
	if s.Mode == ModeGlobal || modes[s.Mode].loose {
		return false
	}
	w, g := newWalk(s.language(), s.Mode, Position{}, text), newWalk(s.language(), ModeGlobal, Position{}, text)
	w.quiet, g.quiet = true, true
	_, _ = w.run()
	_, _ = g.run()
	return len(w.tokens) > 0 && w.typedInFull() && (len(g.tokens) == 0 || !g.typedInFull())
}

// empty reports whether the line has no words.
func (w *walk) empty() bool {
	first, ok := (&words{text: w.words.text, column: 1}).cut()
	return !ok || first.text[0] == '!'
}

func (l *line) fail(kind ErrorKind, pos Position, msg string) error {
	column := max(pos.Column-l.origin.Column+1, 1)
	return &LineError{Kind: kind, Column: column, Word: column, Msg: msg, Line: l.text}
}

// invalid refuses a word that IOS refuses with the caret.
func (l *line) invalid(pos Position, msg string) error { return l.fail(Invalid, pos, msg) }

// semantic refuses the line with IOS's own text.
func (l *line) semantic(pos Position, msg string) error { return l.fail(Semantic, pos, msg) }

// CompletionKind is the kind of a Completion. The zero value is unset.
type CompletionKind uint8

// The kinds of completions: a word to type, a description of what to type such
// as A.B.C.D, a name that the configuration defines, and the end of the line.
const (
	Keyword CompletionKind = iota + 1
	Argument
	Defined
	Return
)

// A Completion is one thing that may come next on a line.
type Completion struct {
	Token, Help string
	Kind        CompletionKind
}

// Help says what may come next after text, the line up to the cursor: when it
// is empty or ends in a blank every next word, in IOS's order; else the words
// that its last word may become. An error is a *LineError.
func (s *Session) Help(text string) ([]Completion, error) {
	out, depth, err := s.help(s.Mode, text)
	if err == nil || s.Mode == ModeGlobal {
		return out, asError(err)
	}
	global, globalDepth, globalErr := s.help(ModeGlobal, text)
	if globalErr == nil {
		return global, nil
	}
	if globalDepth > depth {
		err = globalErr
	}
	return nil, err
}

func asError(err *LineError) error {
	if err == nil {
		return nil
	}
	return err
}

func (s *Session) help(m Mode, text string) ([]Completion, int, *LineError) {
	w := newWalk(s.language(), m, Position{Line: 1, Column: 1}, text)
	for {
		next, ok := w.words.cut()
		if !ok {
			return s.sorted(w.state, ""), w.depth, nil
		}
		if w.words.next == len(text) {
			return s.wordHelp(w, next)
		}
		if err := w.step(next); err != nil {
			return nil, w.depth, err
		}
	}
}

// wordHelp gives the words that start like the last word.
func (s *Session) wordHelp(w *walk, last word) ([]Completion, int, *LineError) {
	if out := s.sorted(w.state, last.text); len(out) > 0 {
		return out, w.depth, nil
	}
	return nil, w.depth, w.refuse(last, false)
}

// sorted gives the completions of a state that start with the prefix, by
// their bytes, with the end of the line behind them.
func (s *Session) sorted(at *state, prefix string) []Completion {
	seen := map[string]bool{}
	var out []Completion
	put := func(token, help string, kind CompletionKind) {
		if !seen[token] && help != hidden {
			seen[token] = true
			out = append(out, Completion{token, help, kind})
		}
	}
	for _, e := range at.prefixed(lowerCase(prefix)) {
		put(e.keyword, e.help, Keyword)
	}
	for _, e := range at.classes {
		s.arguments(e, prefix, put)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Token < out[j].Token })
	if at.accepts != nil && prefix == "" {
		out = append(out, Completion{"<cr>", "", Return})
	}
	return out
}

func (s *Session) arguments(e *edge, prefix string, put func(token, help string, kind CompletionKind)) {
	if e.help == hidden {
		return
	}
	if prefix == "" || e.class.accepts(prefix) {
		for _, r := range e.class.rows {
			text := r.help
			if text == "" {
				text = e.help
			}
			put(r.word, text, Argument)
		}
	}
	if e.class.defined != nil {
		for _, n := range e.class.defined(s.Config) {
			if strings.HasPrefix(n, prefix) {
				put(n, e.help, Defined)
			}
		}
	}
}

// The lines that every mode has.
type (
	exitLine struct {
		Word lexer.Token `parser:"@'exit'"`
	}
	endLine struct {
		Word lexer.Token `parser:"@'end'"`
	}
	doLine struct {
		Text lexer.Token `parser:"'do' @Text"`
	}
	hostnameLine struct {
		Name lexer.Token `parser:"'hostname' @DeviceName"`
	}
	noHostname struct {
		Word lexer.Token `parser:"@'hostname'"`
	}
)

func (l *language) addCommon(modes []Mode) {
	add(l, plain, (*line).exit, modes...)
	add(l, plain, (*line).end, modes...)
	add(l, plain, (*line).do, modes...)
}

func (l *language) addGlobal() {
	add(l, both, (*line).hostname, ModeGlobal)
	add(l, negated, (*line).noHostname, ModeGlobal)
}

func (l *line) exit(*exitLine) error {
	if l.Mode == ModeGlobal {
		l.Ended = true
	}
	l.enter(l.Mode.parent())
	return nil
}

func (l *line) end(*endLine) error {
	l.Ended = true
	l.enter(ModeGlobal)
	return nil
}

// do belongs to the shell; in a file it is an EXEC command without meaning.
func (l *line) do(n *doLine) error {
	if !l.file {
		return l.invalid(l.pos, "do runs in the shell only")
	}
	l.notices = append(l.notices, Notice{Pos: l.pos, State: Skipped, Msg: "an EXEC command is no configuration", Text: "do", Count: 1})
	return nil
}

func (l *line) hostname(n *hostnameLine) error {
	l.Config.Hostname = n.Name.Value
	if l.no {
		l.Config.Hostname = ""
	}
	return nil
}

func (l *line) noHostname(*noHostname) error {
	l.Config.Hostname = ""
	return nil
}
