package grammar

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file reads from the struct tags of a grammar which field takes which
// word. Participle prints a production for every struct, with the words in the
// order of the tags but without the "@" in front of them; so the n-th word or
// production in the printed text is the n-th in the tags.

// A capture is an "@" in the tags of a struct: a field and the words that it
// takes.
type capture struct {
	// field is the index of the field in its struct.
	field int
	kind  captureKind
	// typ is the struct behind "@@".
	typ reflect.Type
	// pool is the number of the memory for the structs; see walk.node.
	pool int
	// repeated says that "*" or "+" stands behind the capture: every turn is
	// captured on its own.
	repeated bool
}

// captureKind is what a field can take.
type captureKind uint8

const (
	// takesFirst is a lexer.Token, which takes the first word of a capture.
	takesFirst captureKind = iota + 1
	// takesAll is a []lexer.Token.
	takesAll
	// inPlace, byPointer and inSlice are fields for "@@": S, *S and []*S.
	inPlace
	byPointer
	inSlice
)

func (c *capture) nested() bool { return c.kind >= inPlace }

// A shape is what the tags of a struct say about captures.
type shape struct {
	typ reflect.Type
	// leaves has the capture of every word and production in the tags, nil
	// for a word that no field takes.
	leaves []*capture
}

// shapeOf reads the tags of a struct. It panics on what participle understands
// and the decoder does not.
func shapeOf(t reflect.Type) *shape {
	s := &shape{typ: t}
	for i := range t.NumField() {
		r := tagReader{shape: s, field: t.Field(i), index: i, tag: t.Field(i).Tag.Get("parser")}
		r.read()
	}
	return s
}

// tagReader reads the tag of one field.
type tagReader struct {
	*shape
	field reflect.StructField
	index int
	tag   string
	// open is the capture that the reader is in, which ends at the closing
	// parenthesis of the depth; or at the next word when that is 0.
	open         *capture
	depth, opens int
	// closed is the capture that has just ended.
	closed *capture
}

func (r *tagReader) read() {
	for r.tag != "" {
		closed := r.closed
		r.closed = nil
		switch c := r.tag[0]; {
		case c == '\'' || c == '"':
			r.leaf(strings.IndexByte(r.tag[1:], c) + 2)
		case isLetter(c):
			r.leaf(len(r.tag) - len(strings.TrimLeftFunc(r.tag, func(r rune) bool { return r < 0x80 && isLetter(byte(r)) || '0' <= r && r <= '9' })))
		case c == '@':
			r.capture()
		default:
			r.sign(c, closed)
		}
		r.tag = strings.TrimLeft(r.tag, " \t\n")
	}
	if r.open != nil {
		r.fail("a capture ends in another field")
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// leaf takes a word of that length.
func (r *tagReader) leaf(length int) {
	r.tag = r.tag[length:]
	r.leaves = append(r.leaves, r.open)
	if r.open != nil && r.opens == 0 {
		r.close()
	}
}

func (r *tagReader) close() {
	r.closed, r.open = r.open, nil
}

// capture takes "@@", or the "@" in front of a word or a group.
func (r *tagReader) capture() {
	if r.open != nil {
		r.fail("a capture in a capture")
	}
	if strings.HasPrefix(r.tag, "@@") {
		c := r.nestedCapture()
		r.tag, r.leaves, r.closed = r.tag[2:], append(r.leaves, c), c
		return
	}
	r.tag = strings.TrimLeft(r.tag[1:], " ")
	r.open, r.opens = &capture{field: r.index, kind: r.wordKind()}, 0
	if strings.HasPrefix(r.tag, "(") {
		r.opens = r.depth + 1
	}
}

func (r *tagReader) wordKind() captureKind {
	switch r.field.Type {
	case reflect.TypeFor[lexer.Token]():
		return takesFirst
	case reflect.TypeFor[[]lexer.Token]():
		return takesAll
	}
	r.fail("a field for words is a Token or a slice of them")
	return 0
}

func (r *tagReader) nestedCapture() *capture {
	c := &capture{field: r.index, typ: r.field.Type}
	switch c.typ.Kind() {
	case reflect.Struct:
		c.kind = inPlace
	case reflect.Pointer:
		c.kind, c.typ = byPointer, c.typ.Elem()
	case reflect.Slice:
		c.kind, c.typ = inSlice, c.typ.Elem()
		if c.typ.Kind() == reflect.Pointer {
			c.typ = c.typ.Elem()
			return c
		}
		r.fail("a slice of productions has pointers")
	default:
		r.fail("no field for a production")
	}
	return c
}

// sign takes a character of the notation; closed is the capture in front of it.
func (r *tagReader) sign(c byte, closed *capture) {
	r.tag = r.tag[1:]
	switch c {
	case '(':
		r.depth++
	case ')':
		if r.open != nil && r.opens == r.depth {
			r.close()
		}
		r.depth--
	case '*', '+':
		if closed != nil {
			closed.repeated = true
		}
	case '?', '|', ' ', '\t', '\n':
	default:
		r.fail("unknown notation " + string(c))
	}
}

func (r *tagReader) fail(why string) {
	panic(fmt.Sprintf("grammar of %s.%s: %s", r.typ.Name(), r.field.Name, why))
}
