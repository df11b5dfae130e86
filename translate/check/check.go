package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate"
)

// A Kind is what is wrong with a line.
type Kind string

// The kinds. The packets of a Shadowed line are all decided by lines before it,
// some of them the other way; those of a Contradictory one by one line with
// exactly the same packets and the opposite action. A Redundant line can go:
// other lines decide its packets as it does. All redundant lines of a file can
// go together. An Unbound list is one that nothing uses.
const (
	Syntax        Kind = "syntax"
	Unknown       Kind = "unknown"
	Unsupported   Kind = "unsupported"
	Mask          Kind = "mask"
	Undefined     Kind = "undefined"
	Unused        Kind = "unused"
	Unbound       Kind = "unbound"
	Shadowed      Kind = "shadowed"
	Redundant     Kind = "redundant"
	Contradictory Kind = "contradictory"
	NeverMatches  Kind = "never-matches"
)

// A Finding is one thing that is wrong with one line.
type Finding struct {
	File string `json:"file"`
	// Line and Column count from 1; Column counts runes.
	Line   int `json:"line"`
	Column int `json:"column"`
	// ACL and Seq are empty and 0 where the line is no entry of a list.
	ACL  string `json:"acl"`
	Seq  uint32 `json:"seq"`
	Kind Kind   `json:"kind"`
	// Message is lower case without a period.
	Message string `json:"message"`
	// Blockers are the lines to blame, in their order; never nil.
	Blockers []Blocker `json:"blockers"`
	// Text is the line as it was typed; empty when it is not known.
	Text string `json:"-"`
}

// A Blocker is a line that makes another one useless.
type Blocker struct {
	File string `json:"file"`
	Line int    `json:"line"`
	ACL  string `json:"acl"`
	Seq  uint32 `json:"seq"`
	// Text is the line as it was typed.
	Text string `json:"-"`
}

// File gives the findings of one configuration in the order of its lines. It
// takes what the parser gives: the notices, and as err the mistakes, whose
// lines are not in the configuration. An err that is no grammar.ErrorList is
// not looked at.
func File(c *grammar.Config, notices []grammar.Notice, err error) []Finding {
	f := &finder{config: c, meaning: translate.MeaningOf(c), shown: map[int]string{}}
	errors.As(err, &f.mistakes)
	f.checkSyntax()
	f.checkLists()
	f.checkNames()
	f.checkGroups()
	f.checkNotices(notices)
	slices.SortStableFunc(f.findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return f.findings
}

// A finder is one run of File.
type finder struct {
	config   *grammar.Config
	meaning  *translate.Meaning
	mistakes grammar.ErrorList
	findings []Finding
	// shown holds, by line, the message of what was said of an entry.
	shown map[int]string
}

func (f *finder) say(pos grammar.Position, text string, kind Kind, format string, args ...any) *Finding {
	f.findings = append(f.findings, Finding{
		File: pos.File, Line: pos.Line, Column: pos.Column, Kind: kind, Message: fmt.Sprintf(format, args...), Blockers: []Blocker{}, Text: text,
	})
	return &f.findings[len(f.findings)-1]
}

func (f *finder) checkSyntax() {
	for _, e := range f.mistakes {
		f.say(e.Pos, e.Text, Syntax, "%s", e.Msg)
	}
}

// checkGroups reports what the object-groups do wrong beside names that are not
// defined, of which checkNames has spoken.
func (f *finder) checkGroups() {
	said := map[grammar.Position]bool{}
	for _, g := range f.findings {
		said[grammar.Position{File: g.File, Line: g.Line, Column: g.Column}] = true
	}
	for _, e := range f.meaning.Mistakes() {
		if !said[e.Pos] {
			f.say(e.Pos, f.textAt(e.Pos), Undefined, "%s", e.Msg)
		}
	}
}

// textAt gives the text of an entry or a member at a line.
func (f *finder) textAt(pos grammar.Position) string {
	for _, g := range f.config.ObjectGroups {
		for _, m := range g.Members {
			if m.Pos.Line == pos.Line {
				return m.Text
			}
		}
	}
	for _, a := range f.config.ACLs {
		for _, e := range a.Entries {
			if e.Pos.Line == pos.Line {
				return e.Text
			}
		}
	}
	return ""
}

// kindOf gives the kind of a notice; empty for what is no finding: lines of
// other things, and lines that were stored in another form.
func (f *finder) kindOf(n *grammar.Notice, unread map[grammar.Position]bool) Kind {
	switch n.State {
	case grammar.Unsupported:
		if unread[n.Pos] {
			return Unknown
		}
		return Unsupported
	case grammar.Suspicious:
		return Mask
	case grammar.NoEffect:
		return Redundant
	case grammar.Replaced, grammar.Removed:
		return Contradictory
	}
	return ""
}

// checkNotices reports what the parser has to say, as far as it is not said.
func (f *finder) checkNotices(all []grammar.Notice) {
	unread := f.unread()
	for i := range all {
		n := &all[i]
		kind := f.kindOf(n, unread)
		if kind == "" || n.ACL != "" && f.shown[n.Pos.Line] != "" {
			continue
		}
		g := f.say(n.Pos, n.Text, kind, "%s", n.Msg)
		if n.ACL != "" {
			g.ACL = n.ACL
			g.Blockers = f.entryAt(n.ACL, n.Seq)
		}
	}
}

// entryAt gives the ACE with a number as a blocker.
func (f *finder) entryAt(acl string, seq uint32) []Blocker {
	a := f.config.ACL(acl)
	if a == nil {
		return []Blocker{}
	}
	for _, e := range a.Entries {
		if e.Seq == seq && e.ACE != nil {
			return []Blocker{blockerOf(a, e)}
		}
	}
	return []Blocker{}
}

func blockerOf(a *grammar.ACL, e *grammar.Entry) Blocker {
	return Blocker{File: e.Pos.File, Line: e.Pos.Line, ACL: a.Name, Seq: e.Seq, Text: e.Text}
}

// unread gives the places of kept statements that the grammar does not know.
func (f *finder) unread() map[grammar.Position]bool {
	out := map[grammar.Position]bool{}
	eachStatement(f.config, func(s *grammar.Statement) {
		if !s.Known {
			out[s.Pos] = true
		}
	})
	return out
}
