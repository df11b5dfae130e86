package translate

import (
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// listKey says how a list is read: statefully on a pod's port, where a line
// with "established" has nothing left to say.
type listKey struct {
	name     string
	stateful bool
}

// A list is an access-list as rules, for every place that it is bound to.
type list struct {
	acl   *grammar.ACL
	rules []policy.Rule
	// refused is the first deny that no rule can say; nil when there is none.
	refused *grammar.Entry
	reason  string
}

// A line is what one ACE says.
type line struct {
	entry *grammar.Entry
	match policy.Match
	// unsaid is the first thing on the line that a policy cannot carry; empty
	// when it carries all of it.
	unsaid string
}

// resolveLists looks at the names on every line, so that a mistake is told
// before the list is bound.
func (t *compiler) resolveLists() {
	for _, a := range t.config.ACLs {
		for _, e := range a.Entries {
			if e.ACE != nil && a.Kind.FiltersPackets() {
				t.line(e)
			}
		}
	}
}

// compileList gives the rules of a list; they are made once for each reading.
func (t *compiler) compileList(a *grammar.ACL, stateful bool) *list {
	key := listKey{t.nameOf(a), stateful}
	if l := t.lists[key]; l != nil {
		return l
	}
	l := &list{acl: a}
	t.lists[key] = l
	if !a.Kind.FiltersPackets() {
		l.refused, l.reason = &grammar.Entry{Pos: a.Pos, Text: a.Kind.Header(a.Name)}, notAFilter(a)
		return l
	}
	if s := meaningful(a.Other); s != nil {
		l.refused, l.reason = &grammar.Entry{Pos: s.Pos, Text: s.Text}, s.Words
		return l
	}
	for _, e := range a.Entries {
		if e.ACE != nil {
			t.addLine(l, e, stateful)
		}
	}
	if a.Kind == grammar.IPv6 && !stateful {
		l.rules = append(l.rules, neighbourRule(a, 136, "permit icmp any any nd-na"), neighbourRule(a, 135, "permit icmp any any nd-ns"))
	}
	return l
}

// notAFilter says why a list of another kind filters no packets.
func notAFilter(a *grammar.ACL) string {
	if a.Kind == grammar.RoleBased || a.Kind == grammar.RoleBased6 {
		return "a role-based list filters between security groups only"
	}
	return "the addresses behind DNS names are not known here"
}

// addLine adds the rule of a line. A permit that cannot be said is left out:
// its packets fall to the lines below, which permit them only where the text
// permits them too. A deny that cannot be said would let them pass.
func (t *compiler) addLine(l *list, e *grammar.Entry, stateful bool) {
	id := policy.RuleID{ACL: t.nameOf(l.acl), Seq: e.Seq}
	n := t.line(e)
	if n.unsaid != "" {
		t.note(id, e.Pos, textOf(e), policy.Refused, "%s", n.unsaid)
		if e.ACE.Action == grammar.Deny && l.refused == nil {
			l.refused, l.reason = e, n.unsaid
		}
		return
	}
	if e.ACE.Inactive {
		t.note(id, e.Pos, textOf(e), policy.NoEffect, "the line is inactive")
		return
	}
	if stateful {
		t.stateful(id, n)
	}
	r := policy.Rule{
		ID: id, Text: textOf(e), Source: sourceOf(e.Pos), Action: actionOf(e.ACE), Log: e.ACE.Log.On, Match: n.match,
		LogForm: logForm(e.ACE), LogCookie: e.ACE.Log.Cookie,
	}
	if t.reflexive(&r, e.ACE, e.Pos, stateful) {
		l.rules = append(l.rules, r)
	}
}

// logForm gives the words of a line's log messages: a standard list's name the
// source alone.
func logForm(ace *grammar.ACE) policy.LogForm {
	switch {
	case !ace.Log.On:
		return policy.LogFlow
	case ace.Log.Input:
		return policy.LogInput
	case ace.Kind == grammar.Standard:
		return policy.LogSource
	}
	return policy.LogFlow
}

// stateful takes away what a line has no say in on a pod's port: replies pass
// by their connection and later fragments by their first one. A packet in
// mid-stream without a connection is judged as new, so that a line which
// permits it by its flags would open a connection for it.
func (t *compiler) stateful(id policy.RuleID, n *line) {
	ace := n.entry.ACE
	switch {
	case ace.Fragments:
		t.note(id, n.entry.Pos, textOf(n.entry), policy.NoEffect, "later fragments have the verdict of their first fragment on a pod's port")
	case ace.Action == grammar.Permit && ace.Flags != nil && ace.Flags.Match == grammar.Established:
		n.match.Services = nil
		t.note(id, n.entry.Pos, textOf(n.entry), policy.NoEffect, "replies pass by their connection on a pod's port, and the line permits no new one")
	}
}

func textOf(e *grammar.Entry) string {
	if e.ACE == nil {
		return e.Text
	}
	return e.ACE.String()
}

// meaningful gives the first kept statement that would change a verdict.
func meaningful(kept []*grammar.Statement) *grammar.Statement {
	if i := slices.IndexFunc(kept, func(s *grammar.Statement) bool { return !s.Harmless }); i >= 0 {
		return kept[i]
	}
	return nil
}

func actionOf(a *grammar.ACE) policy.Action {
	if a.Action == grammar.Deny {
		return policy.Deny
	}
	return policy.Permit
}

// neighbourRule is one of the two permits that stand before the implicit deny
// of an IPv6 list on a router.
func neighbourRule(a *grammar.ACL, icmpType uint8, text string) policy.Rule {
	s := policy.ServiceOf(policy.Bytes(policy.ICMPv6))
	s.ICMP = anyCode(icmpType)
	return policy.Rule{
		ID: policy.RuleID{ACL: a.Name}, Text: text, Source: sourceOf(a.Pos), Action: policy.Permit, Uncounted: true,
		Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{s}},
	}
}

