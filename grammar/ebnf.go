package grammar

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/ebnf"
)

// This file reads the EBNF that participle prints. Participle's own parser for
// it gives the same, which a test checks, and takes a program's first 20
// milliseconds.

// ebnfReader reads EBNF from the front of a text.
type ebnfReader struct{ text string }

// readEBNF gives the productions of a text. It panics on what is no EBNF, as
// the texts are part of the program.
func readEBNF(text string) (out []*ebnf.Production) {
	r := &ebnfReader{text}
	for r.skip(); r.text != ""; r.skip() {
		p := &ebnf.Production{Production: r.name()}
		r.want('=')
		p.Expression = r.expression()
		r.want('.')
		out = append(out, p)
	}
	return out
}

func (r *ebnfReader) skip() { r.text = strings.TrimLeft(r.text, " \t\n") }

// next takes the character when it is next.
func (r *ebnfReader) next(c byte) bool {
	r.skip()
	if r.text == "" || r.text[0] != c {
		return false
	}
	r.text = r.text[1:]
	return true
}

func (r *ebnfReader) want(c byte) {
	if !r.next(c) {
		panic(fmt.Sprintf("EBNF: want %c before %q", c, clip(r.text)))
	}
}

// name takes letters and digits.
func (r *ebnfReader) name() string {
	r.skip()
	end := 0
	for end < len(r.text) && (isLetter(r.text[end]) || startsWithDigit(r.text[end:])) {
		end++
	}
	if end == 0 {
		panic(fmt.Sprintf("EBNF: want a name before %q", clip(r.text)))
	}
	name := r.text[:end]
	r.text = r.text[end:]
	return name
}

func (r *ebnfReader) expression() *ebnf.Expression {
	e := &ebnf.Expression{}
	for first := true; first || r.next('|'); first = false {
		e.Alternatives = append(e.Alternatives, r.sequence())
	}
	return e
}

func (r *ebnfReader) sequence() *ebnf.Sequence {
	s := &ebnf.Sequence{Terms: []*ebnf.Term{r.term()}}
	for r.skip(); r.text != "" && strings.IndexByte("|).", r.text[0]) < 0; r.skip() {
		s.Terms = append(s.Terms, r.term())
	}
	return s
}

func (r *ebnfReader) term() *ebnf.Term {
	t := &ebnf.Term{}
	switch {
	case r.next('('):
		t.Group = &ebnf.SubExpression{Expr: r.expression()}
		r.want(')')
	case r.next('<'):
		t.Token = r.name()
		r.want('>')
	case r.next('"'):
		word, rest, _ := strings.Cut(r.text, `"`)
		t.Literal, r.text = `"`+word+`"`, rest
	default:
		t.Name = r.name()
	}
	if r.text != "" && strings.IndexByte("*+?", r.text[0]) >= 0 {
		t.Repetition, r.text = r.text[:1], r.text[1:]
	}
	return t
}
