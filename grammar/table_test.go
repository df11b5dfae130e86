package grammar

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tables of testdata/language list every construct of a dialect. A section
// starts with
//
//	## construct | state | remark
//
// and holds examples with empty lines between them; "#" starts a comment. An
// example is configuration, each line of which must be accepted below the lines
// that it is indented under, and print back to an equivalent line. {a,b} stands
// for one line with each word, and {tcp} for one line with each word of a table
// of names. An example with lines that start with ">" is read as a whole and
// prints exactly those lines.
//
// A section of names starts with
//
//	@ table: context; line with * for the name
//
// and holds "word number" pairs with commas between them. "word number = other"
// says that the word is printed as another, and "3/1" is an ICMP type and code.
type languageTable struct {
	dialect  Dialect
	sections []*tableSection
	names    map[string]*nameTable
}

// tableSection is a construct with its examples.
type tableSection struct {
	file, construct, state, remark string
	line                           int
	examples                       []example
	names                          *nameTable
}

// example is a piece of configuration; want is what it prints when that is not
// what it says.
type example struct {
	line  int
	lines []string
	want  []string
}

// nameTable is a table of names, written out from the reference.
type nameTable struct {
	name, place string
	rows        []nameRow
}

// nameRow is a word, its number, and the word that is printed for it.
type nameRow struct{ word, number, printed string }

// states are the states that a section may have: everything is enforced and
// translated; not all of it is; it is stored, printed back and reported; it has
// nothing to do with access control; it is understood, and no target takes it.
var states = []string{"supported", "partly", "kept", "skipped", "refused"}

// readTable reads the table of a dialect; nil when there is none.
func readTable(t testing.TB, d Dialect) *languageTable {
	name := filepath.Join("testdata", "language", d.String()+".txt")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := &languageTable{dialect: d, names: map[string]*nameTable{}}
	for i, line := range strings.Split(string(text), "\n") {
		if err := out.read(line, i+1); err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
	}
	for _, s := range out.sections {
		s.file = filepath.Base(name)
		s.examples = slices.DeleteFunc(s.examples, func(e example) bool { return len(e.lines) == 0 })
	}
	return out
}

func (l *languageTable) read(line string, number int) error {
	switch {
	case strings.HasPrefix(line, "## "):
		return l.readSection(line[3:], number)
	case strings.HasPrefix(line, "#"):
		return nil
	case len(l.sections) == 0 && line == "":
		return nil
	case len(l.sections) == 0:
		return fmt.Errorf("%q stands before the first section", line)
	}
	s := l.sections[len(l.sections)-1]
	e := &s.examples[len(s.examples)-1]
	switch {
	case strings.HasPrefix(line, "@ "):
		name, place, ok := strings.Cut(line[2:], ": ")
		if !ok || l.names[name] != nil {
			return fmt.Errorf("%q, want @ name: place", line)
		}
		s.names = &nameTable{name: name, place: place}
		l.names[name] = s.names
	case s.names != nil:
		return s.names.read(line)
	case strings.TrimSpace(line) == "":
		s.examples = append(s.examples, example{line: number + 1})
	case strings.HasPrefix(line, ">"):
		e.want = append(e.want, strings.TrimPrefix(line[1:], " "))
	default:
		e.lines = append(e.lines, line)
	}
	return nil
}

func (l *languageTable) readSection(head string, number int) error {
	part := strings.Split(head, " | ")
	if len(part) < 2 || len(part) > 3 || !slices.Contains(states, part[1]) {
		return fmt.Errorf("%q, want construct | state | remark", head)
	}
	s := &tableSection{construct: part[0], state: part[1], line: number, examples: []example{{line: number + 1}}}
	if len(part) > 2 {
		s.remark = part[2]
	}
	l.sections = append(l.sections, s)
	return nil
}

func (n *nameTable) read(line string) error {
	for row := range strings.SplitSeq(line, ",") {
		words := strings.Fields(row)
		switch {
		case len(words) == 0:
		case len(words) == 2:
			n.rows = append(n.rows, nameRow{words[0], words[1], words[0]})
		case len(words) == 4 && words[2] == "=":
			n.rows = append(n.rows, nameRow{words[0], words[1], words[3]})
		default:
			return fmt.Errorf("%q, want word number or word number = word", row)
		}
	}
	return nil
}

// number gives the number of a word, or the word itself.
func (n *nameTable) number(word string) string {
	if n != nil {
		for _, r := range n.rows {
			if r.word == word {
				return r.number
			}
		}
	}
	return word
}

// expand gives the lines that a line with braces stands for.
func (l *languageTable) expand(line string) []string {
	from := strings.Index(line, "{")
	to := strings.Index(line, "}")
	if from < 0 || to < from {
		return []string{line}
	}
	words := strings.Split(line[from+1:to], ",")
	if n := l.names[words[0]]; n != nil && len(words) == 1 {
		words = nil
		for _, r := range n.rows {
			words = append(words, r.word)
		}
	}
	var out []string
	for _, w := range words {
		for _, rest := range l.expand(line[to+1:]) {
			out = append(out, line[:from]+w+rest)
		}
	}
	return out
}

// cases gives, for each line of an example, the line below those that it is
// indented under.
func (l *languageTable) cases(e example) (out [][]string) {
	var above []string
	for _, line := range e.lines {
		for len(above) > 0 && indent(above[len(above)-1]) >= indent(line) {
			above = above[:len(above)-1]
		}
		all := l.expand(line)
		for _, one := range all {
			out = append(out, append(slices.Clone(above), one))
		}
		above = append(above, all[0])
	}
	return out
}

// text gives an example as a configuration.
func (l *languageTable) text(e example) string {
	var b strings.Builder
	for _, line := range e.lines {
		for _, one := range l.expand(line) {
			b.WriteString(one + "\n")
		}
	}
	return b.String()
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
