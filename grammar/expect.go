package grammar

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/ebnf"
)

// This file turns the EBNF that participle prints for a statement's parser
// into an automaton over words. It is Glushkov's construction: every keyword
// and every class of argument that the grammar mentions is one term, and a
// term knows which terms may follow it. A state is the set of terms that may
// come next, of all statements of a mode at once, so that "ip access-list ?"
// sees every statement that starts this way. States are made when a line first
// reaches them.

// A term is one place in the grammar at which a word is read.
type term struct {
	id int
	// keyword is the word; class is the kind of argument when it is nil.
	keyword   string
	class     *class
	help      string
	statement *statement
	follow    []link
	// path holds the captures that the word stands in, from the root of the
	// statement's node to the field that takes the word.
	path []*capture
	// last says that the statement may end after this term.
	last bool
}

// A link leads to a term that may follow.
type link struct {
	term *term
	// keep is how many captures of the term's path go on; the others start
	// with the term's word.
	keep int
}

// piece is a part of a grammar: the terms it may start and end with.
type piece struct {
	nullable    bool
	first, last []*term
}

// builder makes the terms of one statement.
type builder struct {
	statement   *statement
	productions map[string]*ebnf.Production
	language    *language
	// path holds the captures around the production that is being built, whose
	// shape is nil in a statement without a node. at is the number of its
	// words and productions so far.
	path  []*capture
	shape *shape
	at    int
}

func (b *builder) expression(e *ebnf.Expression, in string) piece {
	var out piece
	for _, alternative := range e.Alternatives {
		p := b.sequence(alternative, in)
		out.nullable = out.nullable || p.nullable
		out.first = append(out.first, p.first...)
		out.last = append(out.last, p.last...)
	}
	return out
}

func (b *builder) sequence(s *ebnf.Sequence, in string) piece {
	out := piece{nullable: true}
	from := b.at
	for _, t := range s.Terms {
		p := b.term(t, in)
		connect(out.last, p.first, b.kept(from, false))
		if out.nullable {
			out.first = append(out.first, p.first...)
		}
		if !p.nullable {
			out.last = nil
		}
		out.last = append(out.last, p.last...)
		out.nullable = out.nullable && p.nullable
	}
	return out
}

func (b *builder) term(t *ebnf.Term, in string) piece {
	from := b.at
	p := b.atom(t, in)
	switch t.Repetition {
	case "*", "+":
		connect(p.last, p.first, b.kept(from, true))
	}
	p.nullable = p.nullable || t.Repetition == "*" || t.Repetition == "?"
	return p
}

func connect(from, to []*term, keep int) {
	for _, t := range from {
		for _, f := range to {
			t.follow = append(t.follow, link{f, keep})
		}
	}
}

// kept gives the number of captures around a sequence or a repetition that
// began with the leaf: those around the production, and one more inside a
// capture of words. A repetition of the whole capture stands outside.
func (b *builder) kept(from int, repetition bool) int {
	if b.shape == nil {
		return 0
	}
	leaves := b.shape.leaves
	c := leaves[from]
	if c == nil || c.nested() || leaves[b.at-1] != c {
		return len(b.path)
	}
	whole := (from == 0 || leaves[from-1] != c) && (b.at == len(leaves) || leaves[b.at] != c)
	if repetition && whole && c.repeated {
		return len(b.path)
	}
	return len(b.path) + 1
}

func (b *builder) atom(t *ebnf.Term, in string) piece {
	switch {
	case t.Group != nil:
		return b.expression(t.Group.Expr, in)
	case t.Literal != "":
		word := strings.Trim(t.Literal, `"`)
		return b.leaf(&term{keyword: word, help: help(in, word)})
	case t.Token != "":
		c := classByToken[t.Token]
		return b.leaf(&term{class: c, help: help(in, c.name)})
	}
	return b.production(t.Name)
}

// production builds what a field with "@@" takes.
func (b *builder) production(name string) piece {
	p := b.productions[name]
	c := b.next()
	if c == nil {
		return b.expression(p.Expression, p.Production)
	}
	b.language.pool(c)
	inner := *b
	inner.path, inner.shape, inner.at = append(slices.Clone(b.path), c), shapeOf(c.typ), 0
	out := inner.expression(p.Expression, p.Production)
	inner.check(out)
	return out
}

