package translate

import (
	"fmt"
	"slices"

	"aclium/grammar"
	"aclium/translate/policy"
)

/*
Security groups become one policy on the pods of each mapped workload, for each
family in which a cell or a default governs what reaches them:

	"sgt 20" on workload APP, ipv4
	  from the pods of sgt 10:      the lists of the cell 10 to 20, then deny
	  from the pods of sgt 30:      permit, as there is neither cell nor default
	  from the addresses of sgt 40: the lists of the cell 40 to 20, then deny
	  from everyone else (unknown): the lists of the cell unknown to 20, then deny

The first entry that has the source decides, which is how one source has one
tag: workloads come first, in the order of the configuration, then addresses
from the longest prefix to the shortest. The destination is cut the same way: a
pod of several mapped workloads is governed by the first one alone. A cell is
its lists one behind the other; what no line of them decides is denied. The
default cell stands in for every cell that is not there, those of hosts without
a tag included, so that it governs the pods of no workload, too.
*/

// securityGroups is what the compilation of TrustSec works on.
type securityGroups struct {
	*compiler
	ends  []*taggedEnds
	cells map[cellKey]*roleCell
}

// taggedEnds are packet ends that one map gives a tag.
type taggedEnds struct {
	sgt   uint16
	peers policy.Peers
	// workload is the object-group of the pods; empty for addresses.
	workload string
	// pods are those of the workload that no earlier workload of another tag
	// has.
	pods podSet
	// ipv6 and bits are the family of addresses and the length of their prefix.
	ipv6 bool
	bits int
	pos  grammar.Position
	text string
}

// A cellKey names a cell; dflt is the default one of the family.
type cellKey struct {
	from, to uint16
	ipv6     bool
	dflt     bool
}

// A roleCell is what a permission says.
type roleCell struct {
	*grammar.RolePermission
	rules []policy.Rule
	// refused says why the cell cannot be applied; empty when it can.
	refused string
}

// joinSecurityGroups gives the policies between security groups.
func (t *compiler) joinSecurityGroups() {
	if len(t.config.RolePermissions) == 0 {
		return
	}
	g := &securityGroups{compiler: t, cells: map[cellKey]*roleCell{}}
	if !t.enforcesRoles() {
		g.idle()
		return
	}
	g.findEnds()
	g.findCells()
	for i, e := range g.ends {
		if e.workload != "" {
			g.protect(e.sgt, g.subjectOf(i), e.pos, e.text)
		}
	}
	g.protectUnknown()
}

// enforcesRoles reports whether the configuration turns permissions on. A word
// that is not understood may do so.
func (t *compiler) enforcesRoles() bool {
	return len(t.config.RoleEnforcements) > 0 || slices.ContainsFunc(t.config.Other, keptTrustSec("enforcement"))
}

// idle reports permissions that nothing turns on.
func (g *securityGroups) idle() {
	for _, r := range g.config.RolePermissions {
		g.useLists(r)
		g.note(policy.RuleID{ACL: r.Lists[0].Text}, r.Pos, r.Text, policy.NoEffect, "permissions filter nothing without cts role-based enforcement")
	}
}

func (g *securityGroups) useLists(r *grammar.RolePermission) {
	for _, n := range r.Lists {
		g.applied[n.Text] = true
	}
}

// findEnds collects who has a tag, in the order in which a host is looked up.
func (g *securityGroups) findEnds() {
	var addresses []*taggedEnds
	for _, m := range g.config.SGTMaps {
		e := &taggedEnds{sgt: m.SGT, pos: m.Pos, text: m.Text}
		switch {
		case m.Group.Text != "":
			g.addWorkload(e, m.Group)
		case m.VLANs.Text == "" && m.VRF.Text == "":
			e.peers.Addresses = []policy.AddrRange{policy.PrefixRange(m.Prefix)}
			e.ipv6, e.bits = m.Prefix.Addr().Is6(), m.Prefix.Bits()
			addresses = append(addresses, e)
		}
	}
	slices.SortStableFunc(addresses, func(a, b *taggedEnds) int { return b.bits - a.bits })
	g.ends = append(g.ends, addresses...)
}

