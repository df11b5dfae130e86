package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

/*
From an ordered list to permits without order

Policy objects are unions: whatever one of their rules permits, passes. A list
is ordered: what an earlier line denies, no later line permits. So the set of
permitted packets is computed exactly and cut into rules.

Cells. Protocols and destination ports are cut at every boundary that some line
mentions. Inside a cell every line either looks at no port or matches all of
them, so a cell is a list over peers alone:

	          1        22 23 24                      65535
	TCP       |----------|--|--------------------------|
	UDP       |----------------------------------------|
	SCTP, ICMP by type, all other protocols in one cell

Walk. In a cell, U is the set of peers that no line has decided. A permit moves
its part of U into P, a deny removes its part, and Next sets its part aside
until the walk comes to the line that it goes on at:

	permit m:  P += m & U;  U -= m          deny m:  U -= m
	next m:    J[goto] += m & U;  U -= m    at line i:  U += J[i]

Regions. Peers are pods, by label algebra, and addresses, by intervals. Whether
an address is a pod's is known only from the cluster's ranges. Without them a
deny of one kind before a permit of the other cannot be subtracted, and the
list is refused, naming what is missing.

Rules. P of all cells that have the same region becomes one rule with their
ports; what is common to every cell, of all protocols, becomes a rule without
ports, which is the only way to name protocols that have none.

Lines that a target cannot say. A permit is left out, which is narrower. A deny
keeps the whole list out as soon as a later permit overlaps it: leaving a deny
out would be wider.
*/

// OrderOptions are what Order is to know beside the policies.
type OrderOptions struct {
	Target Target
	// ClusterCIDRs are the pods' address ranges; empty when not known.
	ClusterCIDRs []netip.Prefix
	// Inventory says which addresses were the workloads' where the lists come
	// from; nil when nothing is known.
	Inventory *inventory.Inventory
	// AllowWider lets a line through without the condition that the target
	// cannot say. Such lines are reported Wider.
	AllowWider bool
	// Withheld are lists that are refused already: no list on the same pods
	// and direction may stand alone.
	Withheld []policy.Policy
}

// budget bounds the peers of one list's objects.
const budget = 10000

// Order gives what the policies mean together, as the target can say it: one
// policy for each part of a subject and direction. For targets without order
// all rules permit, but for those that deny natively and beat every permit.
// Findings say what is narrower, refused or without
// effect; a list with a finding of Seq 0 and State Refused has no policy.
func Order(policies []policy.Policy, o OrderOptions) (policy.Stack, []policy.Finding) {
	if o.AllowWider {
		return widened(policies, o)
	}
	return ordered(policies, o)
}

func ordered(policies []policy.Policy, o OrderOptions) (policy.Stack, []policy.Finding) {
	r := &orderer{options: o, ids: newIdentities(o.Inventory, o.ClusterCIDRs), simple: map[string]podSet{}, aimed: map[policy.RuleID]bool{}}
	if !o.Target.Verbatim {
		policies = r.objectsOnly(policies)
	}
	policies = r.named(r.throughServices(r.identify(policies)))
	if o.Target.Verbatim {
		return r.verbatim(policies), r.findings
	}
	var out []written
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		out = append(out, r.direction(d, policies)...)
	}
	r.noteAsides()
	return r.tiers(out), r.findings
}

func prefixSet(prefixes []netip.Prefix) addrSet {
	var out addrSet
	for _, p := range prefixes {
		out = append(out, policy.PrefixRange(p))
	}
	return newAddrSet(out...)
}

type orderer struct {
	options  OrderOptions
	ids      *identities
	findings []policy.Finding
	refused  map[*policy.Policy]bool
	// simple holds what simplified has found, for cells have much in common.
	simple map[string]podSet
	// asides are the lines that are not about the pods of their list, aimed
	// those that are about some.
	asides []aside
	aimed  map[policy.RuleID]bool
	// priorities are those of ClusterNetworkPolicies that are taken.
	priorities int
}

// refusal is why a list cannot be ordered: a line, or the list as a whole.
type refusal struct {
	list   *policy.Policy
	rule   *policy.Rule
	reason string
}

// part is a share of subjects that the same lists stand on.
type part struct {
	pods  conj // nodes where nodes is set
	lists []*policy.Policy
	nodes bool
}

