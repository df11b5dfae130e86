package translate

import (
	"cmp"
	"fmt"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Compile gives the policies of a configuration: one for each list, subject
// and direction that it is bound to, in the order of the interfaces, and those
// of the zones behind them.
//
// The error is a grammar.ErrorList: names that are not defined or defined by
// themselves, and words that mean nothing where they stand; there are no
// policies then. Findings are what is to be known about the rest; a line that
// is carried exactly has none. A finding of a whole list, with State Refused,
// says that the list has no policy although it is bound: see Refused.
func Compile(c *grammar.Config) ([]policy.Policy, []policy.Finding, error) {
	return Options{}.Compile(c)
}

// Withheld gives the lists that Compile refuses, without rules: where they
// stand, no other list may be converted alone, because both would have to
// permit. The error says that a zone is refused, whose place is not known.
func Withheld(c *grammar.Config) ([]policy.Policy, error) { return Options{}.Withheld(c) }

// Refused gives an error when the findings of Compile say that a list which is
// bound has no policy. Without that policy its subject is not filtered at all,
// which is wider than what the configuration says, so whoever pushes policies
// to a node must ask, and push nothing. What is converted into objects may
// leave such a list out, because objects are applied by a person who reads the
// report.
func Refused(findings []policy.Finding) error {
	var first *policy.Finding
	n := 0
	for i, f := range findings {
		if f.State != policy.Refused || f.ID.Seq != 0 {
			continue
		}
		if n++; first == nil {
			first = &findings[i]
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: %s: %s", first.Source, first.ID.ACL, first.Reason)
	}
	return fmt.Errorf("%s: %s: %s (and %d more)", first.Source, first.ID.ACL, first.Reason, n-1)
}

// A compiler is one run of Compile.
type compiler struct {
	config  *grammar.Config
	options Options

	policies []policy.Policy
	// withheld are bound lists that have no policy, without their rules.
	withheld []policy.Policy
	findings []policy.Finding
	errors   grammar.ErrorList
	told     map[grammar.Error]bool

	networks map[*grammar.ObjectGroup]*network
	services map[*grammar.ObjectGroup]*serviceSet
	ports    map[*grammar.ObjectGroup]policy.Ranges
	lists    map[listKey]*list
	// applied holds the lists that something refers to.
	applied map[string]bool
}

func newCompiler(c *grammar.Config) *compiler {
	return &compiler{
		config:   c,
		told:     map[grammar.Error]bool{},
		networks: map[*grammar.ObjectGroup]*network{},
		services: map[*grammar.ObjectGroup]*serviceSet{},
		ports:    map[*grammar.ObjectGroup]policy.Ranges{},
		lists:    map[listKey]*list{},
		applied:  map[string]bool{},
	}
}

// fail records a mistake of the configuration.
func (t *compiler) fail(pos grammar.Position, format string, args ...any) {
	e := grammar.Error{Pos: pos, Msg: fmt.Sprintf(format, args...)}
	if !t.told[e] {
		t.told[e] = true
		t.errors = append(t.errors, &e)
	}
}

// undefined records a name that nothing defines and the one that may be meant.
func (t *compiler) undefined(n grammar.Name, what string, defined []definition) {
	hint := ""
	if d, ok := closest(n.Text, defined); ok {
		hint = fmt.Sprintf(" (did you mean %s at %s?)", d.name, d.pos)
	}
	t.fail(n.Pos, "%s %s is not defined%s", what, n.Text, hint)
}

// note records what is to be known about a line, or about a list when seq is 0.
func (t *compiler) note(id policy.RuleID, pos grammar.Position, text string, state policy.State, format string, args ...any) {
	t.findings = append(t.findings, policy.Finding{
		ID: id, Source: sourceOf(pos), Text: text, State: state, Reason: fmt.Sprintf(format, args...),
	})
}

// sortedFindings gives the findings in the order of the text, each once: a
// list that is bound twice would say everything twice.
func (t *compiler) sortedFindings() []policy.Finding {
	slices.SortStableFunc(t.findings, func(a, b policy.Finding) int {
		return cmp.Or(cmp.Compare(a.Source.File, b.Source.File), a.Source.Line-b.Source.Line, a.Source.Column-b.Source.Column)
	})
	return slices.CompactFunc(t.findings, func(a, b policy.Finding) bool {
		return a.ID == b.ID && a.Source == b.Source && a.State == b.State && a.Reason == b.Reason
	})
}

func sourceOf(p grammar.Position) policy.Source {
	return policy.Source{File: p.File, Line: p.Line, Column: p.Column}
}

// findUnappliedACLs reports the lists that filter nothing.
func (t *compiler) findUnappliedACLs() {
	for _, a := range t.config.ACLs {
		if !t.applied[t.nameOf(a)] {
			t.note(policy.RuleID{ACL: t.nameOf(a)}, a.Pos, "", policy.NoEffect, "not applied: no interface and no zone-pair uses the list")
		}
	}
}

// A definition is a name that the configuration defines.
type definition struct {
	name string
	pos  grammar.Position
}

// maxTypos is how many letters a name may differ in and still be suggested.
const maxTypos = 2

// closest gives the definition whose name is most like the given one.
func closest(name string, all []definition) (best definition, ok bool) {
	distance := min(maxTypos, len(name)/2) + 1
	for _, d := range all {
		if n := typos(name, d.name, distance); n < distance {
			best, distance, ok = d, n, true
		}
	}
	return best, ok
}

// typos counts the letters to insert, delete or replace to make b of a; limit
// when there are that many or more.
func typos(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := left
			if a[i] != b[j] {
				replaced++
			}
			left = row[j+1]
			row[j+1] = min(replaced, row[j]+1, left+1)
		}
	}
	return min(row[len(b)], limit)
}
