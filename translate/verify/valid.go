package verify

import (
	"strings"

	"aclium/translate/policy"
)

// valid holds for the packets that there can be, as far as it is known:
// unused codes, addresses that no such end has, names that no name fits, and
// what always passes are left out.
func (s *space) valid() ref {
	fs := []ref{s.roles(s.subject), s.roles(s.peer), s.subjectRole(), s.namespaces(), s.portNames(), s.requestable(), s.moments()}
	for _, e := range []*end{s.subject, s.peer} {
		fs = append(fs, s.labelled(e), s.nameable(e), s.placed(e))
	}
	if s.options.Families != 0 {
		fs = append(fs, s.isFamily(s.options.Families))
	}
	if !s.lists {
		fs = append(fs, s.neighbourDiscovery().not(), s.is(s.later, 0))
	}
	if s.options.Blind {
		fs = append(fs, s.seen())
	}
	return s.all(fs)
}

func (s *space) roles(e *end) ref { return s.atMost(e.role, numberOf(roles-1, e.role.bits)) }

// subjectRole holds where the subject is a pod, or a node if some policy
// protects nodes.
func (s *space) subjectRole() ref {
	switch {
	case s.lists:
		return yes
	case s.known.nodes:
		return s.isAny(s.subject.role, []uint64{pod, host})
	}
	return s.is(s.subject.role, pod)
}

// labelled holds where all codes are in use, and every pod has a namespace.
func (s *space) labelled(e *end) ref {
	var fs []ref
	for _, c := range e.labels {
		fs = append(fs, s.coded(&c))
		if c.key == policy.NamespaceKey {
			fs = append(fs, s.and(s.is(e.role, pod), s.is(c.field, 0)).not())
		}
	}
	for _, c := range e.nodeLabels {
		fs = append(fs, s.coded(&c))
	}
	return s.all(fs)
}

func (s *space) coded(c *choice) ref { return s.atMost(c.field, numberOf(c.codes()-1, c.field.bits)) }

// namespaces holds where two pods in one namespace agree on the namespace's
// labels. Of namespaces that nobody mentions, there is more than one.
func (s *space) namespaces() ref {
	var agree []ref
	for _, a := range s.subject.labels {
		for _, b := range s.peer.labels {
			if a.key == b.key && strings.HasPrefix(a.key, namespaceLabels) {
				agree = append(agree, s.alike(&a, &b))
			}
		}
	}
	if len(agree) == 0 {
		return yes
	}
	a, b := s.subject.label(policy.NamespaceKey), s.peer.label(policy.NamespaceKey)
	var together []ref
	for _, name := range a.values {
		if i := b.code(name); i <= uint64(len(b.values)) && b.values[i-1] == name {
			together = append(together, s.and(s.is(a.field, a.code(name)), s.is(b.field, i)))
		}
	}
	together = []ref{s.any(together), s.is(s.subject.role, pod), s.is(s.peer.role, pod)}
	return s.implies(s.all(together), s.all(agree))
}

// alike holds where two ends can have the same value of a label.
func (s *space) alike(a, b *choice) ref {
	ra, rb := s.is(a.field, 0), s.is(b.field, 0)
	fs := []ref{s.same(ra, rb)}
	otherA, otherB := s.is(a.field, a.codes()-1), s.is(b.field, b.codes()-1)
	for _, v := range a.values {
		fs = append(fs, s.implies(s.is(a.field, a.code(v)), s.isValue(b, v, otherB)))
	}
	for _, v := range b.values {
		fs = append(fs, s.implies(s.is(b.field, b.code(v)), s.isValue(a, v, otherA)))
	}
	return s.all(fs)
}

// isValue holds where the label has the value; one that the label's variable
// does not know is some other value.
func (s *space) isValue(c *choice, v string, other ref) ref {
	for i, known := range c.values {
		if known == v {
			return s.is(c.field, uint64(i)+1)
		}
	}
	return other
}

func (e *end) label(key string) *choice {
	for i := range e.labels {
		if e.labels[i].key == key {
			return &e.labels[i]
		}
	}
	return nil
}

// placed holds where the end can have its address. A pod of a workload has one
// of the workload's, in each family in which it has some; other pods have one
// of the cluster's that is no workload's; who is no pod has neither.
func (s *space) placed(e *end) ref {
	if s.inventory == nil {
		return yes
	}
	isPod := s.is(e.role, pod)
	var fs, claimed []ref
	for _, family := range []policy.Family{policy.IPv4, policy.IPv6} {
		if s.podless(family) {
			fs = append(fs, s.and(isPod, s.isFamily(family)).not())
			continue
		}
		if s.moved {
			there := s.all([]ref{s.isFamily(family), isPod})
			fs = append(fs, s.implies(there, s.podRange(&end{addr: e.seen}, family)))
		}
		var homed []ref
		for i := range s.inventory.Workloads {
			w := &s.inventory.Workloads[i]
			home := s.addresses(e, rangesOf(family, w.Addresses))
			if home == no {
				continue
			}
			selected := s.selects([]policy.Selector{w.Selector}, e.labels)
			fs = append(fs, s.implies(s.all([]ref{s.isFamily(family), isPod, selected}), home))
			homed, claimed = append(homed, selected), append(claimed, home)
		}
		homeless := s.all([]ref{s.isFamily(family), isPod, s.any(homed).not()})
		fs = append(fs, s.implies(homeless, s.podRange(e, family)))
		fs = append(fs, s.implies(homeless, s.addressesOfWorkloads(e, family).not()))
	}
	cluster := s.addresses(e, s.clusterRanges(policy.Dual))
	fs = append(fs, s.implies(isPod.not(), s.or(cluster, s.any(claimed)).not()))
	return s.all(fs)
}