// direction orders the lists of one direction.
func (o *orderer) direction(d policy.Direction, policies []policy.Policy) (out []written) {
	o.refused = map[*policy.Policy]bool{}
	var lists []*policy.Policy
	for i := range policies {
		switch p := &policies[i]; {
		case p.Direction != d:
		case len(p.Subject.Selectors) == 0:
			o.refuse(refusal{list: p, reason: o.nodesOwn(p)})
		case p.Subject.Nodes && !o.options.Target.Nodes:
			o.refuse(refusal{list: p, reason: "a node is the subject, which " + o.options.Target.Name + " cannot protect"})
		case p.Subject.NoHostPermit && d == policy.Ingress:
			lists = append(lists, p)
			o.refuse(refusal{list: p, reason: "\"no ip host-permit\" cannot be said: with policy objects a node always reaches its own pods"})
		default:
			lists = append(lists, p)
		}
	}
	for i := range o.options.Withheld {
		if p := &o.options.Withheld[i]; p.Direction == d && len(p.Subject.Selectors) > 0 {
			lists = append(lists, p)
			o.refused[p] = true
		}
	}
	onNode := func(l *policy.Policy) bool { return l.Subject.Nodes }
	onPods := func(l *policy.Policy) bool { return !l.Subject.Nodes }
	parts, bad := o.parts(slices.DeleteFunc(slices.Clone(lists), onNode), d)
	nodes, more := o.parts(slices.DeleteFunc(slices.Clone(lists), onPods), d)
	parts, bad = append(parts, nodes...), append(bad, more...)
	for _, l := range lists {
		if r := o.aim(l, parts, d); r != nil {
			bad = append(bad, *r)
		}
	}
	o.refuseAll(bad, parts)
	results := map[int]written{}
	for i, p := range parts {
		if slices.ContainsFunc(p.lists, func(l *policy.Policy) bool { return o.refused[l] }) {
			continue
		}
		ordered, refused := o.part(p, d)
		if refused != nil {
			o.refuseAll([]refusal{*refused}, parts)
			continue
		}
		results[i] = ordered
	}
	for i, p := range parts {
		if ordered, ok := results[i]; ok && !slices.ContainsFunc(p.lists, func(l *policy.Policy) bool { return o.refused[l] }) {
			out = append(out, ordered)
		}
	}
	return out
}

// refuseAll keeps lists out, and with them every list that shares a pod: one
// without the other would be wider than both.
func (o *orderer) refuseAll(bad []refusal, parts []part) {
	for _, r := range bad {
		o.refuse(r)
	}
	for changed := true; changed; {
		changed = false
		for _, p := range parts {
			i := slices.IndexFunc(p.lists, func(l *policy.Policy) bool { return o.refused[l] })
			for _, l := range p.lists {
				if i >= 0 && !o.refused[l] {
					o.refuse(refusal{list: l, reason: "stands on the same pods as " + p.lists[i].ACL + ", which is refused"})
					changed = true
				}
			}
		}
	}
}

func (o *orderer) refuse(r refusal) {
	if o.refused[r.list] {
		return
	}
	o.refused[r.list] = true
	if r.rule != nil {
		o.note(r.list, r.rule, policy.Refused, "%s", r.reason)
		r.reason = fmt.Sprintf("line %d cannot be left out: %s", r.rule.ID.Seq, r.reason)
	}
	o.note(r.list, nil, policy.Refused, "%s", r.reason)
}

func (o *orderer) note(l *policy.Policy, r *policy.Rule, state policy.State, format string, args ...any) {
	f := policy.Finding{ID: policy.RuleID{ACL: l.ACL}, State: state, Reason: fmt.Sprintf(format, args...)}
	if r != nil {
		f.ID, f.Source, f.Text = r.ID, r.Source, r.Text
	} else if i := slices.IndexFunc(l.Rules, func(r policy.Rule) bool { return r.Source.File != "" }); i >= 0 {
		f.Source = policy.Source{File: l.Rules[i].Source.File}
	}
	same := func(g policy.Finding) bool {
		return g.ID == f.ID && g.Source == f.Source && g.State == f.State && g.Reason == f.Reason
	}
	if !slices.ContainsFunc(o.findings, same) {
		o.findings = append(o.findings, f)
	}
}

// maxParts bounds how far subjects are split.
const maxParts = 256

// nodesOwn says why an interface has no object.
func (o *orderer) nodesOwn(p *policy.Policy) string {
	if o.options.Target.Nodes {
		return "a node's own interface has no policy object: only the enforcer filters it"
	}
	return "no workload stands behind interface " + p.Subject.Name + ": name the workload that it faces (interfaces: in an inventory), take the list as a router's between everyone (--transit " +
		p.ACL + "), or leave it to the enforcer, which filters a node's own interfaces"
}

