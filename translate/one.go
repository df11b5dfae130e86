package translate

import (
	"aclium/grammar"
	"aclium/translate/policy"
)

// List gives the rules of one list as they stand on a router, whether or not
// anything is bound to it. Findings are what is to be known of its lines. ok is
// false when the configuration has no such list or the list filters no
// packets, and when it holds a deny that cannot be said; the findings tell
// then. The error is a grammar.ErrorList, as that of Compile.
func List(c *grammar.Config, name string) (p policy.Policy, findings []policy.Finding, ok bool, err error) {
	t := newCompiler(c)
	a := c.ACL(name)
	if a == nil {
		return p, nil, false, nil
	}
	t.resolveGroups()
	l := t.compileList(a, false)
	if err := t.errors.Err(); err != nil {
		return p, nil, false, err
	}
	if l.refused != nil {
		t.note(policy.RuleID{ACL: name}, l.refused.Pos, textOf(l.refused), policy.Refused, "the list holds what cannot be said: %s", l.reason)
	}
	p = policy.Policy{ACL: name, Direction: policy.Ingress, Family: familyOf(a), Rules: l.rules}
	if a.Dialect == grammar.ASA {
		p.Family = policy.Dual
	}
	if empty(a) {
		p.Rules = []policy.Rule{permitAll(name)}
	}
	return p, t.sortedFindings(), l.refused == nil, nil
}

// permitAll is what an empty list says.
func permitAll(acl string) policy.Rule {
	return policy.Rule{
		ID: policy.RuleID{ACL: acl}, Text: "an empty list permits everything", Action: policy.Permit,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}},
	}
}
