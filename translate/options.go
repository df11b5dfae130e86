package translate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// Options are what Compile is to know beside the configuration.
type Options struct {
	// Inventory says which workload a legacy interface faces and which pods had
	// which addresses; nil when nothing is known.
	Inventory *inventory.Inventory
	// Transit names lists that stand between everyone, as on a router that all
	// traffic crosses. Each must be defined.
	Transit []string
	// HostPolicies asks for policies on the nodes where a zone-pair joins self,
	// beside those on the pods; for targets that can protect nodes.
	HostPolicies bool
}

// Compile is as the function, with options.
func (o Options) Compile(c *grammar.Config) ([]policy.Policy, []policy.Finding, error) {
	t := newCompiler(c)
	t.options = o
	t.resolveGroups()   // object-groups become sets
	t.resolveLists()    // every name on every line exists, bound or not
	t.checkPolicyMaps() // so does every name in a class, used or not
	if err := t.identities(); err != nil {
		return nil, nil, err
	}
	t.bindInterfaces()     // access-groups become policies
	t.joinZones()          // zone-pairs become policies
	t.bindASA()            // an ASA's access-groups become policies
	t.bindTransit()        // lists between everyone become policies
	t.joinSecurityGroups() // permissions become policies
	t.refusePermissions()  // but for those that cannot be placed
	t.findUnappliedACLs()  // what is bound nowhere filters nothing
	if err := t.errors.Err(); err != nil {
		return nil, nil, err
	}
	return t.policies, t.sortedFindings(), nil
}

// Withheld is as the function, with options.
func (o Options) Withheld(c *grammar.Config) ([]policy.Policy, error) {
	t := newCompiler(c)
	t.options = o
	t.resolveGroups()
	t.resolveLists()
	if err := t.identities(); err != nil {
		return nil, err
	}
	t.bindInterfaces()
	t.bindASA()
	t.bindTransit()
	t.joinSecurityGroups()
	lists := len(t.findings)
	t.joinZones()
	t.refusePermissions()
	return t.withheld, Refused(t.findings[lists:])
}

// Identities gives an inventory, or nil, with what a configuration says by its
// identity maps. The error names both places where the two contradict.
func Identities(c *grammar.Config, inv *inventory.Inventory) (*inventory.Inventory, error) {
	t := newCompiler(c)
	t.options.Inventory = inv
	t.resolveGroups()
	if err := t.identities(); err != nil {
		return nil, err
	}
	return t.options.Inventory, t.errors.Err()
}

// identities adds the identity maps to the inventory.
func (t *compiler) identities() error {
	var all []inventory.Mapping
	for _, m := range t.config.IdentityMaps {
		if mapping, ok := t.mapping(m); ok {
			all = append(all, mapping)
		}
	}
	if len(all) == 0 {
		return nil
	}
	own, err := inventory.FromConfig(all)
	if err != nil {
		return err
	}
	t.options.Inventory, err = inventory.Merge(t.options.Inventory, own)
	return err
}

// mapping gives the meaning of an identity map.
func (t *compiler) mapping(m *grammar.IdentityMap) (out inventory.Mapping, ok bool) {
	g := t.config.ObjectGroup(m.Group.Text)
	switch {
	case g == nil:
		t.undefined(m.Group, "object-group", t.groupsOf(grammar.NetworkGroup, grammar.NetworkGroup6))
		return out, false
	case !g.Kind.HoldsAddresses():
		t.fail(m.Group.Pos, "object-group %s holds %s, want workloads", g.Name, held[g.Kind])
		return out, false
	}
	n := t.networkGroup(g)
	if n.other != nil || len(n.peers.Selectors) == 0 {
		t.fail(m.Group.Pos, "object-group %s stands for pods in an identity map and must hold workloads only", g.Name)
		return out, false
	}
	var p policy.Peers
	addMasked(&p, m.Addr, m.Wildcard)
	addrs, fits := addresses(&p, policy.Dual)
	if !fits {
		t.fail(m.Pos, "%s", maskText(&p))
		return out, false
	}
	return inventory.Mapping{Name: g.Name, Selectors: n.peers.Selectors, Addresses: addrs, Source: sourceOf(m.Pos)}, true
}

