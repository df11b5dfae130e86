package grammar

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

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
	follow    []*term
	// last says that the statement may end after this term.
	last bool
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
	terms       *int
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
	for _, t := range s.Terms {
		p := b.repeat(b.atom(t, in), t.Repetition)
		link(out.last, p.first)
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

func (b *builder) repeat(p piece, repetition string) piece {
	switch repetition {
	case "*", "+":
		link(p.last, p.first)
	}
	p.nullable = p.nullable || repetition == "*" || repetition == "?"
	return p
}

func link(from, to []*term) {
	for _, t := range from {
		t.follow = append(t.follow, to...)
	}
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
	p := b.productions[t.Name]
	return b.expression(p.Expression, p.Production)
}

func (b *builder) leaf(t *term) piece {
	*b.terms++
	t.id, t.statement = *b.terms, b.statement
	return piece{first: []*term{t}, last: []*term{t}}
}

// build gives the terms that the statement starts with.
func build(s *statement, text string, terms *int) []*term {
	grammar, err := ebnf.ParseString(text)
	if err != nil {
		panic(fmt.Sprintf("grammar of %s: %v", s.name, err))
	}
	b := builder{s, map[string]*ebnf.Production{}, terms}
	for _, p := range grammar.Productions {
		b.productions[p.Production] = p
	}
	root := grammar.Productions[0]
	whole := b.expression(root.Expression, root.Production)
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
	exact    map[string]*edge
	classes  []*edge
	// ordered holds every edge in the order of the grammar, for messages.
	ordered []*edge
	// strict says that a free name may stand here: a keyword must then be
	// typed in full, or an abbreviation could swallow a name.
	strict bool
	// accepts is the statement that may end here; nil when none may.
	accepts *statement
}

// An edge leads from a state to the next by a word.
type edge struct {
	keyword string
	class   *class
	help    string
	terms   []*term
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
			e.to = a.after(e.terms)
		}
	})
	return e.to
}

func (a *automaton) after(matched []*term) *state {
	var follow []*term
	var accepts *statement
	for _, t := range matched {
		follow = append(follow, t.follow...)
		if t.last && accepts == nil {
			accepts = t.statement
		}
	}
	return a.state(follow, accepts)
}

func (a *automaton) state(terms []*term, accepts *statement) *state {
	key := stateKey(terms, accepts)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.states[key]
	if s == nil {
		s = newState(terms, accepts)
		a.states[key] = s
	}
	return s
}

func stateKey(terms []*term, accepts *statement) string {
	var key []byte
	for _, t := range terms {
		key = binary.AppendUvarint(key, uint64(t.id))
	}
	if accepts != nil {
		key = append(append(key, 0), accepts.name...)
	}
	return string(key)
}

func newState(terms []*term, accepts *statement) *state {
	s := &state{exact: map[string]*edge{}, accepts: accepts}
	byClass := map[*class]*edge{}
	for _, t := range terms {
		if t.class == nil {
			s.addKeyword(t.keyword, t.help, nil, t)
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
		e.terms = append(e.terms, t)
		for _, n := range t.class.names {
			s.addKeyword(n.word, n.help, t.class, t)
		}
	}
	sortEdges(s.keywords)
	return s
}

func (s *state) addKeyword(word, help string, c *class, t *term) {
	e := s.exact[word]
	if e == nil {
		e = &edge{keyword: word, class: c, help: help}
		s.exact[word] = e
		s.keywords = append(s.keywords, e)
		if c == nil {
			s.ordered = append(s.ordered, e)
		}
	}
	if e.class == c {
		e.terms = append(e.terms, t)
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
	lower := lowerCase(word)
	if e := s.exact[lower]; e != nil {
		return e, false
	}
	if !s.strict {
		if found := s.prefixed(lower); len(found) == 1 {
			return found[0], false
		} else if len(found) > 1 {
			return nil, true
		}
	}
	for _, e := range s.classes {
		if e.class.accepts(word) {
			return e, false
		}
	}
	return nil, false
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

// distance counts the letters to insert, delete, change or swap to get from a
// to b; limit when there are as many or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return min(row[len(b)], limit)
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}

func sortEdges(all []*edge) {
	sort.Slice(all, func(i, j int) bool { return all[i].keyword < all[j].keyword })
}