// addWorkload adds the pods of a group but for those that have a tag already.
func (g *securityGroups) addWorkload(e *taggedEnds, name grammar.Name) {
	selectors, ok := g.podsOfGroup(name)
	if !ok {
		return
	}
	e.workload, e.pods = name.Text, podsOf(selectors)
	e.peers.Selectors = selectors
	for _, earlier := range g.ends {
		if earlier.sgt != e.sgt && len(e.pods.intersect(earlier.pods)) > 0 {
			e.pods = e.pods.minus(earlier.pods)
			g.note(policy.RuleID{ACL: fmt.Sprintf("sgt %d", e.sgt)}, e.pos, e.text, policy.NoEffect,
				"a pod that is in workload %s too has sgt %d, which is mapped first", earlier.workload, earlier.sgt)
		}
	}
	g.ends = append(g.ends, e)
}

// podsOfGroup gives the pods of an object-group, which must hold workloads only.
func (g *securityGroups) podsOfGroup(name grammar.Name) ([]policy.Selector, bool) {
	group := g.groupOf(name, "workloads", grammar.NetworkGroup, grammar.NetworkGroup6)
	if group == nil {
		return nil, false
	}
	n := g.networkGroup(group)
	switch {
	case n.other != nil:
		g.fail(n.other.Pos, "object-group %s stands for the pods of a security group and may hold workloads only", name.Text)
		return nil, false
	case len(n.peers.Selectors) == 0:
		g.note(policy.RuleID{ACL: "object-group " + name.Text}, name.Pos, "", policy.NoEffect, "object-group %s is empty: no pod has the tag", name.Text)
		return nil, false
	}
	return n.peers.Selectors, true
}

// findCells reads the lists of every permission.
func (g *securityGroups) findCells() {
	for _, r := range g.config.RolePermissions {
		g.useLists(r)
		c := &roleCell{RolePermission: r}
		for _, n := range r.Lists {
			g.addList(c, n)
		}
		g.cells[cellKey{r.From, r.To, r.IPv6, r.Default}] = c
		g.checkTags(c)
	}
}

// addList adds the lines of a list to a cell. A permit that cannot be said is
// left out; a deny refuses the cell.
func (g *securityGroups) addList(c *roleCell, n grammar.Name) {
	kind := grammar.RoleBased
	if c.IPv6 {
		kind = grammar.RoleBased6
	}
	a := g.config.ACL(n.Text)
	switch {
	case a == nil:
		g.undefined(n, "role-based list", g.listNames(kind))
		return
	case a.Kind != kind:
		g.fail(n.Pos, "%s is no role-based list of the family of this permission", n.Text)
		return
	case empty(a):
		c.refuse("role-based list " + n.Text + " is empty")
		return
	}
	if s := meaningful(a.Other); s != nil {
		c.refuse(s.Words)
	}
	l := &list{acl: a}
	for _, e := range a.Entries {
		if e.ACE != nil {
			g.addLine(l, e, true)
		}
	}
	if l.refused != nil {
		c.refuse(fmt.Sprintf("a line of %s cannot be said: %s", n.Text, l.reason))
	}
	c.rules = append(c.rules, l.rules...)
}

func (c *roleCell) refuse(reason string) {
	if c.refused == "" {
		c.refused = reason
	}
}

func (g *securityGroups) listNames(kind grammar.ACLKind) (out []definition) {
	for _, a := range g.config.ACLs {
		if a.Kind == kind {
			out = append(out, definition{a.Name, a.Pos})
		}
	}
	return out
}