// behind gives the workload that a legacy interface faces, or nil. Its names
// are what the inventory may call it.
func (t *compiler) behind(names ...string) *inventory.Workload {
	inv := t.options.Inventory
	if inv == nil {
		return nil
	}
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for _, key := range slices.Sorted(maps.Keys(inv.Interfaces)) {
			if slices.ContainsFunc(names, func(n string) bool { return n != "" && same(n, key) }) {
				return inv.Workload(inv.Interfaces[key])
			}
		}
	}
	return nil
}

// facing gives the subject of a workload of the inventory.
func facing(w *inventory.Workload) policy.Subject {
	return policy.Subject{Name: "workload " + w.Name, Selectors: []policy.Selector{w.Selector}}
}

// listOf gives the list that a binding names, or nil.
func (t *compiler) listOf(b grammar.Binding) *grammar.ACL {
	if t.config.Dialect == grammar.IOSXR {
		return t.config.Filter(b.ACL.Text, b.IPv6)
	}
	return t.config.ACL(b.ACL.Text)
}

// nameOf gives the name that a list has in policies. IOS-XR has a name space
// for each family.
func (t *compiler) nameOf(a *grammar.ACL) string {
	if t.config.Dialect == grammar.IOSXR && a.Kind.IsIPv6() && t.config.Filter(a.Name, false) != nil {
		return "ipv6 " + a.Name
	}
	return a.Name
}

// isTransit reports whether a list is taken as a router's between everyone.
func (t *compiler) isTransit(a *grammar.ACL) bool {
	return a != nil && slices.Contains(t.options.Transit, a.Name)
}

// unmapped refuses a list on an interface that no workload stands behind.
func (t *compiler) unmapped(a *grammar.ACL, b grammar.Binding, where string) {
	t.compileList(a, true) // says what its lines cannot
	t.note(policy.RuleID{ACL: t.nameOf(a)}, b.Pos, b.Text, policy.Refused,
		"not applied: no workload stands behind %s: name the one that it faces (interfaces: in an inventory), or take the list as a router's between everyone (--transit %s)", where, a.Name)
}

// harmless are the words behind a binding that change no verdict.
var harmless = []string{"hardware-count", "interface-statistics", "compress level"}

// refuseOptions refuses a binding with a word that changes what is filtered.
func (t *compiler) refuseOptions(a *grammar.ACL, b grammar.Binding, s policy.Subject, d policy.Direction) bool {
	rest := b.Options
	for _, word := range harmless {
		rest = strings.TrimSpace(strings.ReplaceAll(rest, word, ""))
	}
	if strings.Trim(rest, "0123456789 ") == "" {
		return false
	}
	t.withhold(a, s, d, b.Pos, b.Text, rest+" is not supported")
	return true
}

// withhold keeps a list out of its place.
func (t *compiler) withhold(a *grammar.ACL, s policy.Subject, d policy.Direction, pos grammar.Position, text, why string) {
	t.note(policy.RuleID{ACL: t.nameOf(a)}, pos, text, policy.Refused,
		"the list cannot be applied to %s, because it holds what cannot be said: %s", s.Name+" "+d.String(), why)
	t.withheld = append(t.withheld, policy.Policy{ACL: t.nameOf(a), Subject: s, Direction: d, Family: familyOf(a), Stateful: len(s.Selectors) > 0})
}

// put makes the policy of a list in a place. before are rules that stand in
// front of its own.
func (t *compiler) put(a *grammar.ACL, s policy.Subject, d policy.Direction, before ...policy.Rule) {
	stateful := len(s.Selectors) > 0
	l := t.compileList(a, stateful)
	if l.refused != nil {
		t.withhold(a, s, d, l.refused.Pos, textOf(l.refused), l.reason)
		return
	}
	t.policies = append(t.policies, policy.Policy{
		ACL: t.nameOf(a), Subject: s, Direction: d, Family: familyOf(a), Stateful: stateful, Rules: slices.Concat(before, l.rules),
	})
}

// twoFilters are kept statements of an interface that filter beside its lists.
var twoFilters = []string{"ip port access-group", "ipv6 port traffic-filter", "mac port access-group", "mac access-group",
	"ethernet-services access-group", "ipv4 access-group common", "ipv6 access-group common"}

// secondFilter refuses a filter of an interface that is not understood, and
// tells whether there is one: the lists beside it may not stand alone.
func (t *compiler) secondFilter(i *grammar.Interface) bool {
	found := false
	for _, s := range i.Other {
		if slices.ContainsFunc(twoFilters, func(words string) bool { return strings.HasPrefix(s.Words, words+" ") }) {
			found = true
			t.note(policy.RuleID{ACL: "interface " + i.Name}, s.Pos, s.Text, policy.Refused,
				"%s is not supported, and the other lists of the interface do not stand alone", strings.Join(strings.Fields(s.Words)[:3], " "))
		}
	}
	return found
}

