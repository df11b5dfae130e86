package translate

import (
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// takeNativeDenies leaves to the target's own deny rules those denies that
// commute: no earlier permit overlaps them, so that beating every permit is
// what the order says too.
func (w *cellWalk) takeNativeDenies() {
	if !w.options.Target.Deny || w.options.Target.Ordered || len(w.part.lists) != 1 {
		return
	}
	l := w.part.lists[0]
	for i := range l.Rules {
		r := &l.Rules[i]
		if r.Action == policy.Next {
			return // what follows is asked under a condition
		}
		if r.Action != policy.Deny || !w.own[r] || w.doubtful[r] != "" {
			continue
		}
		if !w.overlaps(l, i, l.Rules[i+1:]) || w.overlaps(l, i, l.Rules[:i]) {
			continue
		}
		services := w.denied(r)
		if len(services) == 0 {
			continue
		}
		w.native[r] = true
		w.denies = append(w.denies, w.rule(policy.Deny, plainPeers(*peerEnd(r, w.direction)), services, []policy.RuleID{r.ID}))
	}
}

// denied gives the services of a line that a deny rule says exactly; none when
// it cannot. Addresses would miss pods, which no CIDR matches.
func (w *cellWalk) denied(r *policy.Rule) []policy.Service {
	p := peerEnd(r, w.direction)
	if !p.Any && (len(p.Addresses)+len(p.Masked)+len(p.FQDNs) > 0 || len(p.Entities) > 0 && !w.space.entities) || r.Match.HTTP != nil {
		return nil
	}
	reach := w.reach(r)
	if len(reach.part) > 0 {
		return nil
	}
	g, others := &group{}, false
	for _, s := range reach.all {
		if s == (span{0, len(w.cells)}) {
			return []policy.Service{policy.AnyService()}
		}
		for i := s.from; i < s.to; i++ {
			others = others || w.cells[i].protocol == otherProtocols
			g.cells = append(g.cells, &w.cells[i])
		}
	}
	if others || w.zeroAlone(g.cells) {
		return nil
	}
	return g.services()
}

// overlaps reports whether one of the permits may share a packet with line i.
func (w *cellWalk) overlaps(l *policy.Policy, i int, others []policy.Rule) bool {
	mine, doubtful := w.region(&l.Rules[i], l.Family)
	if doubtful != "" {
		mine = mine.union(w.space.doubtful(peerEnd(&l.Rules[i], w.direction), l.Family))
	}
	reach := w.reach(&l.Rules[i])
	for j := range others {
		r := &others[j]
		if r.Action != policy.Permit || !w.own[r] || !w.reach(r).meets(reach) {
			continue
		}
		theirs, unsure := w.region(r, l.Family)
		if w.isSpecial(r) {
			theirs = w.space.doubtful(peerEnd(r, w.direction), l.Family)
		}
		if unsure == "" && mine.intersect(theirs).empty() && !w.mixes(mine, theirs, l.Family) {
			continue
		}
		return true
	}
	return false
}

// group is the cells that permit the same peers.
type group struct {
	region region
	whole  bool
	cells  []*cell
	also   []*cell // what the rule names too, to name a cell
}

// countPeers gives the peers that the rules need: those of each rule, without
// what is common to all of them.
func (w *cellWalk) countPeers() int {
	common := w.common()
	n := len(common.region.addrs) + len(common.region.pods)
	for _, g := range w.groups(common) {
		if !g.whole {
			n += g.region.addrs.beyond(common.region.addrs) + len(g.region.pods)
		}
	}
	return n
}

// rules turns the cells into rules.
func (w *cellWalk) rules() []policy.Rule {
	common := w.common()
	rules := slices.Clone(w.denies)
	if !common.region.empty() {
		rules = append(rules, w.rule(policy.Permit, w.peers(common), []policy.Service{policy.AnyService()}, w.ranks.lines(&w.cells[0])))
	}
	for _, g := range w.groups(common) {
		rules = append(rules, w.rule(policy.Permit, w.peers(g), g.services(), w.ranks.lines(g.cells...)))
	}
	return append(rules, w.specialRules()...)
}

// common is what every cell permits.
func (w *cellWalk) common() *group {
	if w.shared != nil {
		return w.shared
	}
	all := w.part.families()
	g := &group{region: w.space.whole(all), whole: true}
	seen := map[outcomeIn]bool{}
	for i := range w.cells {
		c := &w.cells[i]
		if seen[c.in()] {
			continue
		}
		seen[c.in()] = true
		// What the cell has no packets of, it does not keep out.
		g.region = g.region.intersect(region{c.permitted.pods, c.permitted.addrs.union(wholeFamilies(all &^ c.families)), c.permitted.roles})
		g.whole = g.whole && c.whole
	}
	if !g.region.empty() {
		g.region.pods = w.simplified(g.region.pods)
	}
	w.shared = g
	return g
}

// outcomeIn tells apart what cells permit, and the families that they hold.
type outcomeIn struct {
	number   uint32
	families policy.Family
}

func (c *cell) in() outcomeIn { return outcomeIn{c.number, c.families} }

// beyond reports whether a cell permits more than what is common.
func (c *cell) beyond(common *group) bool {
	return !c.permitted.empty() && !common.whole &&
		!c.permitted.equal(region{common.region.pods, common.region.addrs.intersect(wholeFamilies(c.families)), common.region.roles})
}

// groups unites the nameable cells that permit the same and more than what is
// common.
func (w *cellWalk) groups(common *group) (out []*group) {
	index := map[uint32]*group{}
	beyond := map[outcomeIn]bool{}
	for i := range w.cells {
		c := &w.cells[i]
		if !w.nameable(c) {
			continue
		}
		more, ok := beyond[c.in()]
		if !ok {
			more = c.beyond(common)
			beyond[c.in()] = more
		}
		if !more {
			continue
		}
		g := index[c.number]
		if g == nil {
			g = &group{region: c.permitted, whole: c.whole}
			index[c.number], out = g, append(out, g)
		}
		g.cells = append(g.cells, c)
	}
	for _, g := range out {
		w.settleZero(g)
	}
	return slices.DeleteFunc(out, func(g *group) bool { return len(g.cells) == 0 })
}

func (w *cellWalk) nameable(c *cell) bool {
	return policy.HasPorts(c.protocol) || c.protocol != otherProtocols && !c.foreign && w.options.Target.ICMP
}

// services gives one service for each protocol of the group.
func (g *group) services() (out []policy.Service) {
	for _, protocol := range celled {
		var ranges []policy.Range
		for _, c := range slices.Concat(g.cells, g.also) {
			if c.protocol != protocol {
				continue
			}
			r := policy.Range{First: c.first, Last: c.last}
			if !policy.HasPorts(protocol) {
				r = policy.Range{First: c.first << 8, Last: c.last<<8 | 255}
			}
			ranges = append(ranges, r)
		}
		if len(ranges) == 0 {
			continue
		}
		s := policy.ServiceOf(policy.Bytes(protocol))
		switch set := policy.NewRanges(ranges...); {
		case !policy.HasPorts(protocol):
			s.ICMP = set
		case !slices.Equal(set, policy.Ranges{{First: 1, Last: 65535}}):
			s.DestinationPorts = set
		}
		out = append(out, s)
	}
	return out
}

func (w *cellWalk) peers(g *group) policy.Peers {
	if g.whole {
		return policy.Everybody()
	}
	addrs, entities := w.entitiesOf(g.region)
	p := policy.Peers{Addresses: addrs, Selectors: g.region.pods.selectors(), Entities: entities}
	if w.options.Target.AddressesAreNoPods {
		p.Addresses, p.Outside = nil, addrs
	}
	return p
}

// rule gives a rule on the subject's peers. Its text names the lines that it
// comes from.
func (w *cellWalk) rule(a policy.Action, peers policy.Peers, services []policy.Service, lines []policy.RuleID) policy.Rule {
	r := policy.Rule{Action: a, Text: lineList(lines), Match: policy.Match{Source: peers, Destination: policy.Everybody(), Services: services}}
	if w.direction == policy.Egress {
		r.Match.Source, r.Match.Destination = r.Match.Destination, r.Match.Source
	}
	if len(lines) > 0 {
		r.ID = lines[0]
	}
	return r
}

// report says what the rules lack of the lists.
func (w *cellWalk) report() {
	for _, l := range w.part.lists {
		for i := range l.Rules {
			if why, ok := w.left[&l.Rules[i]]; ok {
				w.note(l, &l.Rules[i], policy.Refused, "left out: %s", why)
			}
		}
	}
	w.reportTracking(w.part)
	w.reportFamilies()
	w.reportUnnameable()
	w.reportAddresses()
	w.reportSpecials()
}

func (w *cellWalk) reportFamilies() {
	families := w.part.families()
	if families == policy.Dual || w.options.Target.Families {
		return
	}
	missing := map[policy.Family]string{policy.IPv4: "IPv6", policy.IPv6: "IPv4"}[families]
	if w.ids.podless(policy.Dual &^ families) {
		w.note(w.part.lists[0], nil, policy.NoEffect, "the object filters %s too, but no range of the cluster is %s: no pod has such an address", missing, missing)
		return
	}
	w.note(w.part.lists[0], nil, policy.Narrower, "no %s list stands on %s: the object filters %s too, by the same rules (a cluster without %s says so by its ranges: --cluster-cidr)", missing, w.part.subject(), missing, missing)
}

// reportUnnameable names the lines that permit protocols which no rule names.
func (w *cellWalk) reportUnnameable() {
	common := w.common()
	w.reportZero(common)
	for i := range w.cells {
		c := &w.cells[i]
		if w.nameable(c) || c.foreign || !c.beyond(common) {
			continue
		}
		w.noteLines(c, fmt.Sprintf("only %s can be named, not %s", nameableText(w.options.Target), unnameableText(w.options.Target)))
	}
}

// mute refuses lists whose permits the target can say none of: an object that
// denies everything is not what they are.
func (w *cellWalk) mute(rules []policy.Rule) *refusal {
	if slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Action == policy.Permit }) {
		return nil
	}
	unsaid := len(w.left) > 0
	for i := range w.cells {
		unsaid = unsaid || !w.cells[i].permitted.empty()
	}
	if !unsaid {
		return nil
	}
	return &refusal{list: w.part.lists[0], reason: w.options.Target.Name + " can say nothing of what the list permits: the object would deny everything"}
}

