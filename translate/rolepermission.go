package translate

import (
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// refusePermissions refuses the permissions of which it is not known what they
// protect. Without them the groups would reach each other.
func (t *compiler) refusePermissions() {
	enforced := t.enforcesRoles()
	for _, s := range t.config.Other {
		if keptTrustSec("permissions")(s) {
			t.refusePermission(s.Pos, s.Text, enforced, "it is not understood")
		}
	}
	if len(t.config.RolePermissions) == 0 || !enforced {
		return
	}
	t.refuseEnforcement()
	t.refuseMaps()
	for _, r := range t.config.RolePermissions {
		if !r.Default && r.To != grammar.UnknownSGT && !slices.ContainsFunc(t.config.SGTMaps, func(m *grammar.SGTMap) bool { return m.SGT == r.To }) {
			t.note(policy.RuleID{ACL: "sgt " + sgtName(r.From) + " to " + sgtName(r.To)}, r.Pos, r.Text, policy.Refused,
				"the permission cannot be applied: no pod has sgt %d: map it with cts role-based sgt-map workload NAME sgt %d", r.To, r.To)
		}
	}
}

// refuseEnforcement refuses what turns permissions on for packets that nobody
// can tell from others.
func (t *compiler) refuseEnforcement() {
	for _, s := range t.config.Other {
		if keptTrustSec("enforcement")(s) {
			t.refusePermission(s.Pos, s.Text, true, "it is not understood")
		}
	}
	routed := slices.ContainsFunc(t.config.RoleEnforcements, func(e *grammar.RoleEnforcement) bool { return e.VLANs.Text == "" })
	for _, e := range t.config.RoleEnforcements {
		if !routed {
			t.refusePermission(e.Pos, e.Text, true, "which pods are in a VLAN is not known; cts role-based enforcement alone is for all of them")
		}
	}
}

// refuseMaps refuses to guess who has a tag.
func (t *compiler) refuseMaps() {
	for _, s := range t.config.Other {
		if keptTrustSec("sgt-map")(s) {
			t.refusePermission(s.Pos, s.Text, true, "it is not understood")
		}
	}
	for _, m := range t.config.SGTMaps {
		switch {
		case m.VLANs.Text != "":
			t.refusePermission(m.Pos, m.Text, true, "which pods are in a VLAN is not known: map workloads")
		case m.VRF.Text != "":
			t.refusePermission(m.Pos, m.Text, true, "pods are in no VRF: map workloads, or addresses without vrf")
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

func (t *compiler) refusePermission(pos grammar.Position, text string, enforced bool, reason string) {
	id := policy.RuleID{ACL: "cts role-based"}
	if !enforced {
		t.note(id, pos, text, policy.NoEffect, "permissions filter nothing without cts role-based enforcement")
		return
	}
	t.note(id, pos, text, policy.Refused, "permissions between security groups cannot be applied: %s", reason)
}