// check panics when the tags and the printed grammar disagree, and when a
// production may be empty, whose node would be missing.
func (b *builder) check(p piece) {
	if b.shape != nil && (b.at != len(b.shape.leaves) || p.nullable) {
		panic(fmt.Sprintf("grammar of %s: %d of %d words captured, may be empty: %t", b.shape.typ.Name(), b.at, len(b.shape.leaves), p.nullable))
	}
}

// next gives the capture of the next leaf.
func (b *builder) next() (c *capture) {
	if b.shape != nil {
		c = b.shape.leaves[b.at]
		b.at++
	}
	return c
}

func (b *builder) leaf(t *term) piece {
	b.language.terms++
	t.id, t.statement = b.language.terms, b.statement
	t.path = b.path
	if c := b.next(); c != nil {
		t.path = append(slices.Clone(b.path), c)
	}
	return piece{first: []*term{t}, last: []*term{t}}
}

// build gives the terms that the statement starts with.
func (l *language) build(s *statement, text string) []*term {
	b := builder{statement: s, productions: map[string]*ebnf.Production{}, language: l}
	if s.node != nil {
		l.pool(s.node)
		b.shape = shapeOf(s.node.typ)
	}
	all := readEBNF(text)
	for _, p := range all {
		b.productions[p.Production] = p
	}
	root := all[0]
	whole := b.expression(root.Expression, root.Production)
	b.check(whole)
	for _, t := range whole.last {
		t.last = true
	}
	return whole.first
}

// A state is what may come next.
type state struct {
	// keywords are sorted by their word; the names that a class knows, such
	// as those of ports, stand among them.
	keywords []*edge
	// from is where the keywords with a first letter begin.
	from    [129]uint16
	classes []*edge
	// ordered holds every edge in the order of the grammar, for messages.
	ordered []*edge
	// strict says that a free name may stand here: a keyword must then be
	// typed in full, or an abbreviation could swallow a name.
	strict bool
	// rest says that the text to the end of the line stands here.
	rest bool
	// accepts is the statement that may end here; nil when none may.
	accepts *statement
}

// An edge leads from a state to the next by a word.
type edge struct {
	keyword string
	class   *class
	help    string
	links   []link
	once    sync.Once
	to      *state
}

// automaton keeps the states that have been reached.
type automaton struct {
	mu     sync.Mutex
	states map[string]*state
}

// next gives the state behind an edge.
func (a *automaton) next(e *edge) *state {
	e.once.Do(func() {
		if e.to == nil {
			e.to = a.after(e.links)
		}
	})
	return e.to
}

func (a *automaton) after(matched []link) *state {
	var follow []link
	var accepts *statement
	for _, l := range matched {
		follow = append(follow, l.term.follow...)
		if l.term.last && accepts == nil {
			accepts = l.term.statement
		}
	}
	return a.state(follow, accepts)
}

func (a *automaton) state(links []link, accepts *statement) *state {
	key := stateKey(links, accepts)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.states[key]
	if s == nil {
		s = newState(links, accepts)
		a.states[key] = s
	}
	return s
}

func stateKey(links []link, accepts *statement) string {
	var key []byte
	for _, l := range links {
		key = binary.AppendUvarint(key, uint64(l.term.id))
		key = binary.AppendUvarint(key, uint64(l.keep))
	}
	if accepts != nil {
		key = append(append(key, 0), accepts.name...)
	}
	return string(key)
}

func newState(links []link, accepts *statement) *state {
	s := &state{accepts: accepts}
	exact, byClass := map[string]*edge{}, map[*class]*edge{}
	for _, l := range links {
		t := l.term
		if t.class == nil {
			s.addKeyword(exact, t.keyword, t.help, nil, l)
			continue
		}
		e := byClass[t.class]
		if e == nil {
			e = &edge{class: t.class, help: t.help}
			byClass[t.class] = e
			s.classes = append(s.classes, e)
			s.ordered = append(s.ordered, e)
			s.strict = s.strict || t.class.free
		}
		e.add(l)
		for _, n := range t.class.names {
			s.addKeyword(exact, n.word, n.help, t.class, l)
		}
	}
	s.rest = len(s.classes) > 0 && s.classes[0].class.rest
	s.sort()
	return s
}

