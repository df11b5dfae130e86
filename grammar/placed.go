package grammar

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// This file edits lists in which every line has a number of its own, a remark
// too: those of NX-OS and IOS-XR. Entries are sorted by their numbers.

// place puts an entry into the list, at the end when seq is 0.
func (l *line) place(a *ACL, seq uint32, e *Entry) error {
	s := spellings[a.Dialect]
	next := uint64(seq)
	if seq == 0 {
		next = a.next()
	}
	if next > s.maxSeq {
		return l.semantic(l.pos, "Exceeded maximum sequence number.")
	}
	e.Seq, e.Pos, e.Text = uint32(next), l.pos, l.text
	i := a.find(e.Seq)
	switch {
	case i == len(a.Entries) || a.Entries[i].Seq != e.Seq:
		a.Entries = slices.Insert(a.Entries, i, e)
	case a.entryText(a.Entries[i]) == a.entryText(e):
		l.notice(l.pos, NoEffect, "the list has this line already")
	case s.replaces:
		l.notice(l.pos, Replaced, "takes the place of "+a.entryText(a.Entries[i]))
		a.Entries[i] = e
	default:
		return l.semantic(l.pos, fmt.Sprintf("Sequence number %d is already in use", e.Seq))
	}
	return nil
}

// placeOrRemove is place for a line, or with "no" the removal of the line that
// says the same; of several the one with the lowest number goes.
func (l *line) placeOrRemove(sequence lexer.Token, e *Entry) error {
	a, seq := l.acl, seqOf(sequence)
	if !l.no {
		return l.place(a, seq, e)
	}
	from, to := 0, len(a.Entries)
	if seq != 0 {
		from = a.find(seq)
		to = min(from+1, to)
	}
	for i, old := range a.Entries[from:to] {
		if (seq == 0 || old.Seq == seq) && old.says(e) {
			a.Entries = slices.Delete(a.Entries, from+i, from+i+1)
			return nil
		}
	}
	l.notice(l.pos, NoEffect, "the list has no such line")
	return nil
}

// says reports whether two entries are the same but for their numbers.
func (e *Entry) says(o *Entry) bool {
	if e.ACE == nil || o.ACE == nil {
		return e.ACE == o.ACE && e.Remark == o.Remark
	}
	a, b := e.ACE, o.ACE
	if a.Action != b.Action || a.Source.Addr != b.Source.Addr || a.Destination.Addr != b.Destination.Addr {
		return false // most entries need no text
	}
	return a.String() == b.String()
}

type placedRemark struct {
	Sequence lexer.Token `parser:"@EntryNumber?"`
	Text     lexer.Token `parser:"'remark' @Text"`
}

func (l *line) placedRemark(n *placedRemark) error {
	if len(n.Text.Value) > maxRemark {
		return l.invalid(at(n.Text), "a remark has at most 100 characters")
	}
	return l.placeOrRemove(n.Sequence, &Entry{Remark: n.Text.Value})
}

type placedNumber struct {
	Sequence lexer.Token `parser:"@EntryNumber"`
}

func (l *line) removePlaced(n *placedNumber) error {
	seq := seqOf(n.Sequence)
	i := l.acl.find(seq)
	if i == len(l.acl.Entries) || l.acl.Entries[i].Seq != seq {
		l.notice(l.pos, NoEffect, fmt.Sprintf("the list has no entry %d", seq))
		return nil
	}
	l.acl.Entries = slices.Delete(l.acl.Entries, i, i+1)
	return nil
}

// renumber gives the lines the numbers from start in steps. It changes nothing
// when they would grow too high.
func (l *line) renumber(a *ACL, start, step uint64) error {
	if n := uint64(len(a.Entries)); n > 0 && start+(n-1)*step > spellings[a.Dialect].maxSeq {
		return l.semantic(l.pos, "Exceeded maximum sequence number.")
	}
	out := make([]*Entry, len(a.Entries))
	for i, e := range a.Entries {
		out[i] = e.withSeq(uint32(start + uint64(i)*step))
	}
	a.Entries = out
	return nil
}

// placedList enters a list, or removes it.
func (l *line) placedList(t lexer.Token, kind ACLKind, mode Mode) error {
	a := l.Config.list(t.Value, kind)
	switch {
	case l.no:
		return l.removeACL(t.Value, kind)
	case a == nil:
		a = &ACL{Kind: kind, Dialect: l.Config.Dialect, Name: t.Value, Pos: at(t)}
		l.Config.ACLs = append(l.Config.ACLs, a)
	case a.Kind != kind:
		return l.semantic(at(t), fmt.Sprintf("An access-list of the other family has the name %s", t.Value))
	}
	l.enter(mode)
	l.acl = a
	return nil
}

// clauses are the words of an ACE by their parts; those that it lacks are
// empty.
type clauses struct {
	action, protocol   lexer.Token
	from, to           []lexer.Token
	fromPorts, toPorts []lexer.Token
	// message is an ICMP type and code, or an IGMP type.
	message []lexer.Token
	options [][]lexer.Token
}

