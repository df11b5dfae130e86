package grammar

import (
	"regexp"
	"strings"
)

// This file is about the output of "show access-lists" of IOS in a file: it is
// taken as the lists that it shows. What only the output has is overwritten
// with blanks, so that a column is that of the file.

var (
	shownHeader = regexp.MustCompile(`(?i)^\s*(standard ip|extended ip|ipv6|reflexive ip|role-based ip|ipv6 role-based|fqdn ip|ipv6 fqdn|extended mac) access list (\S+)((?: +\([^)]*\))*)$`)
	shownLine   = regexp.MustCompile(`(?i)^\s*(\d+ +)?(dynamic +\S+ +)?(timeout +\d+ +)?(permit|deny|evaluate) `)
	// shownOnly is what the device says about a line.
	shownOnly = regexp.MustCompile(`\((?:estimate )?\d+ match(?:es)?\)|\(time left \d+\)|\((?:in)?active\)`)
	shownTag  = regexp.MustCompile(`\(tag = ([^)\s]+)\)`)
	// shownGroup is a group of services without the word that says so, as older
	// devices show it.
	shownGroup = regexp.MustCompile(`(?i)^\s*(?:\d+ +)?(?:permit|deny) +(\S+) `)
)

// shownKinds are the words in front of a list's name for those that show it.
var shownKinds = map[string]string{
	"standard ip": Standard.typed(), "extended ip": Extended.typed(), "ipv6": IPv6.typed(), "role-based ip": RoleBased.typed(),
	"ipv6 role-based": RoleBased6.typed(), "fqdn ip": DomainList.typed(), "ipv6 fqdn": DomainList6.typed(), "extended mac": "mac access-list extended",
}

// iosShown gives a line of the output as configuration; ok is false when there
// is nothing to configure.
func (f *file) iosShown(pos Position, text string) (_ string, ok bool) {
	if !strings.Contains(text, " access list ") {
		return f.shownEntry(text)
	}
	if m := shownHeader.FindStringSubmatch(text); m != nil {
		return f.shownList(pos, text, strings.ToLower(m[1]), m[2], m[3])
	}
	return f.shownEntry(text)
}

func (f *file) shownEntry(text string) (_ string, ok bool) {
	switch {
	case f.pasted == "" || strings.TrimSpace(text) == "":
		return text, true
	case !shownLine.MatchString(text):
		f.pasted = ""
		return text, true
	case f.pasted == notConfigured:
		return text, false
	}
	return f.withGroup(f.withoutShown(text)), true
}

// notConfigured stands for a list that the device has made by itself.
const notConfigured = "-"

// shownList starts a list, or skips one that is no configuration: the entries
// of a reflexive list, the list of a user, and the addresses of an FQDN list.
func (f *file) shownList(pos Position, text, kind, name, remarks string) (string, bool) {
	typed := shownKinds[kind]
	twin := f.session.Config.ACL(name)
	if typed == "" || strings.Contains(remarks, "per-user") || kind == "extended ip" && twin != nil && twin.Kind == DomainList {
		f.session.enter(ModeGlobal)
		f.pasted, f.inside = notConfigured, 0
		f.notices = append(f.notices, Notice{Pos: pos, State: Skipped, Msg: "the device makes this list by itself", Text: strings.TrimSpace(text), Count: 1})
		return text, false
	}
	f.pasted, f.inside = name, 0
	f.notices = append(f.notices, Notice{
		Pos: pos, State: Normalised, Msg: "what is shown is taken as the list itself, without its counters", Text: strings.TrimSpace(text), Count: 1,
	})
	return typed + " " + name, true
}

func (f *file) withoutShown(text string) string {
	text = shownOnly.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat(" ", len(s)) })
	text = strings.Replace(text, ", wildcard bits ", strings.Repeat(" ", len(", wildcard bits ")), 1)
	if at := shownTag.FindStringSubmatchIndex(text); at != nil {
		tag := text[at[2]:at[3]]
		text = text[:at[0]] + strings.Repeat(" ", at[2]-at[0]) + tag + " " + text[at[1]:]
	}
	return strings.TrimRight(text, " ")
}

// withGroup puts the word in front of a group of services that stands where a
// protocol is expected.
func (f *file) withGroup(text string) string {
	at := shownGroup.FindStringSubmatchIndex(text)
	a := f.session.acl
	if at == nil || a == nil || a.Kind != Extended && a.Kind != IPv6 {
		return text
	}
	names, word := protocols, text[at[2]:at[3]]
	if a.Kind == IPv6 {
		names = protocols6
	}
	_, known := names.byWord[lowerCase(word)]
	if known || isNumber(word) || strings.EqualFold(word, "object-group") {
		return text
	}
	if g := f.session.Config.ObjectGroup(word); g != nil && !g.Kind.HoldsServices() {
		return text
	}
	return text[:at[2]] + "object-group " + text[at[2]:]
}
