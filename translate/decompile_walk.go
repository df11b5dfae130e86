package translate

import (
	"slices"

	"aclium/translate/policy"
)

// said is a line of a list before it is text: a permit or a deny.
type said struct {
	action policy.Action
	match  policy.Match
	rule   *policy.Rule
	log    bool
}

// A lineage is one list on its way to text.
type lineage struct {
	*decompiler
	direction policy.Direction
	stateful  bool
	// remarks says that every line is to name the rule that it comes from.
	remarks bool
	lines   []said
	// end is what becomes of packets that no line matches.
	end policy.Action
}

// walk gives the lines of tiers and what becomes of packets that none of them
// matches; bad says why there is no such list.
func (l *lineage) walk(tiers []tier) (lines []said, end policy.Action, bad string) {
	if len(tiers) == 0 {
		return nil, policy.Permit, ""
	}
	t := tiers[0]
	rest, restEnd, bad := l.walk(tiers[1:])
	if bad != "" {
		return nil, 0, bad
	}
	switch t.combine {
	case policy.Union:
		lines = append(ruled(t.policies, policy.Deny), ruled(t.policies, policy.Permit)...)
	default:
		for _, r := range ruled(t.policies, 0) {
			if r.action != policy.Next {
				lines = append(lines, r)
				continue
			}
			more, bad := l.passed(r, rest, restEnd)
			if bad != "" {
				return nil, 0, bad
			}
			lines = append(lines, more...)
		}
	}
	if len(lines) > budget {
		return nil, 0, "the list would have more lines than anybody reads"
	}
	if slices.ContainsFunc(t.policies, func(p *policy.Policy) bool { return !p.Open }) {
		return lines, policy.Deny, ""
	}
	return append(lines, rest...), restEnd, ""
}

// ruled gives the rules of an action, or all of them, in their order.
func ruled(policies []*policy.Policy, a policy.Action) (out []said) {
	for _, p := range policies {
		for i := range p.Rules {
			if r := &p.Rules[i]; a == 0 || r.Action == a {
				out = append(out, said{action: r.Action, match: r.Match, rule: r, log: r.Log})
			}
		}
	}
	return out
}

// passed gives what the tiers behind say of the packets that a rule passes on.
func (l *lineage) passed(r said, rest []said, end policy.Action) (out []said, bad string) {
	for _, next := range rest {
		m, ok := bothMatches(&r.match, &next.match)
		switch {
		case !ok && next.action == policy.Permit:
			l.note(policy.Finding{
				ID: next.rule.ID, Source: next.rule.Source, Text: next.rule.Text, State: policy.Refused,
				Reason: "what " + r.rule.Text + " passes on and the rule permits has no words in common",
			})
		case !ok:
			return nil, "what " + r.rule.Text + " passes on and " + next.rule.Text + " denies has no words in common"
		case len(m.Services) > 0:
			out = append(out, said{action: next.action, match: m, rule: next.rule, log: next.log})
		}
	}
	return append(out, said{action: end, match: r.match, rule: r.rule}), ""
}

// bothMatches gives the packets of both; without services there are none. It
// is false when no match says them.
func bothMatches(a, b *policy.Match) (m policy.Match, ok bool) {
	if a.HTTP != nil || b.HTTP != nil || a.Fragments != b.Fragments {
		return m, false
	}
	m.Fragments = a.Fragments
	var source, destination bool
	m.Source, source = bothPeers(&a.Source, &b.Source)
	m.Destination, destination = bothPeers(&a.Destination, &b.Destination)
	if source && m.Source.Empty() || destination && m.Destination.Empty() {
		return policy.Match{}, true
	}
	if !source || !destination {
		return m, false
	}
	for i := range a.Services {
		for k := range b.Services {
			s, ok := bothServices(&a.Services[i], &b.Services[k])
			if !ok {
				return m, false
			}
			if serviceExists(&s) {
				m.Services = append(m.Services, s)
			}
		}
	}
	return m, true
}

// bothServices is false where names of ports meet ports.
func bothServices(a, b *policy.Service) (policy.Service, bool) {
	s := policy.Service{
		Protocols: a.Protocols.Intersect(b.Protocols), SourcePorts: a.SourcePorts.Intersect(b.SourcePorts),
		DestinationPorts: a.DestinationPorts.Intersect(b.DestinationPorts), ICMP: a.ICMP.Intersect(b.ICMP), Flags: a.Flags.Intersect(b.Flags),
	}
	switch {
	case a.PortNames == nil:
		s.PortNames = b.PortNames
	case b.PortNames == nil:
		s.PortNames = a.PortNames
	default:
		return s, !serviceExists(&s)
	}
	return s, true
}