// aim finds out which lines are about the list's pods. Lines about others have
// no effect; addresses of which nobody knows whether they are these pods'
// refuse the list.
func (o *orderer) aim(l *policy.Policy, parts []part, d policy.Direction) *refusal {
	permits, effective, doubtful := 0, 0, uncertain("")
	for i := range l.Rules {
		r := &l.Rules[i]
		end := ownEnd(r, d)
		if len(end.Addresses)+len(end.Masked) > 0 && (l.Subject.Nodes || !o.ids.known(l.Family) && !o.ids.claims(l.Family)) {
			return &refusal{l, r, "addresses stand where " + l.Subject.Name + " stands, and nothing says whether they are its pods': say so in an inventory (--inventory), or name the pods by an object-group with workload lines"}
		}
		about, why := o.about(l, r, parts, d)
		o.aimed[r.ID] = o.aimed[r.ID] || about || why != ""
		switch {
		case !about && why != "":
			doubtful = why
		case !about:
			o.asides = append(o.asides, aside{l, r})
		case midstream(r):
			o.note(l, r, policy.NoEffect, "connections are judged by their first packet, a SYN, which the line does not match")
		}
		if r.Action != policy.Permit || len(r.Match.Services) == 0 || end.Empty() || hostAlone(r, d) {
			continue
		}
		if !r.Uncounted {
			permits++
		}
		if about {
			effective++
		}
	}
	switch {
	case permits == 0 || effective > 0:
		return nil
	case doubtful != "":
		return &refusal{list: l, reason: "no permit of the list is about the pods of " + l.Subject.Name + " for certain: " + string(doubtful)}
	}
	return &refusal{list: l, reason: "no permit of the list is about the pods of " + l.Subject.Name + ": the object would deny everything"}
}

// about reports whether a line is about some of the list's pods, or why that
// is in doubt.
func (o *orderer) about(l *policy.Policy, r *policy.Rule, parts []part, d policy.Direction) (about bool, why uncertain) {
	for _, p := range parts {
		if !slices.Contains(p.lists, l) {
			continue
		}
		if p.covers(r, d) {
			return true, ""
		}
		if reason := o.doubts(p, l, r, d); reason != "" {
			why = reason
		}
	}
	return false, why
}

// doubts gives the reason why a line may be about some of the part's pods,
// which nothing tells apart; "" when it is not about them.
func (o *orderer) doubts(p part, l *policy.Policy, r *policy.Rule, d policy.Direction) uncertain {
	if p.nodes {
		return ""
	}
	pods, why := o.ids.ownDoubt(ownEnd(r, d), l.Family)
	if len(podSet{p.pods}.intersect(pods)) == 0 {
		return ""
	}
	return why
}

// aside is a line that is about others than a list's pods.
type aside struct {
	list *policy.Policy
	rule *policy.Rule
}

// noteAsides says of the lines that are about no one's pods that they have no
// effect. What has lost its other family is no line of its own.
func (o *orderer) noteAsides() {
	for _, a := range o.asides {
		if !o.aimed[a.rule.ID] && (!ownEnd(a.rule, a.list.Direction).Empty() || a.list.Family == policy.Dual) {
			o.note(a.list, a.rule, policy.NoEffect, "is not about the pods of %s", a.list.Subject.Name)
		}
	}
}

// midstream reports a line that matches TCP only, and no packet that starts a
// connection.
func midstream(r *policy.Rule) bool {
	return len(r.Match.Services) > 0 && !slices.ContainsFunc(r.Match.Services, func(s policy.Service) bool {
		return s.Protocols != policy.Bytes(policy.TCP) || s.Flags.Has(policy.SYN)
	})
}

// covers reports whether a line is about the part's pods: about all of them,
// then, as the part is cut along the lines.
func (p part) covers(r *policy.Rule, d policy.Direction) bool {
	end := ownEnd(r, d)
	if p.nodes {
		return end.Any || slices.Contains(end.Entities, policy.Cluster) || slices.Contains(end.Entities, policy.Host)
	}
	return end.Any || slices.Contains(end.Entities, policy.Cluster) || slices.ContainsFunc(podsOf(end.Selectors), p.pods.implies)
}