// bindASA gives each access-group of an ASA its policy, where the inventory
// knows who stands behind the interface.
func (t *compiler) bindASA() {
	for _, b := range t.config.Bindings {
		t.applied[b.ACL.Text] = true
		a := t.config.ACL(b.ACL.Text)
		if a == nil {
			t.undefined(b.ACL, "access-list", t.listsDefined())
			continue
		}
		w := t.behind(t.interfaceNames(b.Interface.Text)...)
		switch {
		case b.Global:
			t.unmapped(a, b, "any interface of an ASA")
		case w == nil && t.isTransit(a):
		case w == nil:
			t.unmapped(a, b, "interface "+b.Interface.Text+" of an ASA")
		case t.refuseOptions(a, b, facing(w), towardsPods(b.Direction)):
		case empty(a):
			t.note(policy.RuleID{ACL: a.Name}, b.Pos, b.Text, policy.NoEffect, "access-list %s is empty: %s is not filtered", a.Name, facing(w).Name)
		default:
			t.put(a, facing(w), towardsPods(b.Direction))
		}
	}
}

// interfaceNames gives what an ASA's interface is called.
func (t *compiler) interfaceNames(nameIf string) []string {
	out := []string{nameIf}
	for _, i := range t.config.Interfaces {
		if i.NameIf.Text == nameIf {
			out = append(out, i.Name)
		}
	}
	return out
}

// towardsPods gives the direction of a list on an interface that faces pods.
func towardsPods(d grammar.Direction) policy.Direction {
	if d == grammar.Outbound {
		return policy.Ingress
	}
	return policy.Egress
}

// bindTransit gives the lists between everyone their policies. A packet is
// judged once: on its way into a workload, or on its way out of one to whoever
// is no workload.
func (t *compiler) bindTransit() {
	for _, name := range t.options.Transit {
		found := false
		for _, a := range t.config.ACLs {
			if a.Name != name {
				continue
			}
			found = true
			t.applied[t.nameOf(a)] = true
			if empty(a) {
				t.note(policy.RuleID{ACL: t.nameOf(a)}, a.Pos, "", policy.NoEffect, "access-list %s is empty: it filters nothing", name)
				continue
			}
			t.transit(a)
		}
		if !found {
			t.fail(grammar.Position{}, "access-list %s, which is to be in transit, is not defined", name)
		}
	}
}

func (t *compiler) transit(a *grammar.ACL) {
	l := t.compileList(a, true)
	in, out := t.crossing(l, policy.Ingress), t.crossing(l, policy.Egress)
	if len(in)+len(out) == 0 {
		t.note(policy.RuleID{ACL: t.nameOf(a)}, a.Pos, "", policy.Refused, "not applied: neither the list nor an inventory names a workload that it protects (--inventory)")
		return
	}
	var protected []policy.Selector
	for _, s := range in {
		protected = append(protected, s.Selectors...)
		t.put(a, s, policy.Ingress)
	}
	pass := policy.Rule{
		ID: policy.RuleID{ACL: t.nameOf(a)}, Text: "permit to the workloads, on whose side the list is asked", Source: sourceOf(a.Pos), Action: policy.Permit, Uncounted: true,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Peers{Selectors: protected}, Services: []policy.Service{policy.AnyService()}},
	}
	for _, s := range out {
		if len(protected) > 0 {
			t.put(a, s, policy.Egress, pass)
		} else {
			t.put(a, s, policy.Egress)
		}
	}
}

// crossing gives the workloads that a list between everyone is asked for: all
// of the inventory, and those that stand on the lines.
func (t *compiler) crossing(l *list, d policy.Direction) (out []policy.Subject) {
	seen := map[string]bool{}
	add := func(s policy.Subject) {
		c, some := newConj(s.Selectors[0])
		if key := c.String(); some && !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	if inv := t.options.Inventory; inv != nil {
		for i := range inv.Workloads {
			add(facing(&inv.Workloads[i]))
		}
	}
	for i := range l.rules {
		for _, s := range ownEnd(&l.rules[i], d).Selectors {
			add(policy.Subject{Name: fmt.Sprintf("workload %s", s), Selectors: []policy.Selector{s}})
		}
	}
	return out
}