// serviceExists reports whether some packet has the service.
func serviceExists(s *policy.Service) bool {
	return s.Protocols.Len() > 0 && len(s.SourcePorts) > 0 && len(s.DestinationPorts) > 0 && len(s.ICMP) > 0 && s.Flags.Len() > 0
}

// bothPeers gives the ends in both sets; false when no set of peers says them.
func bothPeers(a, b *policy.Peers) (out policy.Peers, ok bool) {
	switch {
	case a.Any:
		return *b, true
	case b.Any:
		return *a, true
	}
	if len(a.Masked)+len(b.Masked)+len(a.FQDNs)+len(b.FQDNs)+len(a.Outside)+len(b.Outside) > 0 {
		return out, false
	}
	if len(a.Addresses) > 0 && len(b.Selectors)+len(b.Entities) > 0 || len(b.Addresses) > 0 && len(a.Selectors)+len(a.Entities) > 0 {
		return out, false
	}
	out.Addresses = newAddrSet(a.Addresses...).intersect(newAddrSet(b.Addresses...))
	pods := podsOf(a.Selectors).intersect(podsOf(b.Selectors))
	for _, e := range a.Entities {
		if pods, ok = meet(e, b, pods, &out); !ok {
			return out, false
		}
	}
	for _, e := range b.Entities {
		if slices.Contains(a.Entities, e) {
			continue
		}
		if pods, ok = meet(e, &policy.Peers{Selectors: a.Selectors}, pods, &out); !ok || len(a.Entities) > 0 {
			return out, false
		}
	}
	out.Selectors = pods.selectors()
	return out, true
}

// meet adds what an entity has in common with other peers.
func meet(e policy.Entity, with *policy.Peers, pods podSet, out *policy.Peers) (podSet, bool) {
	for _, f := range with.Entities {
		if e != f {
			return pods, false
		}
		out.Entities = append(out.Entities, e)
	}
	switch e {
	case policy.Cluster:
		return pods.union(podsOf(with.Selectors)), true
	case policy.World:
		return pods, true // no pod is in the world
	}
	return pods, len(with.Selectors) == 0
}

// splitWorld says a list twice where addresses of the world alone stand in it;
// why is set when that cannot be done.
func (l *lineage) splitWorld() (why string) {
	some, others, servers, orderly := false, false, false, false
	for i := range l.lines {
		p := l.peer(&l.lines[i].match)
		some = some || len(p.Outside) > 0
		others = others || len(p.Addresses)+len(p.Masked) > 0
		servers = servers || slices.Contains(p.Entities, policy.KubeAPIServer)
		orderly = orderly || l.lines[i].action == policy.Deny
		if own := ownEndOf(&l.lines[i].match, l.direction); len(own.Outside) > 0 {
			return "addresses of the world alone stand where the pods stand"
		}
	}
	switch {
	case !some:
		return ""
	case others:
		return "addresses of the world alone and addresses of everybody stand in one list"
	case servers && orderly:
		return "addresses of the world alone, the API server and a deny stand in one list"
	}
	var lines []said
	inCluster := policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}
	*l.peer(&inCluster) = policy.Peers{Entities: []policy.Entity{policy.Cluster}}
	lines = append(l.limited(clusterShare), said{action: l.end, match: inCluster})
	l.lines = append(lines, l.limited(worldShare)...)
	return ""
}

// limited gives the lines with a share of their peers, where there are some.
func (l *lineage) limited(share func(*policy.Peers) policy.Peers) (out []said) {
	for _, s := range l.lines {
		p := l.peer(&s.match)
		if *p = share(p); !p.Empty() {
			out = append(out, s)
		}
	}
	return out
}

func ownEndOf(m *policy.Match, d policy.Direction) *policy.Peers {
	if d == policy.Ingress {
		return &m.Destination
	}
	return &m.Source
}

func (l *lineage) peer(m *policy.Match) *policy.Peers { return ownEndOf(m, l.direction.Opposite()) }

// clusterShare gives the peers that may be in the cluster, in words that say
// nothing of the world but for API servers.
func clusterShare(p *policy.Peers) (out policy.Peers) {
	if p.Any {
		return policy.Peers{Entities: []policy.Entity{policy.Cluster}}
	}
	out.Selectors = p.Selectors
	for _, e := range p.Entities {
		if e != policy.World {
			out.Entities = append(out.Entities, e)
		}
	}
	return out
}

// worldShare gives the peers in the world, where nobody else is asked about.
func worldShare(p *policy.Peers) (out policy.Peers) {
	if p.Any || slices.Contains(p.Entities, policy.World) {
		return policy.Everybody()
	}
	out.Addresses, out.FQDNs = p.Outside, p.FQDNs
	if slices.Contains(p.Entities, policy.KubeAPIServer) {
		out.Entities = []policy.Entity{policy.KubeAPIServer}
	}
	return out
}
