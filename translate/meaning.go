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
