package grammar

import (
	"fmt"
	"slices"
	"sort"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file edits the entries of a list. Entries are sorted by sequence
// number; remarks without a number, which wait for the ACE that they are
// about, stand at the end. An Entry is shared with clones of the list, so it
// is replaced and never changed.

// seqStep is the first automatic number and the distance to the next.
const seqStep = 10

// numbered counts the entries that have a number; the rest are remarks.
func (a *ACL) numbered() int {
	n := len(a.Entries)
	if n == 0 || a.Entries[n-1].Seq != 0 {
		return n
	}
	return sort.Search(n, func(i int) bool { return a.Entries[i].Seq == 0 })
}

// find gives the index of the first entry that has the number or a higher one.
func (a *ACL) find(seq uint32) int {
	n := a.numbered()
	if n == 0 || a.Entries[n-1].Seq < seq {
		return n
	}
	return sort.Search(n, func(i int) bool { return a.Entries[i].Seq >= seq })
}

// ace gives the ACE with the number, or nil.
func (a *ACL) ace(seq uint32) *Entry {
	if a.keys != nil && len(a.keys.late) > 0 && a.keys.late[seq] != nil {
		return a.keys.late[seq]
	}
	for i := a.find(seq); i < len(a.Entries) && a.Entries[i].Seq == seq; i++ {
		if a.Entries[i].ACE != nil {
			return a.Entries[i]
		}
	}
	return nil
}

// lastSeq is the highest sequence number of a list.
func (k ACLKind) lastSeq() uint64 {
	if k == DomainList || k == DomainList6 {
		return maxDomainSeq
	}
	return maxSeq
}

func (a *ACL) next() uint64 {
	n := a.numbered()
	if n == 0 {
		return seqStep
	}
	return uint64(a.Entries[n-1].Seq) + seqStep
}

// addACE puts an ACE into the list, at the end when seq is 0.
func (l *line) addACE(a *ACL, seq uint32, ace *ACE) error {
	e := &Entry{Seq: seq, Pos: l.pos, Text: l.text, ACE: ace}
	if l.room.late != a {
		l.settleNow()
	}
	if done, err := l.repeated(a, ace); done || err != nil {
		return err
	}
	if seq == 0 {
		next := a.next()
		if next > a.Kind.lastSeq() {
			return l.semantic(l.pos, "Exceeded maximum sequence number.")
		}
		e.Seq = uint32(next)
	} else if a.ace(seq) != nil {
		return l.semantic(l.pos, "Duplicate sequence number\n% Failed to add ace")
	}
	if err := l.covered(a, e); err != nil {
		return err
	}
	a.addKey(e)
	l.insert(a, e)
	return nil
}

// repeated handles an ACE that the list has already: an error at a prompt, as
// in IOS; a file may hold it without effect.
func (l *line) repeated(a *ACL, ace *ACE) (done bool, err error) {
	at, ok := a.same(ace)
	if !ok {
		return false, nil
	}
	msg := fmt.Sprintf("Duplicate entry exists at sequence %d", at)
	if !l.file {
		return true, l.semantic(l.pos, msg)
	}
	l.notice(l.pos, NoEffect, fmt.Sprintf("the same entry exists at sequence %d", at))
	l.about(a, at)
	return true, nil
}

// covered handles a host in a standard list that an earlier entry covers.
func (l *line) covered(a *ACL, e *Entry) error {
	if e.ACE.Kind != Standard || e.ACE.Source.Kind != HostAddress {
		return nil
	}
	at := a.keys.covering(e.ACE.Source.Addr)
	if at == 0 || at >= e.Seq {
		return nil
	}
	if !l.file {
		return l.semantic(l.pos, fmt.Sprintf("Access rule can't be configured at higher sequence num as it is part of the existing rule at sequence num %d", at))
	}
	l.notice(l.pos, NoEffect, fmt.Sprintf("the entry at sequence %d covers this host", at))
	l.about(a, at)
	return nil
}

// about says which entry the last notice is about.
func (l *line) about(a *ACL, seq uint32) {
	n := &l.notices[len(l.notices)-1]
	n.ACL, n.Seq = a.Name, seq
}

// insert puts an ACE behind the remarks of its number. Remarks that waited for
// an ACE get the number of one that is put right behind them.
func (l *line) insert(a *ACL, e *Entry) {
	n := a.numbered()
	switch {
	case n == 0 || a.Entries[n-1].Seq <= e.Seq:
		l.number(a, n, e.Seq)
		a.Entries = append(a.Entries, e)
		a.keys.waiting = map[string]bool{}
	case l.file:
		l.insertLate(a, e)
	default:
		a.Entries = slices.Insert(a.Entries, a.find(e.Seq+1), e)
	}
}

// number gives the remarks from an index on a number. One that stands there
// already is not put a second time.
func (l *line) number(a *ACL, from int, seq uint32) {
	first, out := from, a.Entries[:from]
	for first > 0 && a.Entries[first-1].Seq == seq {
		first--
	}
	for _, e := range a.Entries[from:] {
		if a.hasRemark(first, len(out), e.Remark) {
			l.notice(e.Pos, NoEffect, "the entry has this remark already")
			continue
		}
		out = append(out, e.withSeq(seq))
	}
	a.Entries = out
}

func (e *Entry) withSeq(seq uint32) *Entry {
	d := *e
	d.Seq = seq
	return &d
}

// addRemark puts a remark in front of the ACE with the number, or at the end.
func (l *line) addRemark(a *ACL, seq uint32, text lexer.Token) error {
	if len(text.Value) > maxRemark {
		return l.invalid(at(text), "a remark has at most 100 characters")
	}
	e := &Entry{Seq: seq, Pos: l.pos, Text: l.text, Remark: text.Value}
	if seq == 0 {
		if a.built().waiting[e.Remark] {
			return l.repeatedRemark()
		}
		a.addKey(e)
		a.Entries = append(a.Entries, e)
		return nil
	}
	first := a.find(seq)
	i := first
	for i < len(a.Entries) && a.Entries[i].Seq == seq && a.Entries[i].ACE == nil {
		i++
	}
	if a.hasRemark(first, i, text.Value) {
		return l.repeatedRemark()
	}
	a.Entries = slices.Insert(a.Entries, i, e)
	return nil
}

// maxRemark is the length of a remark in IOS.
const maxRemark = 100

func (a *ACL) hasRemark(from, to int, text string) bool {
	for _, e := range a.Entries[from:to] {
		if e.Remark == text {
			return true
		}
	}
	return false
}

func (l *line) repeatedRemark() error {
	if !l.file {
		return l.fail(Bare, l.pos, "Duplicate remark statement")
	}
	l.notice(l.pos, NoEffect, "the entry has this remark already")
	return nil
}

// removeACE removes an entry by what it says; seq restricts it unless it is 0.
func (l *line) removeACE(a *ACL, seq uint32, ace *ACE) error {
	if a == nil {
		l.notice(l.pos, NoEffect, "there is no such access-list")
		return nil
	}
	l.settleNow()
	at, ok := a.same(ace)
	if !ok || seq != 0 && at != seq {
		l.notice(l.pos, NoEffect, "the list has no such entry")
		return nil
	}
	return l.removeSequence(a, at)
}

// removeSequence removes the ACE with the number and its remarks.
func (l *line) removeSequence(a *ACL, seq uint32) error {
	from := a.find(seq)
	to := from
	for to < len(a.Entries) && a.Entries[to].Seq == seq {
		to++
	}
	if from == to {
		l.notice(l.pos, NoEffect, fmt.Sprintf("the list has no entry %d", seq))
		return nil
	}
	for _, e := range a.Entries[from:to] {
		a.removeKey(e)
	}
	a.Entries = slices.Delete(a.Entries, from, to)
	return nil
}

func (l *line) removeRemark(a *ACL, seq uint32, text string) error {
	if a != nil {
		for i, e := range a.Entries {
			if e.ACE == nil && e.Remark == text && (seq == 0 || e.Seq == seq) {
				a.removeKey(e)
				a.Entries = slices.Delete(a.Entries, i, i+1)
				return nil
			}
		}
	}
	l.notice(l.pos, NoEffect, "the list has no such remark")
	return nil
}

func (l *line) resequence(n *resequence) error {
	a := l.Config.ACL(listNumber(n.Name))
	if a == nil || a.Kind.IsIPv6() {
		return l.semantic(at(n.Name), "Access-list "+n.Name.Value+" does not exist")
	}
	if !a.resequence(uint64(seqOf(n.Start)), uint64(seqOf(n.Step))) {
		return l.semantic(l.pos, "Exceeded maximum sequence number.")
	}
	return nil
}

// resequence renumbers the ACEs; a remark goes with the ACE behind it. It
// changes nothing when the numbers would grow too high.
func (a *ACL) resequence(start, step uint64) bool {
	out := make([]*Entry, 0, len(a.Entries))
	seq := start
	for i, e := range a.Entries {
		if e.ACE == nil && !a.followed(i) {
			out = append(out, e.withSeq(0))
			continue
		}
		if seq > a.Kind.lastSeq() {
			return false
		}
		out = append(out, e.withSeq(uint32(seq)))
		if e.ACE != nil {
			seq += step
		}
	}
	a.Entries, a.keys = out, nil
	return true
}

// followed reports whether an ACE stands behind the remark.
func (a *ACL) followed(i int) bool {
	for n := a.numbered(); i < n; i++ {
		if a.Entries[i].ACE != nil {
			return true
		}
	}
	return false
}

// without gives the slice without an element.
func without[T any](all []*T, e *T) []*T {
	i := slices.Index(all, e)
	return slices.Delete(slices.Clone(all), i, i+1)
}
