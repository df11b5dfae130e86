package shell

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"aclium/grammar"
)

// A filter is one "| OP RE" behind a command.
type filter struct {
	op string
	re *regexp.Regexp
}

// A filterOp is a word behind the bar, with its help.
type filterOp struct {
	word, help string
	// expression says that a regular expression follows.
	expression bool
}

var filterOps = []filterOp{
	{"begin", "Begin with the line that matches", true},
	{"count", "Count number of lines which match regexp", true},
	{"exclude", "Exclude lines that match", true},
	{"include", "Include lines that match", true},
	{"json", "Rows as JSON", false},
	{"no-more", "Do not stop at the end of the screen", false},
	{"section", "Filter a section of output", true},
}

const bar = " | "

// splitFilters cuts a line at the first bar that stands between blanks. Later
// bars belong to the regular expression, unless a filter's word follows them.
func splitFilters(text string, shift int) (line string, filters []filter, err error) {
	at := strings.Index(text, bar)
	if at < 0 {
		if trimmed := strings.TrimRight(text, " \t\r"); strings.HasSuffix(trimmed, " |") {
			return "", nil, incompleteFilter(text)
		}
		return text, nil, nil
	}
	line = text[:at]
	for rest := text[at+len(bar):]; ; {
		next := nextFilter(rest)
		part := rest
		if next >= 0 {
			part = rest[:next]
		}
		column := utf8.RuneCountInString(text[:len(text)-len(rest)]) + 1 + shift
		f, err := parseFilter(text, part, column)
		if err != nil {
			return "", nil, err
		}
		filters = append(filters, f)
		if next < 0 {
			return line, filters, nil
		}
		rest = rest[next+len(bar):]
	}
}

// nextFilter finds the bar of a chained filter, or -1.
func nextFilter(text string) int {
	for from := 0; ; {
		at := strings.Index(text[from:], bar)
		if at < 0 {
			return -1
		}
		at += from
		if ops := matchingOps(cutWord(text[at+len(bar):]).text); len(ops) == 1 {
			return at
		}
		from = at + 1
	}
}

func matchingOps(word string) []filterOp {
	var found []filterOp
	for _, op := range filterOps {
		if word != "" && strings.HasPrefix(op.word, strings.ToLower(word)) {
			found = append(found, op)
		}
	}
	return found
}

func parseFilter(line, text string, column int) (filter, error) {
	w := cutWord(text)
	column += w.column - 1
	ops := matchingOps(w.text)
	switch {
	case w.text == "":
		return filter{}, incompleteFilter(line)
	case len(ops) == 0:
		return filter{}, &grammar.LineError{Kind: grammar.Invalid, Column: column + sharedOp(w.text), Word: column,
			Msg: fmt.Sprintf("unexpected %q", cut(w.text, 40)), Line: line}
	case !ops[0].expression:
		return plainFilter(line, ops[0], text[w.end:], column+utf8.RuneCountInString(text[w.start:w.end]))
	}
	if blank(text[w.end:]) {
		return filter{}, incompleteFilter(line)
	}
	re, err := compileRE(strings.TrimLeft(text[w.end:], " \t"))
	if err != nil {
		return filter{}, refusal("Failed to compile regular expression.")
	}
	return filter{ops[0].word, re}, nil
}

func plainFilter(line string, op filterOp, rest string, column int) (filter, error) {
	if w := cutWord(rest); w.text != "" {
		column += w.column - 1
		return filter{}, &grammar.LineError{Kind: grammar.Invalid, Column: column, Word: column,
			Msg: fmt.Sprintf("unexpected %q", cut(w.text, 40)), Line: line}
	}
	return filter{op: op.word}, nil
}

func sharedOp(word string) int {
	all := make([]command, len(filterOps))
	for i, op := range filterOps {
		all[i].word = op.word
	}
	return shared(all, word)
}

func incompleteFilter(line string) error {
	return &grammar.LineError{Kind: grammar.Incomplete, Msg: "unexpected end of line", Line: line}
}

// compileRE compiles IOS's regular expressions, which are RE2's but for "_":
// the start or end of the line, a blank, a comma, a brace or a parenthesis.
// A literal "_" is accepted too, because names have them.
func compileRE(text string) (*regexp.Regexp, error) {
	var out strings.Builder
	class, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '[':
			class = true
		case r == ']':
			class = false
		case r == '_' && !class:
			out.WriteString(`(?:^|$|[ ,{}()_])`)
			continue
		}
		out.WriteRune(r)
	}
	return regexp.Compile(out.String())
}

// apply filters whole lines.
func (f filter) apply(text string) string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	switch f.op {
	case "begin":
		return f.begin(lines)
	case "section":
		return f.section(lines)
	case "count":
		return fmt.Sprintf("Number of lines which match regexp = %d\n", strings.Count(f.include(lines, true), "\n"))
	}
	return f.include(lines, f.op == "include")
}

func (f filter) matches(line string) bool {
	return f.re.MatchString(strings.TrimSuffix(line, "\n"))
}

func (f filter) include(lines []string, wanted bool) string {
	var out strings.Builder
	for _, line := range lines {
		if f.matches(line) == wanted {
			out.WriteString(line)
		}
	}
	return out.String()
}

func (f filter) begin(lines []string) string {
	for i, line := range lines {
		if f.matches(line) {
			return strings.Join(lines[i:], "")
		}
	}
	return ""
}

// section gives every line that matches and what is indented deeper below it.
func (f filter) section(lines []string) string {
	var out strings.Builder
	depth := -1
	for _, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if depth >= 0 && indent <= depth {
			depth = -1
		}
		if depth < 0 && f.matches(line) {
			depth = indent
		}
		if depth >= 0 {
			out.WriteString(line)
		}
	}
	return out.String()
}

// jsonText gives a command's rows, or its lines when it has none.
func jsonText(rows any, text string) (string, error) {
	if rows == nil {
		type row struct {
			Line string `json:"line"`
		}
		lines := []row{}
		for line := range strings.Lines(text) {
			lines = append(lines, row{strings.TrimSuffix(line, "\n")})
		}
		rows = lines
	}
	out, err := json.MarshalIndent(rows, "", "  ")
	return string(out) + "\n", err
}
