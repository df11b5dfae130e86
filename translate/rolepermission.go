package translate

import (
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// refusePermissions refuses what filters between security groups: no policy says
// it, and without one the groups would reach each other.
func (t *compiler) refusePermissions() {
	enforced := len(t.config.RoleEnforcements) > 0 || slices.ContainsFunc(t.config.Other, keptTrustSec("enforcement"))
	for _, r := range t.config.RolePermissions {
		for _, list := range r.Lists {
			t.applied[list.Text] = true
		}
		t.permission(policy.RuleID{ACL: r.Lists[0].Text}, r.Pos, r.Text, enforced)
	}
	for _, s := range t.config.Other {
		if keptTrustSec("permissions")(s) {
			t.permission(policy.RuleID{ACL: "cts role-based permissions"}, s.Pos, s.Text, enforced)
		}
	}
}

// keptTrustSec finds statements about TrustSec that the grammar does not know
// and that have the word, abbreviated or not.
func keptTrustSec(word string) func(*grammar.Statement) bool {
	return func(s *grammar.Statement) bool {
		words := strings.Fields(strings.ToLower(s.Words))
		return words[0] == "cts" && slices.ContainsFunc(words, func(w string) bool { return len(w) > 3 && strings.HasPrefix(word, w) })
	}
}

func (t *compiler) permission(id policy.RuleID, pos grammar.Position, text string, enforced bool) {
	if !enforced {
		t.note(id, pos, text, policy.NoEffect, "permissions filter nothing without cts role-based enforcement")
		return
	}
	t.note(id, pos, text, policy.Refused, "the permission cannot be applied, because it needs what cannot be said: security groups")
}
