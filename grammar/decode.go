package grammar

import (
	"reflect"
	"slices"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file makes the node of a line from the path that its walk took. It does
// what participle's own parser does with the same struct, without trying
// alternatives: the walk has found them. A test holds the one to the other.

// choose gives the link along which each word of the walk was reached. Where
// the words leave a choice, it is made from the end, and the first in the
// grammar wins. The links of an edge stand in the order of the terms before
// it, so that the link found first comes from the term that is chosen next.
func (w *walk) choose(s *statement) []link {
	w.path = slices.Grow(w.path[:0], len(w.edges))[:len(w.edges)]
	for i := len(w.edges) - 1; i >= 0; i-- {
		links := w.edges[i].links
		switch {
		case len(links) == 1:
			w.path[i] = links[0]
		case i == len(w.edges)-1:
			w.path[i] = links[slices.IndexFunc(links, func(l link) bool { return l.term.last && l.term.statement == s })]
		default:
			w.path[i] = links[slices.IndexFunc(links, func(l link) bool { return l.term.leadsTo(w.path[i+1].term) })]
		}
	}
	return w.path
}

func (t *term) leadsTo(next *term) bool {
	return slices.ContainsFunc(t.follow, func(l link) bool { return l.term == next })
}

// opened is a capture that the decoder is in.
type opened struct {
	// node is the struct of a nested capture.
	node reflect.Value
	// words is where words are collected; from is the first of them.
	words *[]lexer.Token
	from  int
}

// decode fills the node of a statement with the words of the walk. The words
// of a []lexer.Token are those of the walk itself.
func (w *walk) decode(s *statement, node reflect.Value) {
	open := w.open[:0]
	for i, l := range w.choose(s) {
		open = open[:l.keep]
		for _, c := range l.term.path[l.keep:] {
			in := node
			if len(open) > 0 {
				in = open[len(open)-1].node
			}
			open = append(open, w.enter(in.Field(c.field), c, i))
		}
		if n := len(open); n > 0 && open[n-1].words != nil {
			*open[n-1].words = w.tokens[open[n-1].from : i+1 : i+1]
		}
	}
	w.open = open
}

// enter starts a capture at a word.
func (w *walk) enter(field reflect.Value, c *capture, word int) opened {
	switch c.kind {
	case takesFirst:
		*field.Addr().Interface().(*lexer.Token) = w.tokens[word]
		return opened{}
	case takesAll:
		return opened{words: field.Addr().Interface().(*[]lexer.Token), from: word}
	case inPlace:
		field.SetZero()
		return opened{node: field}
	}
	node := reflect.New(c.typ)
	if c.kind == byPointer {
		field.Set(node)
	} else {
		field.Set(reflect.Append(field, node))
	}
	return opened{node: node.Elem()}
}
