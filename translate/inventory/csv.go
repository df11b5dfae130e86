package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"aclium/translate/policy"
)

// columns are those of a CSV file, in any order; the address must be there.
var columns = []string{"address", "namespace", "labels", "name"}

// A table reads a CSV file. Rows with the same name or, where they have none,
// with the same pods describe one workload.
type table struct {
	*builder
	name  string
	text  []byte
	lines [][]byte
	csv   *csv.Reader
	// column gives the index of each column's field, or -1.
	column map[string]int
	// unnamed holds the workloads that have a name of their selector only.
	unnamed map[int]bool
}

func readCSV(name string, text []byte) (*Inventory, error) {
	t := &table{builder: newBuilder(), name: name, text: text, csv: csv.NewReader(bytes.NewReader(text)), unnamed: map[int]bool{}}
	t.csv.Comment, t.csv.TrimLeadingSpace, t.csv.ReuseRecord = '#', true, true
	if !t.header() {
		return nil, t.errors.Err()
	}
	for {
		row, err := t.csv.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return t.finish()
		case errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount):
			t.errors.fail(t.place(bad.Line, bad.Column), "%d fields in this row, want %d as in the header", len(row), len(t.column))
		case err != nil:
			t.unreadable(err)
			return nil, t.errors.Err()
		default:
			t.row(row)
		}
	}
}

// unreadable reports what keeps the rest of the file from being understood.
func (t *table) unreadable(err error) {
	at, reason := policy.Source{File: t.name, Line: 1, Column: 1}, err
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		at, reason = t.place(bad.Line, bad.Column), bad.Err
	}
	t.errors.fail(at, "%v, want rows of %s", reason, strings.Join(columns, ", "))
}

// header reads the first row; false when the rest makes no sense without it.
func (t *table) header() bool {
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		t.errors.fail(policy.Source{File: t.name, Line: 1, Column: 1}, "the file is empty, want a header with the columns %s", strings.Join(columns, ", "))
		return false
	}
	if err != nil {
		t.unreadable(err)
		return false
	}
	t.column = map[string]int{}
	for i, cell := range row {
		word := strings.ToLower(strings.TrimSpace(cell))
		_, twice := t.column[word]
		switch {
		case !slices.Contains(columns, word):
			t.errors.fail(t.field(i), "unknown column %q, want %s, with commas between them", cell, strings.Join(columns, ", "))
		case twice:
			t.errors.fail(t.field(i), "column %s is there twice", word)
		}
		t.column[word] = i
	}
	if _, ok := t.column["address"]; !ok && len(t.errors) == 0 {
		t.errors.fail(t.field(0), "no column address, want the columns %s", strings.Join(columns, ", "))
	}
	return len(t.errors) == 0
}

// cell gives a row's field of a column with its index; -1 when there is no
// such column.
func (t *table) cell(row []string, column string) (string, int) {
	i, ok := t.column[column]
	if !ok {
		return "", -1
	}
	return strings.TrimSpace(row[i]), i
}

func (t *table) row(row []string) {
	s, ok := t.selector(row)
	text, i := t.cell(row, "address")
	r, err := parseRange(text)
	if err != nil {
		t.errors.fail(t.field(i), "%v", err)
	}
	if !ok || err != nil {
		return
	}
	name, k := t.cell(row, "name")
	if owner, ok := t.owner(name, s, t.field(max(k, 0))); ok {
		t.claim(owner, r, t.field(i))
	}
}

// selector gives the pods that a row speaks of.
func (t *table) selector(row []string) (s policy.Selector, ok bool) {
	namespace, n := t.cell(row, "namespace")
	if namespace != "" {
		if err := checkNamespace(namespace); err != nil {
			t.errors.fail(t.field(n), "%v", err)
			return nil, false
		}
		s = append(s, equals(policy.NamespaceKey, namespace))
	}
	labels, l := t.cell(row, "labels")
	terms, err := parseTerms(strings.TrimSuffix(labels, ";"), ';')
	if err != nil {
		t.errors.fail(t.field(l), "%v", err)
		return nil, false
	}
	if s = append(s, terms...); len(s) == 0 {
		t.errors.fail(t.field(0), "the row has no namespace and no labels, want at least one")
		return nil, false
	}
	return canonicalSelector(s), true
}

// owner finds or makes the workload of a row.
func (t *table) owner(name string, s policy.Selector, at policy.Source) (int, bool) {
	i, same := t.selected[s.String()]
	k, known := t.named[name]
	switch {
	case name != "" && known && (!same || k != i):
		w := &t.out.Workloads[k]
		t.errors.fail(at, "workload %s is %s here and %s at %s", name, s, w.Selector, w.Source)
		return 0, false
	case same && (name == "" || t.out.Workloads[i].Name == name):
		return i, true
	case same && t.unnamed[i]:
		delete(t.named, t.out.Workloads[i].Name)
		delete(t.unnamed, i)
		t.out.Workloads[i].Name, t.named[name] = name, i
		return i, true
	}
	given := name != ""
	if !given {
		name = nameOf(s)
	}
	i, ok := t.workload(name, s, at)
	if ok && !given {
		t.unnamed[i] = true
	}
	return i, ok
}

// nameOf makes a name of one word out of a selector.
func nameOf(s policy.Selector) string {
	var parts []string
	prefix := ""
	for _, term := range s {
		if term.Key == policy.NamespaceKey && term.Op == policy.In && len(term.Values) == 1 {
			prefix = term.Values[0]
			continue
		}
		parts = append(parts, strings.ReplaceAll(term.String(), " ", "-"))
	}
	switch {
	case prefix == "":
		return strings.Join(parts, ",")
	case len(parts) == 0:
		return prefix
	}
	return fmt.Sprintf("%s/%s", prefix, strings.Join(parts, ","))
}

// field gives the place of a field of the row that was read last.
func (t *table) field(i int) policy.Source {
	line, column := t.csv.FieldPos(max(i, 0))
	return t.place(line, column)
}

// place turns a column of bytes into one of runes.
func (t *table) place(line, column int) policy.Source {
	if t.lines == nil {
		t.lines = bytes.Split(t.text, []byte("\n"))
	}
	at := policy.Source{File: t.name, Line: line, Column: max(column, 1)}
	if line >= 1 && line <= len(t.lines) {
		before := t.lines[line-1]
		at.Column = utf8.RuneCount(before[:min(max(column-1, 0), len(before))]) + 1
	}
	return at
}