// assemble gives the words of an ACE their meaning.
func (l *line) assemble(kind ACLKind, c clauses) (ace *ACE, err error) {
	s := spellings[l.Config.Dialect]
	ace = &ACE{Kind: kind, Dialect: l.Config.Dialect, Pos: at(c.action), Action: action(c.action)}
	protocols, icmp := s.protocols, icmpTypes
	if kind.IsIPv6() {
		protocols, icmp = s.protocols6, s.icmp6
	}
	ace.Protocol = protocol(c.protocol, protocols)
	ports := s.portNames(ace.Protocol)
	if ace.SourcePorts, err = l.placedCompare(c.fromPorts, ports); err != nil {
		return nil, err
	}
	if ace.DestinationPorts, err = l.placedCompare(c.toPorts, ports); err != nil {
		return nil, err
	}
	ace.Source, ace.Destination = l.placedAddress(c.from, kind), l.placedAddress(c.to, kind)
	if len(c.message) > 0 && ace.Protocol.Number == protoIGMP {
		// What the device means by a number is not known, so that a name has
		// none.
		ace.Extra = append(ace.Extra, name(c.message[0]))
	} else {
		ace.ICMP = icmpMatch(c.message, icmp)
	}
	for _, o := range c.options {
		if err := l.placedOption(ace, o); err != nil {
			return nil, err
		}
	}
	return ace, l.check(ace)
}

func (l *line) placedCompare(words []lexer.Token, names *table) (Compare, error) {
	if len(words) == 0 {
		return Compare{}, nil
	}
	if words[0].Value == spellings[l.Config.Dialect].portGroup {
		return Compare{Op: InGroup, Pos: at(words[0]), Group: name(words[1])}, nil
	}
	return l.compare(words, names)
}

func (l *line) placedAddress(words []lexer.Token, kind ACLKind) Address {
	switch first := words[0]; {
	case len(words) == 1 && first.Type != keywordType && !kind.IsIPv6():
		return l.prefixAddress(first)
	case first.Value == spellings[l.Config.Dialect].addressGroup:
		return Address{Kind: AddressGroup, Pos: at(first), Group: name(words[1])}
	case first.Value == "interface":
		return Address{Kind: InterfaceAddress, Pos: at(first), Group: name(words[1])}
	}
	return l.address(words, kind)
}

// prefixAddress gives A/LEN, which is printed so.
func (l *line) prefixAddress(t lexer.Token) Address {
	text, length, _ := strings.Cut(t.Value, "/")
	addr, _ := parseIPv4(text)
	n, _ := number(length)
	a := l.normalise(Address{Kind: MaskedAddress, Pos: at(t), Addr: addr, Wildcard: wildcard4(int(n))})
	a.Prefix = a.Kind == MaskedAddress
	return a
}

// placedOption sets an option of an ACE.
func (l *line) placedOption(ace *ACE, words []lexer.Token) (err error) {
	first := words[0]
	switch first.Value {
	case "ack", "fin", "psh", "rst", "syn", "urg":
		return l.oneFlag(ace, first)
	case "established", "match-any", "match-all":
		return l.flags(ace, words)
	case "log", "log-input", "fragments", "time-range", "flow-label":
		return l.option(ace, words)
	case "dscp", "precedence":
		if words = withoutEq(words); len(words) == 2 {
			return l.option(ace, words)
		}
	case "ttl":
		if ace.TTL.Op != 0 {
			return l.twice(first)
		}
		if len(words) == 2 {
			words = slices.Insert(slices.Clone(words), 1, lexer.Token{Value: "eq", Pos: first.Pos})
		}
		ace.TTL, err = l.compare(words[1:], noPorts)
		return err
	}
	return l.extraOption(ace, words)
}

// withoutEq takes the operator away that may be left out.
func withoutEq(words []lexer.Token) []lexer.Token {
	if words[1].Value == "eq" {
		return append(words[:1:1], words[2:]...)
	}
	return words
}

// oneFlag adds a flag to those of which one must be set.
func (l *line) oneFlag(ace *ACE, t lexer.Token) error {
	if ace.Flags == nil {
		ace.Flags = &TCPFlags{Match: AnySet, Pos: at(t)}
	}
	if ace.Flags.Match != AnySet {
		return l.twice(t)
	}
	return l.flagWords(ace.Flags, []lexer.Token{t})
}

// repeatable are options that a line may have with other values again.
var repeatable = map[string]bool{"set": true, "udf": true}

// extraOption stores an option that has no field of its own.
func (l *line) extraOption(ace *ACE, words []lexer.Token) error {
	n := Name{Text: wordsOf(words), Pos: at(words[0])}
	for _, e := range ace.Extra {
		if e.Text == n.Text || firstOfText(e.Text) == words[0].Value && !repeatable[words[0].Value] {
			return l.twice(words[0])
		}
	}
	ace.Extra = append(ace.Extra, n)
	return nil
}

func firstOfText(text string) string { return string(firstOf([]byte(text))) }

// numberedClasses are the arguments of lists whose lines have numbers.
var numberedClasses = []*class{
	{name: "EntryNumber", what: "a sequence number", rows: rows("<1-4294967295>"), accepts: between(1, 4294967295)},
	{name: "FilterName", what: "a list", rows: rows("WORD"), accepts: isFilterName, free: true, space: "access-list", defined: aclNames(Extended)},
	{name: "FilterName6", what: "a list", rows: rows("WORD"), accepts: isFilterName, free: true, space: "access-list", defined: aclNames(IPv6)},
	{name: "SomePort", what: "a port", rows: rows("<0-65535>"), names: somePorts.rows(), accepts: between(0, 65535)},
}

// isFilterName accepts what is a name of at most 64 characters.
func isFilterName(s string) bool { return isName(s) && len(s) <= maxGroupName }

// somePorts are the names of ports where the protocol is not known; they print
// as numbers.
var somePorts = func() *table {
	t := newTable(append(append([]tableRow{}, tcpPorts.entries...), udpPorts.entries...)...)
	t.byValue = nil
	return t
}()
