package grammar

import (
	"fmt"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// A walk takes a line through the automaton, word by word. It finds the
// statement, expands abbreviations and types every word, or says where and
// why the line leaves the language.
type walk struct {
	language *language
	words    words
	pos      Position
	state    *state
	// tokens are the words, without what negates them; edges are how the walk
	// went along them.
	tokens []lexer.Token
	edges  []*edge
	// path and open are room for the decoder, pools are its nodes, and touched
	// are the pools that the line uses.
	path    []link
	open    []opened
	pools   []pool
	touched []int
	// negation is "no" or "default" when the line starts so.
	negation string
	// global says that the walk is one of global configuration.
	global bool
	depth  int
	// quiet leaves the messages out of errors, for lines that are likely to
	// have nothing to do with us.
	quiet bool
}

// lineWidth is the number of words of most lines.
const lineWidth = 16

// newWalk gives a walk in front of a line.
func newWalk(l *language, m Mode, pos Position, text string) *walk {
	w := &walk{}
	w.reset(l, m, pos, text)
	return w
}

// reset puts the walk in front of a line. The memory of the line before is
// used again.
func (w *walk) reset(l *language, m Mode, pos Position, text string) {
	if w.tokens == nil {
		w.tokens = make([]lexer.Token, 0, lineWidth)
	}
	if w.language != l {
		w.pools, w.touched = nil, nil
	}
	*w = walk{
		language: l,
		words:    words{text: text, column: 1},
		pos:      pos,
		state:    l.start[m],
		tokens:   w.tokens[:0],
		edges:    w.edges[:0],
		path:     w.path[:0],
		open:     w.open[:0],
		pools:    w.pools,
		touched:  w.touched,
	}
}

// run walks the whole line and gives its statement.
func (w *walk) run() (*statement, *LineError) {
	for {
		word, ok := w.words.cut()
		if !ok || w.isComment(word) {
			return w.finish(word)
		}
		if err := w.step(word); err != nil {
			return nil, err
		}
	}
}

// isComment reports whether the word starts a comment. A label condition such
// as !K does not.
func (w *walk) isComment(word word) bool {
	if word.text[0] != '!' || w.state.rest {
		return false
	}
	return len(word.text) == 1 || !w.state.takes("Label")
}

func (s *state) takes(class string) bool {
	for _, e := range s.classes {
		if e.class.name == class {
			return true
		}
	}
	return false
}

func (w *walk) finish(end word) (*statement, *LineError) {
	if w.state.accepts == nil {
		return nil, w.incomplete(end)
	}
	return w.state.accepts, nil
}

// step takes one word.
func (w *walk) step(word word) *LineError {
	if w.state.rest {
		word.text = w.words.rest(word)
	}
	e, ambiguous := w.state.match(word.text)
	if e == nil {
		return w.refuse(word, ambiguous)
	}
	w.depth++
	if len(w.tokens) == 0 && w.negation == "" && (e.keyword == "no" || e.keyword == "default") {
		w.negation = e.keyword
	} else {
		w.tokens = append(w.tokens, w.token(e, word))
		w.edges = append(w.edges, e)
	}
	w.state = w.language.next(e)
	return nil
}

func (w *walk) token(e *edge, word word) lexer.Token {
	t := lexer.Token{Type: keywordType, Value: e.keyword, Pos: lexer.Position{
		Filename: w.pos.File, Offset: word.offset, Line: w.pos.Line, Column: w.pos.Column + word.column - 1,
	}}
	if e.class != nil {
		t.Type = e.class.typ
		if e.keyword == "" {
			t.Value = word.text
		}
	}
	return t
}

// end is the token after the last.
func (w *walk) end() lexer.Token {
	return lexer.EOFToken(lexer.Position{Filename: w.pos.File, Line: w.pos.Line, Column: w.pos.Column + w.words.column - 1})
}

func (w *walk) refuse(word word, ambiguous bool) *LineError {
	if w.quiet {
		return w.bare(word, ambiguous)
	}
	if ambiguous {
		return w.ambiguous(word)
	}
	shared := word.text[:w.state.shared(word.text)]
	return &LineError{
		Kind:   Invalid,
		Column: word.column + utf8.RuneCountInString(shared),
		Word:   word.column,
		Msg:    w.message(fmt.Sprintf("unexpected %q", clip(word.text))),
		Hint:   w.hint(word.text),
		Line:   w.words.text,
	}
}

func (w *walk) bare(word word, ambiguous bool) *LineError {
	err := &LineError{Kind: Invalid, Column: word.column, Word: word.column, Line: w.words.text}
	if ambiguous {
		err.Kind = Ambiguous
	}
	return err
}

func (w *walk) message(what string) string {
	if wants := w.state.wants(); wants != "" {
		return what + ", want " + wants
	}
	return what
}

func (w *walk) hint(word string) string {
	if w.state.wants() != "" {
		return ""
	}
	if c := w.state.closest(word); c != "" {
		return "did you mean " + c + "?"
	}
	return ""
}

func (w *walk) ambiguous(word word) *LineError {
	var list []string
	for _, e := range w.state.prefixed(lowerCase(word.text)) {
		list = append(list, e.keyword)
	}
	if len(list) > maxWants {
		list = append(list[:maxWants], "...")
	}
	return &LineError{
		Kind: Ambiguous, Column: word.column, Word: word.column, Line: w.words.text,
		Msg: fmt.Sprintf("ambiguous %q: %s", clip(word.text), orList(list)),
	}
}

func (w *walk) incomplete(end word) *LineError {
	return &LineError{
		Kind: Incomplete, Column: end.column, Word: end.column, Line: w.words.text,
		Msg: w.message("unexpected end of line"),
	}
}

// clip shortens a word for a message.
func clip(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}
