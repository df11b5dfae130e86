package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aclium/grammar"
)

// checkLists compares the lines of every list with each other.
func (f *finder) checkLists() {
	ipv4, ipv6 := newFamily(f.config, f.meaning, false, false), newFamily(f.config, f.meaning, true, false)
	both := newFamily(f.config, f.meaning, false, true)
	for _, a := range f.config.ACLs {
		in := ipv4
		switch {
		case f.config.Dialect == grammar.ASA:
			in = both
		case a.Kind.IsIPv6():
			in = ipv6
		}
		f.checkList(a, in)
	}
}

func (f *finder) checkList(a *grammar.ACL, in *family) {
	var entries []*grammar.Entry
	var lines []line
	for _, e := range a.Entries {
		if e.ACE == nil {
			continue
		}
		n := in.line(e.ACE)
		n.needed = n.needed || len(f.mistakes) > 0 || !allHarmless(a.Other) // a line that is missing here may stand between
		entries, lines = append(entries, e), append(lines, n)
	}
	if len(lines) == 0 {
		return
	}
	for i, j := range judge(in.space, lines) {
		f.report(a, entries, i, &j)
	}
}

func allHarmless(kept []*grammar.Statement) bool {
	return !slices.ContainsFunc(kept, func(s *grammar.Statement) bool { return !s.Harmless })
}

// report says what is wrong with an entry.
func (f *finder) report(a *grammar.ACL, entries []*grammar.Entry, i int, j *judgement) {
	if j.outcome == fine {
		return
	}
	e := entries[i]
	kind, message := f.words(entries, i, j)
	g := f.say(e.Pos, e.Text, kind, "%s", message)
	g.ACL, g.Seq = a.Name, e.Seq
	for _, b := range j.blockers {
		g.Blockers = append(g.Blockers, blockerOf(a, entries[b]))
	}
	f.shown[e.Pos.Line] = message
}

func (f *finder) words(entries []*grammar.Entry, i int, j *judgement) (Kind, string) {
	e := entries[i]
	names, verb := subject(entries, j.blockers)
	more := ""
	if j.fragments {
		more += "; the line still decides later fragments, which carry no ports"
	}
	switch j.outcome {
	case empty:
		return NeverMatches, "no packet matches: " + f.whyEmpty(e.ACE) + more
	case undecided:
		return Unsupported, "could not be compared with the other lines within the budget of work: it may be hidden by them or not"
	case contradictory:
		return Contradictory, fmt.Sprintf("%s %s exactly these packets before%s", names, verb(entries[j.blockers[0]].ACE.Action), more)
	case shadowed:
		return Shadowed, "never reached: " + f.shadow(entries, j, e.ACE.Action) + more
	case removable:
		if e.ACE.Log.On && slices.ContainsFunc(j.blockers, func(b int) bool { return !entries[b].ACE.Log.On }) {
			more += "; only what it logs would be missed"
		}
		return Redundant, fmt.Sprintf("can go: %s below %s its packets too%s", names, verb(e.ACE.Action), more)
	}
	if j.other >= 0 {
		o := entries[j.other]
		more += fmt.Sprintf("; line %d %s some of them before that", o.Seq, verbOf(o.ACE.Action))
	}
	return Redundant, fmt.Sprintf("%s %s all of its packets before%s", names, verb(e.ACE.Action), more)
}

// shadow says what hides a line.
func (f *finder) shadow(entries []*grammar.Entry, j *judgement, action grammar.Action) string {
	same := slices.ContainsFunc(j.blockers, func(b int) bool { return entries[b].ACE.Action == action })
	names, verb := subject(entries, j.blockers)
	if same {
		return names + " together decide all of its packets before, some of them the other way"
	}
	return fmt.Sprintf("%s %s all of its packets before", names, verb(entries[j.blockers[0]].ACE.Action))
}

// mostNamed is how many lines a message names.
const mostNamed = 5

// subject names lines, and gives the form of a verb that goes with them.
func subject(entries []*grammar.Entry, lines []int) (names string, verb func(grammar.Action) string) {
	if len(lines) == 1 {
		return fmt.Sprintf("line %d", entries[lines[0]].Seq), verbOf
	}
	var seqs []string
	for _, n := range lines[:min(len(lines), mostNamed)] {
		seqs = append(seqs, strconv.FormatUint(uint64(entries[n].Seq), 10))
	}
	names = "lines " + strings.Join(seqs, ", ")
	if len(lines) > mostNamed {
		names += fmt.Sprintf(" and %d more", len(lines)-mostNamed)
	}
	return names, grammar.Action.String
}

func verbOf(a grammar.Action) string {
	if a == grammar.Deny {
		return "denies"
	}
	return a.String() + "s"
}

// whyEmpty says why a line matches no packet.
func (f *finder) whyEmpty(a *grammar.ACE) string {
	for _, end := range []grammar.Address{a.Source, a.Destination} {
		if end.Kind == grammar.AddressGroup {
			if p := f.meaning.Match(a).Source; end == a.Source && p.Empty() {
				return "object-group " + end.Group.Text + " is empty"
			}
			if p := f.meaning.Match(a).Destination; end == a.Destination && p.Empty() {
				return "object-group " + end.Group.Text + " is empty"
			}
		}
	}
	switch {
	case a.ServiceGroup.Text != "":
		return "object-group " + a.ServiceGroup.Text + " holds no service that can be"
	case a.Flags != nil && a.Flags.Match == grammar.MatchAll && a.Flags.Set&a.Flags.Clear != 0:
		return "a flag cannot be set and clear"
	case a.SourcePorts.Op != 0 && len(a.SourcePorts.Ranges(65535)) == 0, a.DestinationPorts.Op != 0 && len(a.DestinationPorts.Ranges(65535)) == 0:
		return "no port is like that"
	case a.TTL.Op != 0 && len(a.TTL.Ranges(255)) == 0:
		return "no ttl is like that"
	}
	return "its conditions exclude each other"
}
