package grammar

import "strings"

// This file finds the lists that configuration of other things uses, such as
// "ip nat inside source list 10". Such a line is skipped, but the list that it
// names is not without use.

// usesList are words before the name of a list; after listsAll every word to
// the end of the line is one.
var (
	usesList = map[string]bool{
		"list": true, "access-list": true, "access-class": true, "access-group": true, "acl": true, "ro": true, "rw": true,
		"distribute-list": true, "name": true, "address": true, "use-acl": true, "use-ipv4acl": true, "use-ipv6acl": true,
	}
	listsAll = "address"
)

// mention notes the words of a skipped line that may name a list.
func (f *file) mention(pos Position, text string) {
	w := words{text: text, column: pos.Column}
	uses, all := false, false
	for {
		word, ok := w.cut()
		if !ok {
			return
		}
		lower := lowerCase(word.text)
		if uses || all {
			f.mentions = append(f.mentions, Reference{
				Name: Name{Text: word.text, Pos: Position{File: pos.File, Line: pos.Line, Column: word.column}}, Space: "access-list",
			})
		}
		uses, all = usesList[lower], all || lower == listsAll && strings.Contains(lowerCase(text), "match ")
	}
}

// keepMentions keeps those that name a list of the configuration.
func (f *file) keepMentions() {
	c := f.session.Config
	for _, m := range f.mentions {
		if c.ACL(m.Text) != nil {
			c.Mentions = append(c.Mentions, m)
		}
	}
}
