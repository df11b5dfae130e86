package translate

import (
	"fmt"
	"slices"
	"strings"

	"aclium/translate/policy"
)

/*
Requests and names

A line that looks at requests, or names its peers by the DNS, says more than
peers and ports, and sets cannot be subtracted from it. Objects that know such
lines are unions, so a permit becomes a rule of its own, if only

	no earlier line that the walk has taken may deny the same packets, and
	a request that does not fit, or another name, is left to the lines below,
	which is what a union does with it, too.

Such lines take nothing from what is undecided. As a deny they cannot be said.
A rule means both families where lists of both stand on the pods, so that both
must hold such a line.
*/

// A special is such a line in the cells where it permits.
type special struct {
	rule *policy.Rule
	// permitted holds the peers by cell and family; the zero region for names.
	permitted map[int]map[policy.Family]region
}

// isSpecial reports a line that looks at requests, or at names where the target
// knows them.
func (w *cellWalk) isSpecial(r *policy.Rule) bool {
	return r.Match.HTTP != nil || w.space.names && len(peerEnd(r, w.direction).FQDNs) > 0
}

// special takes such a line; done reports that nothing else is on it.
func (w *cellWalk) special(l *policy.Policy, s step, u *undecided) (done bool, refused *refusal) {
	r := &l.Rules[s.at]
	p := peerEnd(r, w.direction)
	peers, unsure := w.region(r, u.family)
	names, m := len(p.FQDNs) > 0, peers.intersect(u.left)
	why := w.whyNotSpecial(r, s, u)
	switch {
	case why != "":
	case unsure != "":
		why = string(unsure)
	case names && (u.denies || len(u.unsaid.addrs) > 0):
		why = "a line before denies addresses, and which the names stand for is not known"
	}
	if why != "" {
		u.inPart = true
		w.inPart(r, u, w.space.doubtful(p, u.family).intersect(u.left), why)
		return true, nil
	}
	if r.Match.HTTP != nil {
		if refused = w.mayPermit(l, r, u, m); refused == nil && !m.empty() {
			w.addSpecial(r, u, m)
		}
		return true, refused
	}
	w.addSpecial(r, u, region{})
	return false, nil
}

// inSeries reports whether two lists of the part govern one family.
func (p part) inSeries() bool {
	seen := policy.Family(0)
	for _, l := range p.lists {
		if l.Family&seen != 0 {
			return true
		}
		seen |= l.Family
	}
	return false
}

// whyNotSpecial says why a target has no rule for the line in the cell.
func (w *cellWalk) whyNotSpecial(r *policy.Rule, s step, u *undecided) string {
	t, what := w.options.Target, "names of the DNS"
	if r.Match.HTTP != nil {
		what = "requests"
	}
	switch c := &w.cells[u.cell]; {
	case r.Match.HTTP != nil && !t.HTTP:
		return "requests cannot be looked at"
	case r.Action != policy.Permit:
		return what + " cannot be denied by a rule of their own"
	case s.fits != fitAll:
		return s.why
	case w.part.inSeries():
		return what + " cannot be said where lists stand in series"
	case r.Match.HTTP != nil && (c.protocol != policy.TCP || w.part.nodes):
		return "requests are seen on the TCP ports of pods alone"
	case r.Match.HTTP == nil && w.direction != policy.Egress:
		return "names of the DNS can stand for destinations alone"
	case r.Match.HTTP != nil && len(peerEnd(r, w.direction).FQDNs) > 0:
		return "requests to names of the DNS cannot be said here"
	}
	return ""
}

func (w *cellWalk) addSpecial(r *policy.Rule, u *undecided, m region) {
	i := slices.IndexFunc(w.specials, func(s *special) bool { return s.rule == r })
	if i < 0 {
		i = len(w.specials)
		w.specials = append(w.specials, &special{rule: r, permitted: map[int]map[policy.Family]region{}})
	}
	s := w.specials[i]
	if s.permitted[u.cell] == nil {
		s.permitted[u.cell] = map[policy.Family]region{}
	}
	s.permitted[u.cell][u.family] = m
}

// in reports whether the line stands in a list. A line of a zone is not called
// as its list is.
func (s *special) in(l *policy.Policy) bool {
	for i := range l.Rules {
		if &l.Rules[i] == s.rule {
			return true
		}
	}
	return false
}