// line gives the meaning of an ACE. Names that are not defined are recorded as
// errors.
func (t *compiler) line(e *grammar.Entry) *line {
	a := e.ACE
	n := &line{entry: e, unsaid: unsaid(a)}
	if a.Action == grammar.Evaluate || a.Inactive {
		return n
	}
	n.match.Source = t.peers(n, a.Source)
	n.match.Destination = t.peers(n, a.Destination)
	n.match.Services = t.servicesOf(a)
	n.match.Fragments = a.Fragments
	t.nodeOnly(n)
	if a.Dialect == grammar.ASA {
		t.checkASA(n)
	}
	return n
}

// unsaid names the first word of a line that policies have no field for.
func unsaid(a *grammar.ACE) string {
	var why string
	switch {
	case a.Dynamic.Text != "":
		why = "dynamic entries are not supported"
	case a.TimeRange.Text != "" && a.Dialect != grammar.IOS:
		why = "time-range is not supported"
	case a.Option != nil:
		why = "option is not supported"
	case a.FlowLabel != nil:
		why = "flow-label is not supported"
	case igmpUnsaid(a) != "":
		why = igmpUnsaid(a)
	case a.User.Text != "":
		why = a.User.Text + " is not supported"
	case a.SourceTag.Text != "" || a.DestinationTag.Text != "":
		why = "security groups are not supported"
	case a.Dialect == grammar.NXOS && a.Flags != nil && a.Flags.Match != grammar.Established:
		why = "TCP flags other than established are not supported in NX-OS"
	default:
		why = unsaidExtra(a)
	}
	return why
}

// unsaidExtra names the first further word that would change a verdict. Those
// that only count or copy packets do not.
func unsaidExtra(a *grammar.ACE) string {
	for _, e := range a.Extra {
		if word, _, _ := strings.Cut(e.Text, " "); word != "counter" && word != "capture" {
			return e.Text + " is not supported"
		}
	}
	return ""
}

// peers gives the set of an address. What the set cannot hold goes to the
// line's unsaid.
func (t *compiler) peers(n *line, a grammar.Address) policy.Peers {
	switch a.Kind {
	case grammar.AnyAddress:
		if n.entry.ACE.Dialect != grammar.ASA || !a.Addr.IsValid() {
			return policy.Everybody()
		}
		return policy.Peers{Addresses: []policy.AddrRange{everyAddress(a.Addr)}}
	case grammar.AddressGroup, grammar.AddressObject, grammar.PolicyGroup:
		return t.groupPeers(n, a)
	case grammar.HostAddress, grammar.MaskedAddress:
		var p policy.Peers
		addMasked(&p, a.Addr, a.Wildcard)
		return p
	}
	if n.unsaid == "" {
		n.unsaid = a.String() + " is not supported"
	}
	return policy.Peers{}
}

func (t *compiler) groupPeers(n *line, a grammar.Address) policy.Peers {
	name := a.Group
	what := "addresses"
	if a.Kind == grammar.AddressObject {
		what = "one address"
	}
	g := t.groupOf(name, what, named[a.Kind]...)
	if g == nil {
		return policy.Peers{}
	}
	net := t.networkGroup(g)
	v6, both := n.entry.ACE.Kind.IsIPv6(), n.entry.ACE.Dialect == grammar.ASA
	if !both && (v6 && net.ipv4 || !v6 && net.ipv6) {
		t.fail(name.Pos, "object-group %s holds addresses of the other family, which this list does not govern", name.Text)
	}
	if net.unsaid != "" && n.unsaid == "" {
		n.unsaid = net.unsaid
	}
	return net.peers
}

// undefinedList records a list that is bound but not defined, which is no
// mistake in IOS: it permits everything.
func (t *compiler) undefinedList(name grammar.Name, where, text string) {
	reason := "access-list " + name.Text + " is not defined: " + where + " is not filtered"
	var all []definition
	for _, a := range t.config.ACLs {
		all = append(all, definition{a.Name, a.Pos})
	}
	if d, ok := closest(name.Text, all); ok {
		reason += " (did you mean " + d.name + " at " + d.pos.String() + "?)"
	}
	t.note(policy.RuleID{ACL: name.Text}, name.Pos, text, policy.NoEffect, "%s", reason)
}

