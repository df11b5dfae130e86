package grammar

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// This file keeps object-groups that lines use: such a group is neither removed
// nor emptied, and groups nest without a circle and within their type.

// groupUse is a place that uses a group.
type groupUse struct {
	pos  Position
	what string
}

// String gives who uses the group, with the place where it is known.
func (u groupUse) String() string {
	if u.pos.File == "" {
		return u.what
	}
	return u.what + " at " + u.pos.String()
}

// groupUses gives the first use of every group that lines of access-lists and
// other groups use.
func (c *Config) groupUses() map[string]groupUse {
	out := map[string]groupUse{}
	use := func(n Name, what string) {
		if _, seen := out[n.Text]; n.Text != "" && !seen {
			out[n.Text] = groupUse{n.Pos, what}
		}
	}
	for _, a := range c.ACLs {
		for _, e := range a.Entries {
			if e.ACE != nil {
				e.ACE.eachGroup(func(n Name) { use(n, "line "+itoa(int(e.Seq))+" of access-list "+a.Name) })
			}
		}
	}
	for _, g := range c.ObjectGroups {
		for _, m := range g.Members {
			use(m.Group, "object-group "+g.Name)
		}
	}
	return out
}

// eachGroup calls f for every object-group that the line names.
func (a *ACE) eachGroup(f func(Name)) {
	for _, end := range []*Address{&a.Source, &a.Destination} {
		switch end.Kind {
		case AddressGroup, FQDNGroup, GeoGroup, PolicyGroup:
			f(end.Group)
		}
	}
	for _, n := range []Name{a.ServiceGroup, a.SourcePorts.Group, a.DestinationPorts.Group} {
		if n.Text != "" {
			f(n)
		}
	}
}

// removal is a line of a file that took away a group or its last member.
type removal struct {
	// pos is the place of the line; text is the line.
	pos  Position
	text string
	// group is what there was before, under another address.
	group *ObjectGroup
}

// mayRemove refuses to take away a group, or the last member of one, that
// something uses. In a file the answer waits for the end, because a file may
// define the group again.
func (l *line) mayRemove(g *ObjectGroup, verb string) error {
	if l.Config.Dialect != IOS {
		return nil
	}
	if l.file {
		l.room.removals = append(l.room.removals, removal{l.pos, l.text, g.clone()})
		return nil
	}
	use, used := l.Config.groupUses()[g.Name]
	if !used {
		return nil
	}
	return l.semantic(l.pos, fmt.Sprintf("Object-group %s cannot be %s: %s uses it", g.Name, verb, use))
}

// keepUsed refuses the removals of a file after which a group that is used is
// gone or empty, and takes them back.
func (f *file) keepUsed() {
	c, pending := f.session.Config, f.session.room.removals
	if len(pending) == 0 {
		return
	}
	uses := c.groupUses()
	for i := len(pending) - 1; i >= 0; i-- {
		r := pending[i]
		g := c.ObjectGroup(r.group.Name)
		use, used := uses[r.group.Name]
		if !used || g != nil && (len(g.Members) > 0 || len(r.group.Members) == 0) {
			continue
		}
		if g == nil {
			c.ObjectGroups = append(c.ObjectGroups, r.group)
		} else {
			g.Members, g.keys = r.group.Members, nil
		}
		f.fail(r.pos, fmt.Sprintf("object-group %s is used by %s, and would be gone or empty", r.group.Name, use), aligned(r.text, r.text, r.pos))
	}
}

// mayNest refuses a member that would make the group hold itself, or hold one
// of another type.
func (l *line) mayNest(m *Member) error {
	sub := l.Config.ObjectGroup(m.Group.Text)
	switch {
	case m.Group.Text == l.group.Name:
		return l.semantic(m.Pos, "An object-group cannot hold itself")
	case l.no || sub == nil:
		return nil
	case sub.Kind != l.group.Kind && l.Config.Dialect == IOS:
		return l.semantic(m.Pos, fmt.Sprintf("Object-group %s is of type %s and cannot be nested in one of type %s", sub.Name, sub.Kind, l.group.Kind))
	}
	if by := l.Config.holds(sub, l.group.Name, map[*ObjectGroup]bool{}); by != nil {
		return l.semantic(m.Pos, fmt.Sprintf("An object-group cannot hold itself: %s", groupUse{by.Pos, sub.Name + " holds " + l.group.Name}))
	}
	return nil
}

// holds gives the member through which the group holds another, or nil.
func (c *Config) holds(g *ObjectGroup, name string, seen map[*ObjectGroup]bool) *Member {
	seen[g] = true
	for _, m := range g.Members {
		if m.Kind != GroupMember {
			continue
		}
		if m.Group.Text == name {
			return m
		}
		if sub := c.ObjectGroup(m.Group.Text); sub != nil && !seen[sub] && c.holds(sub, name, seen) != nil {
			return m
		}
	}
	return nil
}

// nests gives the member of a group of another type that names a group which is
// not defined yet, or nil.
func (c *Config) nests(name string, kind GroupKind) *Member {
	for _, g := range c.ObjectGroups {
		for _, m := range g.Members {
			if m.Kind == GroupMember && m.Group.Text == name && g.Kind != kind {
				return m
			}
		}
	}
	return nil
}

// crosses reports whether the member is a group of another type.
func (c *Config) crosses(g *ObjectGroup, m *Member) bool {
	if m.Kind != GroupMember {
		return false
	}
	sub := c.ObjectGroup(m.Group.Text)
	return sub != nil && sub.Kind != g.Kind
}

// aligned indents a line so that its last word of that text stands at the
// position.
func aligned(line, word string, pos Position) string {
	before := utf8.RuneCountInString(line[:strings.LastIndex(line, word)])
	return strings.Repeat(" ", max(pos.Column-1-before, 0)) + line
}

// checkNesting finds the members of a file that name a group of another type
// which is defined further down, and takes them out.
func (f *file) checkNesting() {
	c := f.session.Config
	if c.Dialect != IOS {
		return
	}
	for _, g := range c.ObjectGroups {
		kept := g.Members[:0:0]
		for _, m := range g.Members {
			if !c.crosses(g, m) {
				kept = append(kept, m)
				continue
			}
			msg := fmt.Sprintf("object-group %s is of another type than %s and cannot be nested in it", m.Group.Text, g.Name)
			f.fail(m.Pos, msg, aligned(m.Text, m.Group.Text, m.Pos))
		}
		if len(kept) < len(g.Members) {
			g.Members, g.keys = kept, nil
		}
	}
}