// specialRules gives the rules of all such lines.
func (w *cellWalk) specialRules() (out []policy.Rule) {
	for _, s := range w.specials {
		groups := map[string]*group{}
		var order []string
		for i := range w.cells {
			r, ok := w.inAllFamilies(s, i)
			if !ok || !w.nameable(&w.cells[i]) {
				continue
			}
			key := r.pods.String() + "\x00" + r.addrs.key() + string(rune(r.roles))
			if groups[key] == nil {
				groups[key] = &group{region: r}
				order = append(order, key)
			}
			groups[key].cells = append(groups[key].cells, &w.cells[i])
		}
		for _, key := range order {
			if g := groups[key]; w.everywhere(s) || len(w.takeZero(g.cells)) > 0 {
				g.cells = w.takeZero(g.cells)
				out = append(out, w.specialRule(s, g))
			}
		}
	}
	return out
}

func (w *cellWalk) specialRule(s *special, g *group) policy.Rule {
	peers := policy.Peers{FQDNs: peerEnd(s.rule, w.direction).FQDNs}
	if s.rule.Match.HTTP != nil {
		if g.whole = g.region.equal(w.space.whole(w.part.families())); g.whole {
			peers = policy.Everybody()
		} else {
			peers = w.peers(g)
		}
	}
	services := g.services()
	if w.everywhere(s) {
		services = []policy.Service{policy.AnyService()}
	}
	r := w.rule(policy.Permit, peers, services, []policy.RuleID{s.rule.ID})
	r.Match.HTTP = s.rule.Match.HTTP
	return r
}

// everywhere reports a line on names that permits every protocol, which a rule
// without ports says.
func (w *cellWalk) everywhere(s *special) bool {
	for i := range w.cells {
		if _, ok := w.inAllFamilies(s, i); !ok || s.rule.Match.HTTP != nil {
			return false
		}
	}
	return true
}

// inAllFamilies gives what a special line permits in a cell, in every family
// that the lists govern there. Labels mean both families.
func (w *cellWalk) inAllFamilies(s *special, at int) (region, bool) {
	families := singly(w.part.families() & w.cells[at].families)
	var out region
	for i, f := range families {
		r, ok := s.permitted[at][f]
		if !ok {
			r, ok = w.alike(s, at, f)
		}
		if !ok {
			return region{}, false
		}
		if i > 0 {
			r.pods, r.roles = w.simplified(r.pods.intersect(out.pods)), r.roles&out.roles
		}
		out = region{r.pods, out.addrs.union(r.addrs), r.roles}
	}
	return out, len(families) > 0
}

// alike finds what another list's line of the same words permits in a family.
func (w *cellWalk) alike(s *special, at int, f policy.Family) (region, bool) {
	says := func(r *policy.Rule) string { return fmt.Sprint(peerEnd(r, w.direction).FQDNs, r.Match.HTTP) }
	for _, other := range w.specials {
		if r, ok := other.permitted[at][f]; ok && says(other.rule) == says(s.rule) {
			return r, true
		}
	}
	return region{}, false
}

// reportSpecials says where such lines are not said in all of their cells, and
// what names need.
func (w *cellWalk) reportSpecials() {
	names := false
	for _, s := range w.specials {
		names = names || s.rule.Match.HTTP == nil
		lost, cells := false, []*cell(nil)
		for at := range s.permitted {
			_, both := w.inAllFamilies(s, at)
			lost = lost || !both || !w.nameable(&w.cells[at]) && !w.cells[at].foreign
			cells = append(cells, &w.cells[at])
		}
		lost = (lost || w.zeroAlone(cells)) && !w.everywhere(s)
		l := w.part.lists[slices.IndexFunc(w.part.lists, s.in)]
		if lost {
			w.note(l, s.rule, policy.Narrower, "%s is not said for every protocol and family that the lines permit", strings.ToLower(w.options.Target.Name))
		}
	}
	if names && !slices.ContainsFunc(w.rules(), learnsNames) {
		w.note(w.part.lists[0], nil, policy.Narrower, "names are learned from the answers of the DNS, and no line permits it: add a permit of udp and tcp with eq domain")
	}
}

// learnsNames reports a rule that permits the DNS and nothing else, where a
// proxy can see the answers.
func learnsNames(r policy.Rule) bool {
	return r.Action == policy.Permit && slices.ContainsFunc(r.Match.Services, func(s policy.Service) bool { return s.NamesDNS() })
}
