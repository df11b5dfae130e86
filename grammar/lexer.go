package grammar

import (
	"errors"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// keywordType is the token type of keywords; classes of arguments take the
// numbers below it.
const keywordType lexer.TokenType = -2

// words is a line being cut into words at blanks. A word that starts with a
// parenthesis runs to the closing one.
type words struct {
	text string
	// next is the byte at which the next word is looked for; column is the
	// 1-based rune column of that byte.
	next, column int
}

// A word is a piece of a line: its text, byte offset and rune column.
type word struct {
	text   string
	offset int
	column int
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// cut gives the next word; ok is false at the end of the line.
func (w *words) cut() (word, bool) {
	for w.next < len(w.text) && isBlank(w.text[w.next]) {
		w.next++
		w.column++
	}
	if w.next == len(w.text) {
		return word{offset: w.next, column: w.column}, false
	}
	from, column := w.next, w.column
	w.skipWord()
	return word{w.text[from:w.next], from, column}, true
}

func (w *words) skipWord() {
	inside := w.text[w.next] == '('
	for w.next < len(w.text) {
		c := w.text[w.next]
		if isBlank(c) && !inside {
			return
		}
		if c == ')' {
			inside = false
		}
		w.next++
		if c < utf8.RuneSelf || utf8.RuneStart(c) {
			w.column++
		}
	}
}

// rest gives everything from the word to the end of the line.
func (w *words) rest(from word) string {
	w.next = len(w.text)
	return strings.TrimRight(w.text[from.offset:], " \t\r")
}

// symbols tells participle the token types. The tokens themselves come from
// the walk, because only the grammar knows whether 10 is a port or a name.
type symbols struct{}

// Symbols gives the token types by name.
func (symbols) Symbols() map[string]lexer.TokenType { return symbolTable() }

var symbolTable = sync.OnceValue(func() map[string]lexer.TokenType {
	out := map[string]lexer.TokenType{"EOF": lexer.EOF, "Keyword": keywordType}
	for i, c := range classes {
		out[c.name] = classType(i)
	}
	return out
})

// Lex is never called: statements are parsed from the tokens of a walk.
func (symbols) Lex(string, io.Reader) (lexer.Lexer, error) {
	return nil, errors.New("lines are cut by the walk")
}

func classType(i int) lexer.TokenType { return keywordType - 1 - lexer.TokenType(i) }

// at gives the place of a token.
func at(t lexer.Token) Position {
	return Position{File: t.Pos.Filename, Line: t.Pos.Line, Column: t.Pos.Column}
}

// name gives a token as a Name; the zero token gives the empty Name.
func name(t lexer.Token) Name {
	if t.Value == "" {
		return Name{}
	}
	return Name{Text: t.Value, Pos: at(t)}
}