func (s *state) addKeyword(exact map[string]*edge, word, help string, c *class, l link) {
	e := exact[word]
	if e == nil {
		e = &edge{keyword: word, class: c, help: help}
		exact[word] = e
		s.keywords = append(s.keywords, e)
		if c == nil {
			s.ordered = append(s.ordered, e)
		}
	}
	if e.class == c {
		e.add(l)
	}
}

// add puts a link into the edge, once.
func (e *edge) add(l link) {
	if !slices.Contains(e.links, l) {
		e.links = append(e.links, l)
	}
}

// sort sorts the keywords and finds where each first letter begins. Keywords
// are ASCII.
func (s *state) sort() {
	sort.Slice(s.keywords, func(i, j int) bool { return s.keywords[i].keyword < s.keywords[j].keyword })
	at := 0
	for c := range s.from {
		for at < len(s.keywords) && int(s.keywords[at].keyword[0]) < c {
			at++
		}
		s.from[c] = uint16(at)
	}
}

// prefixed gives the keywords that start with the word, which is lower case.
func (s *state) prefixed(word string) []*edge {
	from := sort.Search(len(s.keywords), func(i int) bool { return s.keywords[i].keyword >= word })
	to := from
	for to < len(s.keywords) && strings.HasPrefix(s.keywords[to].keyword, word) {
		to++
	}
	return s.keywords[from:to]
}

// match finds the edge for a word: the exact keyword; else the only keyword
// with that prefix; else the first class that accepts it. Two keywords with
// the prefix are ambiguous.
func (s *state) match(word string) (e *edge, ambiguous bool) {
	e, found := s.keyword(word)
	switch {
	case found > 1:
		return nil, true
	case found == 1:
		return e, false
	}
	for _, e := range s.classes {
		if e.class.accepts(word) {
			return e, false
		}
	}
	return nil, false
}

// keyword gives the keyword that the word is, or one that it abbreviates and
// how many there are.
func (s *state) keyword(word string) (e *edge, found int) {
	first := word[0]
	if first >= utf8.RuneSelf {
		return nil, 0
	}
	if 'A' <= first && first <= 'Z' {
		first += 'a' - 'A'
	}
	from, to := s.from[first], s.from[first+1]
	if from == to {
		return nil, 0
	}
	lower := lowerCase(word)
	for _, k := range s.keywords[from:to] {
		switch {
		case k.keyword == lower:
			return k, 1
		case !s.strict && strings.HasPrefix(k.keyword, lower):
			e, found = k, found+1
		}
	}
	return e, found
}

// shared gives the number of leading bytes that the word shares with a keyword.
func (s *state) shared(word string) int {
	lower, best := lowerCase(word), 0
	for _, e := range s.keywords {
		best = max(best, commonPrefix(lower, e.keyword))
	}
	return best
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// lowerCase is strings.ToLower without work for a word that has no capitals.
func lowerCase(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}

// maxWants is how many words a message lists before it says no more than what
// is closest to the mistake.
const maxWants = 6

// wants says in words what may come next: "log, log-input or end of line".
func (s *state) wants() string {
	var list []string
	for _, e := range s.ordered {
		list = append(list, e.wanted())
	}
	list = slices.Compact(list)
	if len(list) > maxWants {
		return ""
	}
	if s.accepts != nil {
		list = append(list, "end of line")
	}
	return orList(list)
}

func (e *edge) wanted() string {
	if e.class == nil {
		return e.keyword
	}
	return e.class.what
}

func orList(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// closest gives the keyword that the word was probably meant to be, or "".
func (s *state) closest(word string) string {
	best, least := "", 3
	for _, e := range s.keywords {
		if d := distance(lowerCase(word), e.keyword, least); d < least && d < len(e.keyword) {
			best, least = e.keyword, d
		}
	}
	return best
}

// longestKeyword is the length of the longest keyword that is suggested.
const longestKeyword = 63

// distance counts the letters to insert, delete, change or swap to get from a
// to b; limit when there are as many or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(b) > longestKeyword {
		return limit
	}
	var room [3][longestKeyword + 1]int
	before, row, next := &room[0], &room[1], &room[2]
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return min(row[len(b)], limit)
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
