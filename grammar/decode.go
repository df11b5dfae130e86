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

// decode gives the node of a statement, a pointer to its struct, with the words
// of the walk. The node and its words are those of the walk itself: the next
// line uses their memory again.
func (w *walk) decode(s *statement) any {
	for _, pool := range w.touched {
		w.pools[pool].used = 0
	}
	w.touched = w.touched[:0]
	root := w.node(s.node)
	open := append(w.open[:0], opened{node: root.Elem()})
	for i, l := range w.choose(s) {
		open = open[:1+l.keep]
		for _, c := range l.term.path[l.keep:] {
			open = append(open, w.enter(open[len(open)-1].node.Field(c.field), c, i))
		}
		if last := &open[len(open)-1]; last.words != nil {
			*last.words = w.tokens[last.from : i+1 : i+1]
		}
	}
	w.open = open
	return root.Interface()
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
	node := w.node(c)
	if c.kind == byPointer {
		field.Set(node)
	} else {
		field.Set(reflect.Append(field, node))
	}
	return opened{node: node.Elem()}
}

// A pool is the memory for the structs of one capture: pointers to them, of
// which the first are used in the line.
type pool struct {
	nodes []reflect.Value
	used  int
}

// pool gives a capture its number.
func (l *language) pool(c *capture) {
	c.pool = l.pools
	l.pools++
}

// node gives a pointer to a zero struct of a capture.
func (w *walk) node(c *capture) reflect.Value {
	if w.pools == nil {
		w.pools = make([]pool, w.language.pools)
	}
	p := &w.pools[c.pool]
	if p.used == 0 {
		w.touched = append(w.touched, c.pool)
	}
	if p.used == len(p.nodes) {
		p.nodes = append(p.nodes, reflect.New(c.typ))
	} else {
		p.nodes[p.used].Elem().SetZero()
	}
	p.used++
	return p.nodes[p.used-1]
}
