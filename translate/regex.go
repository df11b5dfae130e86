package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aclium/grammar"
)

/*
The patterns of a "parameter-map type regex" are searched for: text matches
when any part of it does. Policies match whole values with RE2. A pattern is read
by the rules of IOS, construct by construct, and written again for RE2; whatever
RE2 would read in another way, or IOS's manuals do not explain, is refused
instead of being passed on:

	.  [abc]  [^a-z]  (x|y)  x*  x+  x?  x{2}  x{2,}  x{2,4}
	^ at the start and $ at the end of an alternative that is in no parentheses
	\ before punctuation; \r \n \t \f, \xNN, \NNN

Letters count as they are: neither side folds case.
*/

// A pattern is what the patterns of one parameter-map match together.
type pattern struct {
	name string
	// whole is the RE2 expression of the whole value.
	whole string
	// every says that all values match, none that no value does.
	every, none bool
	// exact are the values that match where they are few; nil otherwise.
	exact []string
}

// patternOf reads a parameter-map. The error names the first pattern that
// cannot be said.
func patternOf(m *grammar.RegexMap) (*pattern, error) {
	p := &pattern{name: m.Name, none: len(m.Patterns) == 0}
	var wholes []string
	exact := true
	for _, n := range m.Patterns {
		r := regexReader{text: unquoted(n.Text)}
		alternatives, err := r.read()
		if err != nil {
			return nil, fmt.Errorf("pattern %s at %s: %w", n.Text, n.Pos, err)
		}
		for _, a := range alternatives {
			whole := a.whole()
			p.every = p.every || whole == ".*"
			exact = exact && a.start && a.end && a.literal
			p.exact = append(p.exact, a.text)
			wholes = append(wholes, whole)
		}
	}
	if !exact {
		p.exact = nil
	}
	p.whole = strings.Join(wholes, "|")
	if p.whole == "" {
		p.whole = "(?:)" // an empty expression means every value
	}
	if _, err := regexp.Compile(p.whole); err != nil {
		return nil, fmt.Errorf("parameter-map %s at %s: %w", m.Name, m.Pos, err)
	}
	return p, nil
}

func unquoted(s string) string {
	if n := len(s); n > 1 && s[0] == '"' && s[n-1] == '"' {
		return s[1 : n-1]
	}
	return s
}

// An alternative is one branch of a pattern as the items that follow each
// other in it.
type alternative struct {
	items      []string
	start, end bool
	// literal says that text is all that the items match.
	literal bool
	text    string
}

// whole gives the expression for the whole value.
func (a *alternative) whole() string {
	items := a.items
	if !a.start && (len(items) == 0 || items[0] != ".*") {
		items = slices.Concat([]string{".*"}, items)
	}
	if !a.end && (len(items) == 0 || items[len(items)-1] != ".*") {
		items = slices.Concat(items, []string{".*"})
	}
	return strings.Join(items, "")
}

// A regexReader reads one pattern.
type regexReader struct {
	text  string
	at    int
	depth int
}

func (r *regexReader) more() bool { return r.at < len(r.text) }

func (r *regexReader) peek() byte { return r.text[r.at] }

func (r *regexReader) read() ([]*alternative, error) {
	out, err := r.alternatives()
	if err == nil && r.more() {
		err = fmt.Errorf("unexpected )")
	}
	return out, err
}

// maxDepth bounds how deep parentheses may stand in each other.
const maxDepth = 50

func (r *regexReader) alternatives() (out []*alternative, err error) {
	if r.depth > maxDepth {
		return nil, fmt.Errorf("more than %d parentheses in each other", maxDepth)
	}
	for {
		a, err := r.alternative()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		if !r.more() || r.peek() != '|' {
			return out, nil
		}
		r.at++
	}
}