// checkTags refuses a cell whose source nobody is known to have: its hosts
// would be judged as if they had no tag. A destination that is addresses alone
// has no pod to protect, which is told; one that nothing maps is told by
// refuseUnmapped.
func (g *securityGroups) checkTags(c *roleCell) {
	if c.Default {
		return
	}
	if c.From != grammar.UnknownSGT && !g.maps(c.From, false) {
		c.refuse(fmt.Sprintf("no host has sgt %d: map it with cts role-based sgt-map workload NAME sgt %d", c.From, c.From))
	}
	if c.To != grammar.UnknownSGT && g.maps(c.To, false) && !g.maps(c.To, true) {
		g.note(c.id(), c.Pos, c.Text, policy.Refused,
			"sgt %d is addresses alone, and policies protect pods: map it with cts role-based sgt-map workload NAME sgt %d", c.To, c.To)
	}
}

// maps reports whether somebody, or some workload, has the tag.
func (g *securityGroups) maps(sgt uint16, workload bool) bool {
	return slices.ContainsFunc(g.ends, func(e *taggedEnds) bool {
		return e.sgt == sgt && (!workload || e.workload != "")
	})
}

// id names the line of a permission, on which its implicit deny counts.
func (c *roleCell) id() policy.RuleID {
	if c.Default {
		return policy.RuleID{ACL: "sgt default"}
	}
	return policy.RuleID{ACL: "sgt " + sgtName(c.From) + " to " + sgtName(c.To)}
}

func sgtName(sgt uint16) string {
	if sgt == grammar.UnknownSGT {
		return "unknown"
	}
	return fmt.Sprint(sgt)
}

// subjectOf gives the pods that a map's workload has for itself. What the
// workload's interface says of its port holds here, too.
func (g *securityGroups) subjectOf(i int) policy.Subject {
	e := g.ends[i]
	s := policy.Subject{Name: "workload " + e.workload, Selectors: e.pods.selectors()}
	if e.pods.equal(podsOf(e.peers.Selectors)) {
		s.Selectors = e.peers.Selectors
	}
	for _, f := range g.config.Interfaces {
		if f.Workload && f.Name == e.workload {
			s.NoHostPermit, s.AllowSpoofed = f.NoHostPermit, f.NoVerifySource
		}
	}
	return s
}

// protectUnknown protects the pods that have no tag, where a cell or a default
// governs them.
func (g *securityGroups) protectUnknown() {
	rest, pos, addresses := everyPod, grammar.Position{}, false
	for _, e := range g.ends {
		addresses = addresses || e.workload == ""
		rest = rest.minus(e.pods)
	}
	if i := slices.IndexFunc(g.config.RolePermissions, func(r *grammar.RolePermission) bool {
		return r.Default || r.To == grammar.UnknownSGT
	}); i >= 0 {
		pos = g.config.RolePermissions[i].Pos
	} else {
		return
	}
	s := policy.Subject{Name: "workloads without sgt", Selectors: rest.selectors()}
	switch {
	case len(rest) == 0:
		return
	case len(rest) > maxConjs:
		s.Selectors = []policy.Selector{{}}
		g.refuseGroup(grammar.UnknownSGT, s, policy.Dual, pos, "the mapped workloads leave too many combinations of labels")
	case addresses:
		g.refuseGroup(grammar.UnknownSGT, s, policy.Dual, pos, "which pods have no tag depends on the addresses of cts role-based sgt-map: map workloads instead")
	default:
		g.protect(grammar.UnknownSGT, s, pos, "")
	}
}

// refuseGroup refuses a policy, so that no other one on its pods stands alone.
func (g *securityGroups) refuseGroup(to uint16, s policy.Subject, f policy.Family, pos grammar.Position, reason string) {
	g.note(policy.RuleID{ACL: "sgt " + sgtName(to)}, pos, "", policy.Refused, "%s cannot be protected: %s", s.Name, reason)
	g.withheld = append(g.withheld, policy.Policy{ACL: "sgt " + sgtName(to), Subject: s, Direction: policy.Ingress, Family: f, Stateful: true})
}