// keptList reports a mistake when a statement that nobody understands names
// the list: it may define it, and then it is not true that nothing is filtered.
func (t *compiler) keptList(name grammar.Name) bool {
	for _, s := range t.config.Other {
		if !s.Known && slices.Contains(strings.Fields(s.Words), name.Text) {
			t.fail(name.Pos, "access-list %s is not understood where it is defined: %s", name.Text, s.Words)
			return true
		}
	}
	return false
}

// empty reports whether a list has no line: remarks do not count.
func empty(a *grammar.ACL) bool {
	return !slices.ContainsFunc(a.Entries, func(e *grammar.Entry) bool { return e.ACE != nil })
}

// bindInterfaces gives each access-group its policy.
func (t *compiler) bindInterfaces() {
	for _, i := range t.config.Interfaces {
		t.refuseCommon(i)
		second := t.secondFilter(i)
		if len(i.Bindings) == 0 {
			continue
		}
		subject, ok := t.subject(i)
		for _, b := range i.Bindings {
			a := t.listOf(b)
			if t.applied[b.ACL.Text] = true; a != nil {
				t.applied[t.nameOf(a)] = true
			}
			switch onPods := len(subject.Selectors) > 0; {
			case !ok || !onPods && t.isTransit(a):
			case a != nil && second:
				t.withhold(a, subject, directionOf(subject, b), b.Pos, b.Text, "another filter of the interface")
			case a != nil && !onPods && t.config.Dialect != grammar.IOS:
				t.unmapped(a, b, "interface "+i.Name)
			default:
				t.bind(a, b, subject)
			}
		}
	}
}

// refuseCommon refuses a list that stands before the others of an interface.
func (t *compiler) refuseCommon(i *grammar.Interface) {
	for _, s := range i.Other {
		if strings.HasPrefix(s.Words, "ip access-group common") || strings.HasPrefix(s.Words, "ipv6 traffic-filter common") {
			t.fail(s.Pos, "a common list is not supported: bind one list that says both")
		}
	}
}

func (t *compiler) bind(a *grammar.ACL, b grammar.Binding, s policy.Subject) {
	d := directionOf(s, b)
	where := s.Name + " " + d.String()
	switch {
	case a == nil && t.keptList(b.ACL):
	case a == nil:
		t.undefinedList(b.ACL, where, b.Text)
	case a.Kind.IsIPv6() != b.IPv6:
		t.fail(b.ACL.Pos, "%s is an access-list of the other family", b.ACL.Text)
	case empty(a):
		t.note(policy.RuleID{ACL: t.nameOf(a)}, b.Pos, b.Text, policy.NoEffect, "access-list %s is empty: %s is not filtered", a.Name, where)
	case !t.refuseOptions(a, b, s, d):
		t.put(a, s, d)
	}
}

func familyOf(a *grammar.ACL) policy.Family {
	switch {
	case a.Kind.IsIPv6():
		return policy.IPv6
	case a.Dialect == grammar.ASA:
		return policy.Dual
	}
	return policy.IPv4
}

// directionOf turns IOS's directions around for pods: "out" leaves the switch
// port towards the pod. On a node's own interface "in" is into the node.
func directionOf(s policy.Subject, b grammar.Binding) policy.Direction {
	d := towardsPods(b.Direction)
	if len(s.Selectors) == 0 {
		d = d.Opposite()
	}
	return d
}

// subject gives what an interface stands for; false when it stands for
// nothing that can be filtered.
func (t *compiler) subject(i *grammar.Interface) (policy.Subject, bool) {
	if w := t.behind(i.Name); !i.Workload && w != nil {
		return facing(w), true
	}
	if !i.Workload {
		return policy.Subject{Name: i.Name, Interface: i.Name}, true
	}
	s := policy.Subject{Name: "workload " + i.Name, NoHostPermit: i.NoHostPermit, AllowSpoofed: i.NoVerifySource}
	selectors, ok := t.workload(i)
	s.Selectors = selectors
	return s, ok
}

// workload gives the pods of a workload interface: the object-group of its
// name, which must hold workloads only.
func (t *compiler) workload(i *grammar.Interface) ([]policy.Selector, bool) {
	g := t.config.ObjectGroup(i.Name)
	if g == nil {
		t.undefined(grammar.Name{Text: i.Name, Pos: i.Pos}, "object-group", t.groupsOf(grammar.NetworkGroup, grammar.NetworkGroup6))
		return nil, false
	}
	if !g.Kind.HoldsAddresses() {
		t.fail(i.Pos, "object-group %s holds %s, want workloads", i.Name, held[g.Kind])
		return nil, false
	}
	n := t.networkGroup(g)
	switch {
	case n.other != nil:
		t.fail(n.other.Pos, "object-group %s stands for the pods of interface workload %s and may hold workloads only", i.Name, i.Name)
		return nil, false
	case len(n.peers.Selectors) == 0:
		t.note(policy.RuleID{ACL: "interface workload " + i.Name}, i.Pos, "interface workload "+i.Name, policy.NoEffect,
			"object-group %s is empty: there are no pods to filter", i.Name)
		return nil, false
	}
	return n.peers.Selectors, true
}