func (r *regexReader) alternative() (*alternative, error) {
	a := &alternative{literal: true}
	for first := true; r.more() && r.peek() != '|' && r.peek() != ')'; first = false {
		switch c := r.peek(); {
		case (c == '^' || c == '$') && r.depth > 0:
			return nil, fmt.Errorf("%c in parentheses is not supported", c)
		case c == '^' && first:
			a.start = true
			r.at++
		case c == '$' && (r.at+1 == len(r.text) || r.text[r.at+1] == '|'):
			a.end = true
			r.at++
		case c == '^' || c == '$':
			return nil, fmt.Errorf("%c in the middle is not supported; write \\%c for the letter", c, c)
		default:
			if err := r.item(a); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// item reads an atom with its quantifier.
func (r *regexReader) item(a *alternative) error {
	text, letter, err := r.atom()
	if err != nil {
		return err
	}
	quantifier, err := r.quantifier()
	if err != nil {
		return err
	}
	if letter < 0 || quantifier != "" {
		a.literal = false
	} else {
		a.text += string(rune(letter))
	}
	a.items = append(a.items, text+quantifier)
	return nil
}

// atom gives what is repeated or stands for itself; letter is -1 unless it is
// one letter.
func (r *regexReader) atom() (text string, letter int, err error) {
	c := r.peek()
	r.at++
	switch {
	case c == '.':
		return ".", -1, nil
	case c == '(':
		text, err = r.group()
		return text, -1, err
	case c == '[':
		text, err = r.class()
		return text, -1, err
	case c == '\\':
		letter, err = r.escape()
	case strings.IndexByte(`*+?{"`, c) >= 0:
		err = fmt.Errorf("unexpected %c; write \\%c for the letter", c, c)
	default:
		letter, err = asciiLetter(c)
	}
	return regexp.QuoteMeta(string(rune(letter))), letter, err
}

// asciiLetter gives a letter; both sides see bytes, which are letters in ASCII alone.
func asciiLetter(c byte) (int, error) {
	if c < ' ' || c > '~' {
		return 0, fmt.Errorf("letters outside of ASCII are not supported")
	}
	return int(c), nil
}

func (r *regexReader) group() (string, error) {
	if r.more() && r.peek() == '?' {
		return "", fmt.Errorf("unexpected ? behind (")
	}
	r.depth++
	alternatives, err := r.alternatives()
	r.depth--
	switch {
	case err != nil:
		return "", err
	case !r.more():
		return "", fmt.Errorf("( without )")
	}
	r.at++
	var parts []string
	for _, a := range alternatives {
		parts = append(parts, strings.Join(a.items, ""))
	}
	return "(?:" + strings.Join(parts, "|") + ")", nil
}

// escape reads what stands behind a backslash.
func (r *regexReader) escape() (int, error) {
	if !r.more() {
		return 0, fmt.Errorf("nothing behind \\")
	}
	c := r.peek()
	r.at++
	switch {
	case c == 'x':
		return r.number(16, 2)
	case c >= '0' && c <= '7':
		r.at--
		return r.number(8, 3)
	case strings.IndexByte("rntf", c) >= 0:
		return int(map[byte]byte{'r': '\r', 'n': '\n', 't': '\t', 'f': '\f'}[c]), nil
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '8' && c <= '9':
		return 0, fmt.Errorf("\\%c is not supported", c)
	}
	return asciiLetter(c)
}

// number reads a letter's code: exactly so many digits.
func (r *regexReader) number(base, digits int) (v int, err error) {
	for range digits {
		d := -1
		if r.more() {
			d = strings.IndexByte("0123456789abcdef"[:base], strings.ToLower(r.text[r.at : r.at+1])[0])
		}
		if d < 0 {
			return 0, fmt.Errorf("want %d digits of base %d behind \\", digits, base)
		}
		v = v*base + d
		r.at++
	}
	if v == 0 || v > '~' {
		return 0, fmt.Errorf("letters outside of ASCII are not supported")
	}
	return v, nil
}

// class reads what stands in brackets.
func (r *regexReader) class() (string, error) {
	out := "["
	if r.more() && r.peek() == '^' {
		out, r.at = "[^", r.at+1
	}
	for first := true; ; first = false {
		switch {
		case !r.more():
			return "", fmt.Errorf("[ without ]")
		case r.peek() == ']' && first:
			return "", fmt.Errorf("nothing in brackets; write \\] for the letter")
		case r.peek() == ']':
			r.at++
			return out + "]", nil
		}
		low, err := r.member(first)
		if err != nil {
			return "", err
		}
		out += inClass(low)
		if strings.HasPrefix(r.text[r.at:], "-") && !strings.HasPrefix(r.text[r.at:], "-]") {
			r.at++
			high, err := r.member(true)
			if err != nil {
				return "", err
			}
			if high < low {
				return "", fmt.Errorf("a range in brackets from %c down to %c", low, high)
			}
			out += "-" + inClass(high)
		}
	}
}

// member reads one letter in brackets. A dash stands for itself at both ends.
func (r *regexReader) member(dash bool) (int, error) {
	if !r.more() {
		return 0, fmt.Errorf("[ without ]")
	}
	c := r.peek()
	r.at++
	switch {
	case c == '\\':
		return r.escape()
	case c == '[':
		return 0, fmt.Errorf("[ in brackets is not supported; write \\[ for the letter")
	case c == '-' && !dash && r.more() && r.peek() != ']':
		return 0, fmt.Errorf("- in the middle of brackets; write \\- for the letter")
	}
	return asciiLetter(c)
}

// inClass writes a letter that stands in brackets.
func inClass(c int) string {
	if strings.ContainsRune(`\]^-[`, rune(c)) {
		return `\` + string(rune(c))
	}
	return string(rune(c))
}

var repeat = regexp.MustCompile(`^\{[0-9]{1,3}(,[0-9]{0,3})?\}`)

// quantifier reads how often the atom comes; empty is once.
func (r *regexReader) quantifier() (string, error) {
	out := repeat.FindString(r.text[r.at:])
	if out == "" && r.more() && strings.IndexByte("*+?", r.peek()) >= 0 {
		out = r.text[r.at : r.at+1]
	}
	r.at += len(out)
	if out != "" && r.more() && strings.IndexByte("*+?{", r.peek()) >= 0 {
		return "", fmt.Errorf("unexpected %c behind %s", r.peek(), out)
	}
	return out, nil
}
