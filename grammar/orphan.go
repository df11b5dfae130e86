package grammar

import (
	"slices"
	"strings"
)

// This file finds the lines of a list, a group or a class that stand below
// something else. A line that no mode takes ends the block before it, and what
// follows with an indent seems to belong to that line. It must not be skipped
// with it: the list would lack its last lines, and nobody would know.

// orphaned reports whether a line that is about to be skipped belongs to a block
// of ours: to the one that the last unknown line has cut in two, or, whatever
// stands before it, to a list.
func (f *file) orphaned(text string) bool {
	return f.cut != 0 && f.fits(f.cut, text) || f.isEntry(text) || isIndented(text) && f.startsBlock(text) || isJoined(text) ||
		f.header == "" && isIndented(text) && f.fitsBlock(text) || f.isMisspelt(text)
}

// fitsBlock reports whether some list, group, class or pair takes the line. At
// the start of a file it belongs to one whose first line was not copied.
func (f *file) fitsBlock(text string) bool {
	for m := ModeGlobal + 1; m < modeCount; m++ {
		if f.session.language().has(m) && !modes[m].loose && f.fits(m, text) {
			return true
		}
	}
	return false
}

// isMisspelt reports whether only the first word keeps the line from being a
// binding or a list of the IP family, as in "pv6 traffic-filter A in".
func (f *file) isMisspelt(text string) bool {
	words := typedWords(text)
	if len(words) < 3 || slices.Contains(otherFamilies, words[0]) {
		return false
	}
	for _, o := range f.vocabulary().ours {
		first, second, two := strings.Cut(o, " ")
		if two && strings.HasPrefix(first, "ip") && startsWith(words[1:], second) && distance(words[0], first, 2) < 2 {
			return true
		}
	}
	return false
}

// otherFamilies are words that look like a misspelt "ip" and are none.
var otherFamilies = []string{"ipx"}

// open gives the mode whose lines would be missed when the block is cut in two; 0
// when there is none.
func (f *file) open() Mode {
	m := f.session.Mode
	if m == ModeGlobal || modes[m].loose && (m != ModeInterface || !f.session.iface.Workload) {
		return 0
	}
	return m
}

// ended notes that a line may have ended the mode that was open before it.
func (f *file) ended(was Mode) {
	switch {
	case f.session.Mode != ModeGlobal || f.apart:
		f.cut = 0
	case was != 0:
		f.cut = was
	}
}

// fits reports whether the mode takes the line. Descriptions and the like stand
// everywhere.
func (f *file) fits(m Mode, text string) bool {
	w := newWalk(f.session.language(), m, Position{}, text)
	w.quiet = true
	_, err := w.run()
	return err == nil && len(w.tokens) > 0 && !startsAny([]string{w.tokens[0].Value}, everywhere)
}

// everywhere are words that stand in modes of ours and in others.
var everywhere = []string{"description", "remark", "exit", "end", "do"}

// isEntry reports whether a line starts as an entry of a list does: with an
// action and what some kind of list has behind it. The lists of BGP communities
// and the like have words of their own there.
func (f *file) isEntry(text string) bool {
	if !startsWithAction(text) {
		return false
	}
	for m := ModeGlobal; m < modeCount; m++ {
		if m == ModeRoleList || m == ModeRoleList6 || f.session.language().start[m] == nil {
			continue
		}
		w := newWalk(f.session.language(), m, Position{}, text)
		w.quiet = true
		_, _ = w.run()
		for i, t := range w.tokens {
			if (t.Value == "permit" || t.Value == "deny") && i < 3 && i+1 < len(w.tokens) {
				return true
			}
		}
	}
	return false
}

// startsWithAction reports whether a line may start with "permit" or "deny",
// behind a number or not.
func startsWithAction(text string) bool {
	words := strings.Fields(lowerCase(text))
	for i, w := range words[:min(len(words), 3)] {
		if strings.HasPrefix("permit", w) || strings.HasPrefix("deny", w) {
			return true
		}
		if i == 0 && w != "sequence" && !isNumber(w) {
			return false
		}
	}
	return false
}

// startsBlock reports whether an indented line below something else starts a
// list, a group or a policy. All of it would be lost with its first line.
func (f *file) startsBlock(text string) bool {
	w := newWalk(f.session.language(), ModeGlobal, Position{}, text)
	w.quiet = true
	_, err := w.run()
	return err == nil && len(w.tokens) > 1 && startsAny(typedWords(text), headers)
}

var headers = []string{
	"ip access-list", "ipv4 access-list", "ipv6 access-list", "access-list", "object-group", "object network", "object service",
	"class-map type inspect", "policy-map type inspect", "zone security", "zone-pair security", "interface workload",
}

// isJoined reports whether the blank behind a word of ours is missing.
func isJoined(text string) bool {
	words := strings.Fields(lowerCase(text))
	for _, w := range words[:min(len(words), 2)] {
		for _, o := range joinable {
			if rest, ok := strings.CutPrefix(w, o); ok && rest != "" && isNamed(rest[0]) {
				return true
			}
		}
	}
	return false
}

var joinable = []string{"access-list", "object-group", "access-group", "traffic-filter", "class-map", "policy-map", "zone-pair", "zone-member"}

// isNamed reports whether a name may start so. "object-group-search" is a word.
func isNamed(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' }

// orphan refuses such a line.
func (f *file) orphan(pos Position, text, raw string) {
	where := ", at the start of the file"
	if f.header != "" {
		where = ", below \"" + strings.TrimSpace(f.header) + "\""
	}
	f.fail(start(pos, text), "the line belongs to access control, and stands where it cannot be understood"+where, raw)
}