// parts splits the subjects until every list and every line covers a part
// wholly or not at all.
func (o *orderer) parts(lists []*policy.Policy, d policy.Direction) ([]part, []refusal) {
	var cuts, pods podSet
	for _, l := range lists {
		pods = pods.union(podsOf(l.Subject.Selectors))
		cuts = append(cuts, podsOf(l.Subject.Selectors)...)
	}
	for _, l := range lists {
		for i := range l.Rules {
			if l.Subject.Nodes {
				break // labels on a line are those of pods
			}
			end := ownEnd(&l.Rules[i], d)
			doubtful, _ := o.ids.ownDoubt(end, l.Family)
			cuts = append(append(cuts, podsOf(end.Selectors)...), doubtful...)
		}
	}
	// A cut inside another one is a cut of its own: only equal ones are one.
	slices.SortFunc(cuts, func(a, b conj) int { return strings.Compare(a.String(), b.String()) })
	cuts = slices.CompactFunc(cuts, func(a, b conj) bool { return a.String() == b.String() })
	pieces := splitAll(pods, cuts)
	if len(pieces) > maxParts {
		var bad []refusal
		for _, l := range lists {
			bad = append(bad, refusal{list: l, reason: fmt.Sprintf("the subjects overlap in more than %d ways", maxParts)})
		}
		return nil, bad
	}
	var parts []part
	for _, c := range pieces {
		p := part{pods: c, nodes: lists[0].Subject.Nodes}
		for _, l := range lists {
			if slices.ContainsFunc(podsOf(l.Subject.Selectors), c.implies) {
				p.lists = append(p.lists, l)
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func splitAll(pods, cuts podSet) podSet {
	for _, cut := range cuts {
		var next podSet
		for _, c := range pods {
			if both, some := c.and(cut...); some {
				next = append(next, both)
			}
			next = append(next, c.minus(cut)...)
			if len(next) > maxParts {
				return next
			}
		}
		pods = next
	}
	return pods.reduced()
}

// ownEnd gives the end of a line that is the subject's, peerEnd the other one.
func ownEnd(r *policy.Rule, d policy.Direction) *policy.Peers {
	if d == policy.Ingress {
		return &r.Match.Destination
	}
	return &r.Match.Source
}

func peerEnd(r *policy.Rule, d policy.Direction) *policy.Peers { return ownEnd(r, d.Opposite()) }

// part orders the lists of one part.
func (o *orderer) part(p part, d policy.Direction) (written, *refusal) {
	t := o.options.Target
	switch {
	case !t.Clusterwide && !p.pods.inNamespace():
		return written{}, o.homeless(p, "an object lives in one")
	case !t.NamespaceLabels && onNamespaceLabels(p.pods):
		return written{}, o.byNamespace(p)
	case t.PodsAlone && d == policy.Ingress:
		if out, ok, bad := o.fromPods(p); ok {
			return out, bad
		}
		if !p.pods.inNamespace() {
			return written{}, o.homeless(p, "the list needs a NetworkPolicy, which lives in one")
		}
		if onNamespaceLabels(p.pods) {
			return written{}, o.byNamespace(p)
		}
	case t.Ordered:
		s := &saying{orderer: o, part: p, direction: d}
		if s.say() {
			return s.result()
		}
	}
	return o.byCells(p, d)
}

// byCells orders the lists of one part for a target without order.
func (o *orderer) byCells(p part, d policy.Direction) (out written, bad *refusal) {
	w := newWalk(o, p, d)
	w.takeNativeDenies()
	if bad := w.walkCells(); bad != nil {
		return out, bad
	}
	if n := w.countPeers(); n > budget {
		return out, w.tooLarge(n)
	}
	rules := w.rules()
	if bad := w.mute(rules); bad != nil {
		return out, bad
	}
	if t := o.options.Target; t.Ordered && !(t.PodsAlone && d == policy.Ingress) {
		s := &saying{orderer: o, part: p, direction: d}
		bad = s.permits(rules, &out)
	} else {
		out.union = []policy.Policy{p.policy(d, rules)}
	}
	w.report()
	return out, bad
}

func countPeers(rules []policy.Rule) (n int) {
	for i := range rules {
		for _, p := range []*policy.Peers{&rules[i].Match.Source, &rules[i].Match.Destination} {
			n += len(p.Addresses) + len(p.Outside) + len(p.Selectors)
		}
	}
	return n
}

func (o *orderer) simplified(s podSet) podSet {
	key := s.String()
	out, ok := o.simple[key]
	if !ok {
		out = s.simplified()
		o.simple[key] = out
	}
	return out
}

// families are those that the part's lists govern.
func (p part) families() (f policy.Family) {
	for _, l := range p.lists {
		f |= l.Family
	}
	return f
}

func (p part) names() string {
	var names []string
	for _, l := range p.lists {
		names = append(names, l.ACL)
	}
	return strings.Join(slices.Compact(names), listSeparator)
}

// listSeparator joins the names of lists that one policy comes from. No name
// holds a space behind a comma.
const listSeparator = ", "

func (p part) subject() string {
	var names []string
	for _, l := range p.lists {
		names = append(names, l.Subject.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), listSeparator)
}