func nameableText(t Target) string {
	if t.ICMP {
		return "TCP, UDP, SCTP and ICMP"
	}
	return "TCP, UDP and SCTP"
}

func unnameableText(t Target) string {
	if t.ICMP {
		return "other protocols"
	}
	return "ICMP and other protocols"
}

func (w *cellWalk) reportAddresses() {
	if !w.options.Target.AddressesAreNoPods {
		return
	}
	reason := "addresses match no pods: give the cluster's ranges (--cluster-cidr) and name pods by labels"
	if w.space.known(w.part.families()) {
		reason = "addresses match no nodes of the cluster"
	}
	if w.lostNodes || w.permitsByAddress() {
		w.note(w.part.lists[0], nil, policy.Narrower, "in %s %s", w.options.Target.Name, reason)
	}
}

// permitsByAddress reports whether some of the permitted peers have to be
// named by their addresses, or some line names nodes so.
func (w *cellWalk) permitsByAddress() bool {
	for r, own := range w.own {
		p := peerEnd(r, w.direction)
		if own && w.space.entities && r.Action == policy.Permit && !p.Any && len(p.Addresses)+len(p.Masked) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(w.cells, func(c cell) bool {
		byRole := w.space.entities && slices.Equal(c.permitted.addrs, w.space.outside(c.families&w.part.families()))
		return !c.whole && len(c.permitted.addrs) > 0 && (!byRole || w.space.byAddress)
	})
}

// plainPeers gives peers that say no more than everybody where they are.
func plainPeers(p policy.Peers) policy.Peers {
	if p.Any {
		return policy.Everybody()
	}
	return p
}
