package grammar

import (
	"slices"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file edits ASA lists. The number of an entry is its line; a line may be
// put in front of another one, and everything behind it is counted again: at
// once at a prompt, at the end of a file.

// asaLines finds the entries of a list by what they say.
type asaLines struct {
	entries map[string]*Entry
	// counted says that the numbers of the entries are right.
	counted bool
}

// lines gives the entries by what they say.
func (a *ACL) lines() *asaLines {
	if a.asa == nil {
		a.asa = &asaLines{entries: make(map[string]*Entry, len(a.Entries)), counted: true}
		for i, e := range a.Entries {
			a.asa.counted = a.asa.counted && e.Seq == uint32(i+1)
			if e.ACE != nil {
				a.asa.entries[e.ACE.asaKey()] = e
			}
		}
	}
	return a.asa
}

// asaKey is what makes two lines the same: everything but what they log and
// whether they are active.
func (a *ACE) asaKey() string {
	if !a.Inactive && !a.Log.Pos.IsValid() {
		return a.String()
	}
	d := *a
	d.Inactive, d.Log = false, Log{}
	return d.String()
}

// count numbers the lines.
func (a *ACL) count() {
	if a.lines().counted {
		return
	}
	for i, e := range a.Entries {
		if e.Seq == uint32(i+1) {
			continue
		}
		d := e.withSeq(uint32(i + 1))
		if a.Entries[i] = d; d.ACE != nil {
			a.asa.entries[d.ACE.asaKey()] = d
		}
	}
	a.asa.counted = true
}

// index gives the place of an entry. It is near its number.
func (a *ACL) index(e *Entry) int {
	if i := int(e.Seq) - 1; i < len(a.Entries) && a.Entries[i] == e {
		return i
	}
	return slices.Index(a.Entries, e)
}

// asaList gives the list of that name for a line of the kind; created says
// that it is not in the configuration yet. A list of remarks has no kind.
func (l *line) asaList(t lexer.Token, kind ACLKind) (a *ACL, created bool, err error) {
	a = l.Config.ACL(t.Value)
	switch {
	case a == nil:
		return &ACL{Kind: kind, Dialect: ASA, Name: t.Value, Pos: at(t)}, true, nil
	case a.Kind != kind && slices.ContainsFunc(a.Entries, func(e *Entry) bool { return e.ACE != nil }):
		return nil, false, l.semantic(at(t), "access-list "+a.Name+" is a list of another type")
	}
	a.Kind = kind
	return a, false, nil
}

// asaEntry puts an ACE into its list, or takes it out.
func (l *line) asaEntry(list, number lexer.Token, ace *ACE) error {
	if l.no {
		return l.removeASA(list, number, func(a *ACL) *Entry { return a.lines().entries[ace.asaKey()] })
	}
	a, created, err := l.asaList(list, ace.Kind)
	if err != nil {
		return err
	}
	e := &Entry{Pos: l.pos, Text: l.text, ACE: ace}
	if old := a.lines().entries[ace.asaKey()]; old != nil {
		l.enterAgain(a, old, e)
		return nil
	}
	l.insertASA(a, created, number, e)
	a.asa.entries[ace.asaKey()] = e
	return nil
}

// enterAgain handles an entry that the list has: what it logs and whether it
// is active are those of the later line, its place is that of the first.
func (l *line) enterAgain(a *ACL, old, e *Entry) {
	if old.ACE.String() == e.ACE.String() {
		l.notice(l.pos, NoEffect, "the list has this line already")
		l.about(a, old.Seq)
		return
	}
	l.notice(l.pos, Replaced, "takes the place of "+old.ACE.String())
	i := a.index(old)
	e.Seq = old.Seq
	a.Entries[i], a.asa.entries[e.ACE.asaKey()] = e, e
}

// insertASA puts an entry in front of the line with the number, at the end
// when there is no such line.
func (l *line) insertASA(a *ACL, created bool, number lexer.Token, e *Entry) {
	lines := a.lines()
	i := len(a.Entries)
	if number.Value != "" {
		i = min(i, int(seqOf(number))-1)
	}
	e.Seq = uint32(i + 1)
	lines.counted = lines.counted && i == len(a.Entries)
	a.Entries = slices.Insert(a.Entries, i, e)
	if created {
		l.Config.ACLs = append(l.Config.ACLs, a)
	}
	if !l.file {
		a.count()
	}
}

func (l *line) asaRemark(c *cursor) error {
	list, number := c.asaStart()
	c.next()
	text := c.next()
	if l.no {
		return l.removeASA(list, number, func(a *ACL) *Entry { return a.remark(text.Value, int(seqOf(number))) })
	}
	if len(text.Value) > maxRemark {
		return l.invalid(at(text), "a remark has at most 100 characters")
	}
	kind := Extended
	if a := l.Config.ACL(list.Value); a != nil {
		kind = a.Kind
	}
	a, created, err := l.asaList(list, kind)
	if err != nil {
		return err
	}
	l.insertASA(a, created, number, &Entry{Pos: l.pos, Text: l.text, Remark: text.Value})
	return nil
}

// remark finds a remark, of several equal ones that in the line; nil when there
// is none.
func (a *ACL) remark(text string, line int) *Entry {
	is := func(e *Entry) bool { return e.ACE == nil && e.Remark == text }
	if 0 < line && line <= len(a.Entries) && is(a.Entries[line-1]) {
		return a.Entries[line-1]
	}
	if i := slices.IndexFunc(a.Entries, is); i >= 0 {
		return a.Entries[i]
	}
	return nil
}

// removeASA takes the entry out that find gives. A list without entries does
// not exist.
func (l *line) removeASA(list, number lexer.Token, find func(*ACL) *Entry) error {
	a := l.Config.ACL(list.Value)
	if a == nil {
		return l.semantic(at(list), "access-list "+list.Value+" does not exist")
	}
	e := find(a)
	if e == nil {
		l.notice(l.pos, NoEffect, "the list has no such line")
		return nil
	}
	i := a.index(e)
	if number.Value != "" && i+1 != int(seqOf(number)) {
		return l.invalid(at(number), "the line is number "+itoa(i+1))
	}
	lines := a.lines()
	if e.ACE != nil {
		delete(lines.entries, e.ACE.asaKey())
	}
	lines.counted = lines.counted && i == len(a.Entries)-1
	a.Entries = slices.Delete(a.Entries, i, i+1)
	if len(a.Entries) == 0 {
		l.Config.ACLs = without(l.Config.ACLs, a)
	}
	if !l.file {
		a.count()
	}
	return nil
}

func (l *line) clearLists(c *cursor) error {
	c.take(3)
	t := c.next()
	if t.Value == "" {
		l.Config.ACLs = nil
		return nil
	}
	a := l.Config.ACL(t.Value)
	if a == nil {
		return l.semantic(at(t), "access-list "+t.Value+" does not exist")
	}
	l.Config.ACLs = without(l.Config.ACLs, a)
	return nil
}

// settleASA makes the lists of an ASA what they are for all lines that have been
// read: lines are numbered, and groups that were defined behind their use are
// what they turned out to be.
func (c *Config) settleASA() {
	for _, a := range c.ACLs {
		if a.Dialect == ASA {
			a.count()
			c.settleList(a)
		}
	}
}

func (c *Config) settleList(a *ACL) {
	for i, e := range a.Entries {
		if e.ACE == nil || e.ACE.SourcePorts.Op != InGroup && e.ACE.DestinationPorts.Op != InGroup {
			continue
		}
		ace := *e.ACE
		if c.settlePorts(&ace); ace.SourcePorts.Op == e.ACE.SourcePorts.Op {
			continue
		}
		d := *e
		d.ACE = &ace
		a.Entries[i], a.asa.entries[ace.asaKey()] = &d, &d
	}
}
