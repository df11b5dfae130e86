package grammar

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// tabled are the dialects whose tables are tested.
var tabled = []Dialect{IOS, ASA, NXOS, IOSXR}

// eachSection runs a test for each section of each table.
func eachSection(t *testing.T, run func(*testing.T, *languageTable, *tableSection)) {
	for _, d := range tabled {
		table := readTable(t, d)
		for _, s := range table.sections {
			t.Run(fmt.Sprintf("%s/%s", d, s.construct), func(t *testing.T) { run(t, table, s) })
		}
	}
}

// TestTableLines holds every line to what it prints, and every section to its
// state.
func TestTableLines(t *testing.T) {
	eachSection(t, func(t *testing.T, table *languageTable, s *tableSection) {
		for _, e := range s.examples {
			if e.want != nil {
				checkWhole(t, table.dialect, s, e)
				continue
			}
			for _, lines := range table.cases(e) {
				checkCase(t, table, s, e, lines)
			}
			c, _, _ := ParseDialect(s.file, strings.NewReader(table.text(e)), table.dialect)
			checkRoundTrip(t, fmt.Sprintf("%s:%d", s.file, e.line), c)
		}
	})
}

// checkWhole reads an example and compares its text.
func checkWhole(t *testing.T, d Dialect, s *tableSection, e example) {
	t.Helper()
	where := fmt.Sprintf("%s:%d", s.file, e.line)
	c, _, err := ParseDialect(where, strings.NewReader(strings.Join(e.lines, "\n")), d)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	want := strings.TrimPrefix(strings.Join(e.want, "\n")+"\n", "\n")
	if diff := gocmp.Diff(want, strings.ReplaceAll(c.text(), "!\n", "")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", where, diff)
	}
	checkRoundTrip(t, where, c)
}

// checkCase reads a line below its headers.
func checkCase(t *testing.T, table *languageTable, s *tableSection, e example, lines []string) {
	t.Helper()
	where, text := fmt.Sprintf("%s:%d: %q", s.file, e.line, lines), strings.Join(lines, "\n")+"\n"
	c, notices, err := ParseDialect("x", strings.NewReader(text), table.dialect)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if got := stateOf(notices); got != s.state && (got != "" || s.told() && !e.heads(lines)) {
		t.Errorf("%s: state %q, want %s: %v", where, got, s.state, notices)
	}
	if s.state == "skipped" && !strings.HasPrefix(lines[0], "interface") {
		lines = nil
	} else if s.state == "skipped" {
		lines = lines[:1]
	}
	n := normaliser{table}
	want, got := n.lines(strings.Join(lines, "\n")), n.lines(c.text())
	if lost := missing(want, got); len(lost) > 0 || len(want) != len(got) {
		t.Errorf("%s prints\n%s\nwant %q\ngot  %q", where, c.text(), want, got)
	}
}

// told reports whether a notice tells the state.
func (s *tableSection) told() bool { return s.state == "kept" || s.state == "skipped" }

// heads reports whether the example has lines below the last of these.
func (e example) heads(lines []string) bool {
	at := slices.Index(e.lines, lines[len(lines)-1])
	return at >= 0 && at+1 < len(e.lines) && indent(e.lines[at+1]) > indent(e.lines[at])
}

// stateOf gives the state that notices tell; empty when they tell none.
func stateOf(notices []Notice) string {
	for _, n := range notices {
		switch n.State {
		case Unsupported:
			return "kept"
		case Skipped:
			return "skipped"
		}
	}
	return ""
}

// TestTableNames holds the tables of names to the numbers of the reference: a
// name and its number print the same word, and each name is refused where it
// means nothing.
func TestTableNames(t *testing.T) {
	eachSection(t, func(t *testing.T, table *languageTable, s *tableSection) {
		if s.names == nil {
			return
		}
		for _, r := range s.names.rows {
			want := table.printed(t, s.names, r.printed)
			for _, word := range []string{r.word, strings.ToUpper(r.word), strings.ReplaceAll(r.number, "/", " ")} {
				if got := table.printed(t, s.names, word); got != want {
					t.Errorf("%s %s prints %q, want %q", s.names.name, word, got, want)
				}
			}
			if !strings.HasSuffix(want, " "+r.printed) && !strings.Contains(want, " "+r.printed+" ") {
				t.Errorf("%s %s prints %q, want %s", s.names.name, r.word, want, r.printed)
			}
		}
		for _, other := range table.names {
			for _, r := range other.rows {
				option := slices.ContainsFunc(bareOptions, func(o string) bool { return strings.HasPrefix(o, r.word) })
				if !option && !s.names.understands(r.word) && table.accepts(s.names, r.word) {
					t.Errorf("%s of %s is accepted as %s", r.word, other.name, s.names.name)
				}
			}
		}
	})
}