// protect gives the policies on what reaches the subject.
func (g *securityGroups) protect(to uint16, s policy.Subject, pos grammar.Position, text string) {
	if len(s.Selectors) == 0 {
		g.note(policy.RuleID{ACL: "sgt " + sgtName(to)}, pos, text, policy.NoEffect, "every pod of %s has another tag", s.Name)
		return
	}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		if c := g.refusedCell(to, f == policy.IPv6); c != nil {
			g.refuseGroup(to, s, f, c.Pos, c.refused)
			continue
		}
		entries := g.entries(to, f == policy.IPv6)
		if entries == nil {
			continue
		}
		g.policies = append(g.policies, policy.Policy{
			ACL: "sgt " + sgtName(to), Subject: s, Direction: policy.Ingress, Family: f, Stateful: true, Rules: rulesOf(entries),
		})
	}
}

// refusedCell gives the first cell of a destination that cannot be applied; nil
// when all can.
func (g *securityGroups) refusedCell(to uint16, ipv6 bool) *roleCell {
	for _, r := range g.config.RolePermissions {
		c := g.cells[cellKey{r.From, r.To, r.IPv6, r.Default}]
		if r.IPv6 == ipv6 && (r.Default || r.To == to) && c.refused != "" {
			return c
		}
	}
	return nil
}

// A roleEntry is what becomes of the packets from some sources; without a cell
// they pass.
type roleEntry struct {
	*taggedEnds
	cell *roleCell
}

// entries give what becomes of every source; nil when nothing filters the
// destination. Sources that the last entry treats alike are left to it where no
// entry in between may have them.
func (g *securityGroups) entries(to uint16, ipv6 bool) (out []roleEntry) {
	filters := false
	last := roleEntry{&taggedEnds{peers: policy.Everybody()}, g.cell(grammar.UnknownSGT, to, ipv6)}
	for _, e := range g.ends {
		if e.workload != "" || e.ipv6 == ipv6 {
			out = append(out, roleEntry{e, g.cell(e.sgt, to, ipv6)})
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		apart := !slices.ContainsFunc(out[i+1:], func(e roleEntry) bool { return e.cell != out[i].cell && out[i].meets(e.taggedEnds) })
		if out[i].cell == last.cell && apart {
			out = slices.Delete(out, i, i+1)
		}
	}
	out = append(out, last)
	for _, e := range out {
		filters = filters || e.cell != nil
	}
	if !filters {
		return nil
	}
	return out
}

// cell gives the cell, or the default one, or nil when everything passes.
func (g *securityGroups) cell(from, to uint16, ipv6 bool) *roleCell {
	if c := g.cells[cellKey{from: from, to: to, ipv6: ipv6}]; c != nil {
		return c
	}
	return g.cells[cellKey{ipv6: ipv6, dflt: true}]
}

// meets reports whether a host may be in both.
func (e *taggedEnds) meets(o *taggedEnds) bool {
	if e.workload == "" || o.workload == "" {
		return true
	}
	return len(podsOf(e.peers.Selectors).intersect(podsOf(o.peers.Selectors))) > 0
}

// rulesOf writes entries as rules.
func rulesOf(entries []roleEntry) (out []policy.Rule) {
	for _, e := range entries {
		everything := policy.Match{Source: e.peers, Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
		if e.cell == nil {
			id := policy.RuleID{ACL: "sgt " + sgtName(e.sgt)}
			out = append(out, policy.Rule{ID: id, Text: "permit " + id.ACL, Source: sourceOf(e.pos), Action: policy.Permit, Uncounted: true, Match: everything})
			continue
		}
		for _, r := range e.cell.rules {
			r.Match.Source = e.peers
			out = append(out, r)
		}
		out = append(out, policy.Rule{ID: e.cell.id(), Text: e.cell.Text, Source: sourceOf(e.cell.Pos), Action: policy.Deny, Match: everything})
	}
	return out
}
