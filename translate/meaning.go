package translate

import (
	"aclium/grammar"
	"aclium/translate/policy"
)

// A Meaning gives the sets that single lines speak of, bound or not. Each
// object-group is made into sets once.
type Meaning struct{ t *compiler }

// MeaningOf starts with the object-groups of a configuration, which must not
// change while the Meaning is in use.
func MeaningOf(c *grammar.Config) *Meaning {
	t := newCompiler(c)
	t.resolveGroups()
	return &Meaning{t}
}

// Match gives the packets that a line speaks of, as far as a policy can hold
// them: what else is on the line (dscp, ttl, time-range, groups that are not
// defined, ...) is not looked at, and an end that a policy cannot hold is
// empty.
func (m *Meaning) Match(a *grammar.ACE) policy.Match {
	return m.t.line(&grammar.Entry{ACE: a}).match
}

// Mistakes gives the mistakes that were found so far, in no order: groups that
// are not defined, that hold themselves or that hold what they should not.
func (m *Meaning) Mistakes() grammar.ErrorList { return m.t.errors }

// Closest gives the name that a misspelt one may stand for, or "".
func Closest(name string, defined []string) string {
	all := make([]definition, len(defined))
	for i, n := range defined {
		all[i].name = n
	}
	d, _ := closest(name, all)
	return d.name
}

// A Line is the meaning of one line, as far as it can be said.
type Line struct {
	policy.Match
	// Unsaid is the first thing on the line that the match does not hold;
	// empty when it holds all of it.
	Unsaid string
	// Partial says that it is a member of a group that is not held: the line
	// may match more than Match, and at most Outer.
	Partial bool
	Outer   policy.Match
}

// Line gives the packets that a line speaks of, and what is not in them.
func (m *Meaning) Line(a *grammar.ACE) Line {
	n := m.t.line(&grammar.Entry{ACE: a})
	out := Line{Match: n.match, Unsaid: n.unsaid, Outer: n.match}
	if out.Unsaid == "" {
		return out
	}
	bare := *a
	bare.DSCP, bare.Precedence, bare.TOS, bare.Option, bare.FlowLabel, bare.IGMP = nil, nil, nil, nil, nil, nil
	bare.TTL, bare.Extra = grammar.Compare{}, nil
	for _, name := range []*grammar.Name{&bare.TimeRange, &bare.Reflect, &bare.Dynamic, &bare.User, &bare.SourceTag, &bare.DestinationTag} {
		*name = grammar.Name{}
	}
	out.Partial = m.t.line(&grammar.Entry{ACE: &bare}).unsaid != ""
	if out.Partial {
		widen(&out.Outer.Source, a.Source)
		widen(&out.Outer.Destination, a.Destination)
		if len(out.Outer.Services) == 0 || a.ServiceGroup.Text != "" || a.ICMPGroup.Text != "" {
			out.Outer.Services = []policy.Service{policy.AnyService()}
		}
	}
	return out
}

// widen makes everybody of an end whose members need not all be held.
func widen(p *policy.Peers, a grammar.Address) {
	switch a.Kind {
	case grammar.AnyAddress, grammar.HostAddress, grammar.MaskedAddress:
		if !p.Empty() {
			return
		}
	}
	*p = policy.Everybody()
}