// place gives the configuration with a word at the place of the table.
func (n *nameTable) config(word string) string {
	context, line, ok := strings.Cut(n.place, "; ")
	if !ok {
		context, line = "", n.place
	}
	return context + "\n " + strings.Replace(line, "*", word, 1) + "\n"
}

// printed gives the last line that is printed with the word at the place.
func (l *languageTable) printed(t *testing.T, n *nameTable, word string) string {
	t.Helper()
	c, _, err := ParseDialect("x", strings.NewReader(n.config(word)), l.dialect)
	if err != nil {
		t.Errorf("%s %s: %v", n.name, word, err)
	}
	lines := strings.Split(strings.TrimSpace(c.text()), "\n")
	return lines[len(lines)-1]
}

func (l *languageTable) accepts(n *nameTable, word string) bool {
	_, _, err := ParseDialect("x", strings.NewReader(n.config(word)), l.dialect)
	return err == nil
}

// understands reports whether the word is in the table or abbreviates one.
func (n *nameTable) understands(word string) bool {
	return slices.ContainsFunc(n.rows, func(r nameRow) bool { return strings.HasPrefix(r.word, word) })
}

// nameTables are the tables of the package, by the names that the files use.
var nameTables = map[Dialect]map[string]*table{
	IOS: {
		"tcp": tcpPorts, "udp": udpPorts, "protocol": protocols, "protocol6": protocols6, "icmp": icmpTypes, "icmp6": icmp6Types,
		"igmp": igmpTypes, "dscp": dscps, "precedence": precedences, "tos": services, "option": ipOptions,
	},
	IOSXR: {"tcp": xrTCPTable, "udp": xrUDPTable, "protocol": xrProtocols, "icmp": icmpTypes, "dscp": dscps, "precedence": precedences},
	NXOS:  {"tcp": nxosTCPPorts, "udp": nxosUDPPorts, "protocol": nxosProtocols, "icmp": icmpTypes, "dscp": dscps, "precedence": precedences},
	ASA:   {"tcp": asaTCPPorts, "udp": asaUDPPorts, "protocol": asaProtocols, "icmp": asaICMPTypes, "icmp6": asaICMP6Types},
}

// TestNoNameIsOutsideOfTheTables finds names that the reference does not have.
func TestNoNameIsOutsideOfTheTables(t *testing.T) {
	every := []string{"ip", "ipv4", "ipv6", "any-options"} // no number stands for these
	for d, tables := range nameTables {
		written := readTable(t, d)
		for name, table := range tables {
			if written.names[name] == nil {
				t.Errorf("%s: no table of %s names", d, name)
				continue
			}
			for word := range table.byWord {
				known := slices.ContainsFunc(written.names[name].rows, func(r nameRow) bool { return r.word == word })
				if !known && !slices.Contains(every, word) {
					t.Errorf("%s: %s is no %s name in the reference", d, word, name)
				}
			}
		}
	}
}

// TestTableIsUnderstood finds lines that are kept because nothing knows them.
func TestTableIsUnderstood(t *testing.T) {
	eachSection(t, func(t *testing.T, table *languageTable, s *tableSection) {
		for _, e := range s.examples {
			c, _, _ := ParseDialect(s.file, strings.NewReader(table.text(e)), table.dialect)
			for _, o := range c.Other[:c.unknown()] {
				if !strings.HasPrefix(o.Text, "arp access-list ") {
					t.Errorf("%s:%d: %q is not understood", s.file, e.line, o.Text)
				}
			}
			for _, i := range c.Interfaces {
				for _, o := range i.Other {
					if !o.Known {
						t.Errorf("%s:%d: %q is not understood", s.file, e.line, o.Text)
					}
				}
			}
		}
	})
}