// podless reports whether the cluster is known and has no addresses of a
// family.
func (s *space) podless(f policy.Family) bool {
	for i := range s.inventory.Workloads {
		if len(rangesOf(f, s.inventory.Workloads[i].Addresses)) > 0 {
			return false
		}
	}
	return len(s.inventory.ClusterCIDRs) > 0 && len(s.clusterRanges(f)) == 0
}

// podRange holds inside the cluster's ranges of a family; everywhere when they
// are not known.
func (s *space) podRange(e *end, f policy.Family) ref {
	ranges := s.clusterRanges(f)
	if len(ranges) == 0 {
		return yes
	}
	return s.addresses(e, ranges)
}

func (s *space) clusterRanges(f policy.Family) (out []policy.AddrRange) {
	for _, p := range s.inventory.ClusterCIDRs {
		if familyOf(p.Addr())&f != 0 {
			out = append(out, policy.PrefixRange(p))
		}
	}
	return out
}

func (s *space) addressesOfWorkloads(e *end, f policy.Family) ref {
	var fs []ref
	for i := range s.inventory.Workloads {
		fs = append(fs, s.addresses(e, rangesOf(f, s.inventory.Workloads[i].Addresses)))
	}
	return s.any(fs)
}

func rangesOf(f policy.Family, all []policy.AddrRange) (out []policy.AddrRange) {
	for _, r := range all {
		if familyOf(r.First) == f {
			out = append(out, r)
		}
	}
	return out
}

// nameable holds where the end can have names that fit exactly those patterns.
// Names stand for ends outside the cluster.
func (s *space) nameable(e *end) ref {
	var fs []ref
	samples := sampleNames(e.patterns())
	for _, pattern := range e.patterns() {
		var ways []ref
		for _, sample := range samples {
			if !policy.MatchName(pattern, sample.name) {
				continue
			}
			var also []ref
			for _, p := range sample.fits {
				also = append(also, s.is(e.names[p], 1))
			}
			ways = append(ways, s.all(also))
		}
		fs = append(fs, s.implies(s.is(e.names[pattern], 1), s.any(ways)))
	}
	return s.all(fs)
}

// portNames holds where the destination, a pod, can name the port.
func (s *space) portNames() ref {
	if len(s.portName.values) == 0 {
		return yes
	}
	unnamed := s.is(s.portName.field, 0)
	_, destination := s.ends()
	named := []ref{s.coded(&s.portName), s.is(destination.role, pod), s.bytes(s.protocol, portProtocols)}
	return s.or(unnamed, s.all(named))
}

// neighbourDiscovery is what always passes.
func (s *space) neighbourDiscovery() ref {
	types := policy.NewRanges(policy.Range{First: 135 << 8, Last: 136<<8 | 255})
	return s.all([]ref{s.isFamily(policy.IPv6), s.is(s.protocol, uint64(policy.ICMPv6)), s.numbers(s.port, types)})
}

// seen holds for the packets that policy objects can tell apart. They know no
// port 0 and no ICMP of the other family, and the node reaches its own pods.
func (s *space) seen() ref {
	four, six := s.is(s.protocol, uint64(policy.ICMP)), s.is(s.protocol, uint64(policy.ICMPv6))
	fs := []ref{
		s.and(s.isFamily(policy.IPv6), four).not(), s.and(s.isFamily(policy.IPv4), six).not(),
		s.implies(s.bytes(s.protocol, portProtocols), s.and(s.is(s.port, 0).not(), s.is(s.from, 0).not())),
	}
	if s.direction == policy.Ingress {
		fs = append(fs, s.and(s.is(s.subject.role, pod), s.is(s.peer.role, host)).not())
	}
	return s.all(fs)
}

// requestable holds where there can be such a request: on a connection of TCP,
// with one value for each header, and with one value where a condition names
// just one.
func (s *space) requestable() ref {
	fs := []ref{s.implies(s.is(s.request, 1), s.and(s.is(s.protocol, uint64(policy.TCP)), s.is(s.later, 0)))}
	all := s.known.sortedConditions()
	for i, a := range all {
		if a.kind == headerIs {
			fs = append(fs, s.implies(s.is(s.conditions[a], 1), s.is(s.conditions[condition{hasHeader, a.name, ""}], 1)))
		}
		for _, b := range all[i+1:] {
			if a.kind == b.kind && a.name == b.name && a.literal() && b.literal() {
				fs = append(fs, s.and(s.is(s.conditions[a], 1), s.is(s.conditions[b], 1)).not())
			}
		}
	}
	return s.all(fs)
}
