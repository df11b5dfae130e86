package verify

import (
	"maps"
	"net/netip"
	"slices"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

/*
The variables of a packet

Everything that a rule can look at is a bit, in this order:

	family, the subject's role and labels, the peer's role, labels and names,
	the peer's address, the subject's address, later fragment, protocol,
	destination port (the type and code of ICMP), port name, source port,
	flags, request, TOS, TTL, time-ranges, reflexive lists

Labels come first because they cut the policies of different subjects apart.
The peer's address comes before the ports: measured on random lists and on the
objects they become, that keeps the diagrams smallest.

Labels, port names and DNS names have no end of values. Only those that either
side mentions can be told apart, so a label's variable says "absent", one of the
mentioned values, or "some other value".
*/

// A space numbers the variables of one direction's packets and turns sets into
// functions of them.
type space struct {
	*diagram
	direction policy.Direction
	options   Options
	inventory *inventory.Inventory
	// lists says that the ends are anybody's, as on a router, and that every
	// policy has a say.
	lists bool
	// moved says that objects see pods at other addresses than lists do, and
	// seeing that it is what the objects see that is made a function.
	moved, seeing bool
	next          uint32

	family        field
	subject, peer *end
	later         field
	protocol      field
	port, from    field
	portName      choice
	flags         field
	request       field
	conditions    map[condition]field
	class, hops   field
	schedules     map[string]field
	reflexive     map[string]field
	known         vocabulary
}

// An end is the variables of one end of a packet.
type end struct {
	role   field
	labels []choice
	// nodeLabels are those of the end when it is a node.
	nodeLabels []choice
	addr       field
	// seen is the address that a pod has where objects are enforced, if pods
	// have moved.
	seen  field
	names map[string]field
}

// The roles of an end. A node's own end is that of the packet's node or of
// another one.
const (
	pod = iota
	world
	host
	remoteNode
	apiServer
	roles
)

// A choice is a variable over the values of one label or name that somebody
// mentions: code 0 is "absent", the last code is "some other value".
type choice struct {
	key    string
	values []string
	field  field
}

// codes is how many codes are in use.
func (c *choice) codes() uint64 { return uint64(len(c.values)) + 2 }

// code gives the code of a mentioned value.
func (c *choice) code(value string) uint64 {
	i, _ := slices.BinarySearch(c.values, value)
	return uint64(i) + 1
}

// take gives the next variables.
func (s *space) take(bits int) field {
	f := field{s.next, bits}
	s.next += uint32(bits)
	return f
}

func (s *space) choice(key string, values map[string]bool) choice {
	c := choice{key: key, values: slices.Sorted(maps.Keys(values))}
	bits := 1
	for uint64(1)<<bits < c.codes() {
		bits++
	}
	c.field = s.take(bits)
	return c
}

func (s *space) choices(all map[string]map[string]bool) (out []choice) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, s.choice(key, all[key]))
	}
	return out
}

// newSpace numbers the variables that the stacks of one direction look at.
func newSpace(d policy.Direction, known vocabulary, inv *inventory.Inventory, o Options) *space {
	s := &space{diagram: newDiagram(o.budget()), direction: d, options: o, inventory: inv, known: known}
	s.family = s.take(1)
	s.subject, s.peer = s.end(&known.subject), s.end(&known.peer)
	s.moved = o.Moved && inv != nil
	for _, e := range []*end{s.peer, s.subject} {
		if e.addr = s.take(128); s.moved {
			e.seen = s.take(128)
		}
	}
	s.later, s.protocol, s.port = s.take(1), s.take(8), s.take(16)
	s.portName = s.choice("", known.portNames)
	s.from, s.flags, s.request = s.take(16), s.take(8), s.take(1)
	s.conditions = map[condition]field{}
	for _, c := range known.sortedConditions() {
		s.conditions[c] = s.take(1)
	}
	s.nodeOnly()
	return s
}

func (s *space) end(known *endWords) *end {
	e := &end{role: s.take(3), names: map[string]field{}}
	e.labels, e.nodeLabels = s.choices(known.labels), s.choices(known.nodeLabels)
	for _, pattern := range slices.Sorted(maps.Keys(known.names)) {
		e.names[pattern] = s.take(1)
	}
	return e
}

// ends gives the packet's source and destination.
func (s *space) ends() (source, destination *end) {
	if s.direction == policy.Egress {
		return s.subject, s.peer
	}
	return s.peer, s.subject
}

func (s *space) isFamily(f policy.Family) ref {
	switch f {
	case policy.IPv4:
		return s.is(s.family, 0)
	case policy.IPv6:
		return s.is(s.family, 1)
	case policy.Dual:
		return yes
	}
	return no
}

func familyOf(a netip.Addr) policy.Family {
	if a.Is4() {
		return policy.IPv4
	}
	return policy.IPv6
}

// bitsOf gives the bits of an address.
func bitsOf(a netip.Addr) (out number) {
	for _, b := range a.AsSlice() {
		out = append(out, numberOf(uint64(b), 8)...)
	}
	return out
}

// addresses holds where the end's address is in one of the ranges.
func (s *space) addresses(e *end, ranges []policy.AddrRange) ref {
	fs := make([]ref, len(ranges))
	for i, r := range ranges {
		in := s.between(e.addr, bitsOf(r.First), bitsOf(r.Last))
		fs[i] = s.and(s.isFamily(familyOf(r.First)), in)
	}
	return s.any(fs)
}

// masked holds where the end's address fits a discontiguous mask.
func (s *space) masked(e *end, m policy.Masked) ref {
	care := bitsOf(m.Wildcard)
	for i := range care {
		care[i] ^= 1
	}
	return s.and(s.isFamily(familyOf(m.Addr)), s.equals(e.addr, bitsOf(m.Addr), care))
}

// has holds where the end is in the set, as Peers.Has says.
func (s *space) has(p *policy.Peers, e *end) ref {
	if p.Any {
		return yes
	}
	fs := []ref{s.addressed(p, e)}
	if len(p.Selectors) > 0 {
		fs = append(fs, s.and(s.is(e.role, pod), s.selects(p.Selectors, e.labels)))
	}
	for _, entity := range p.Entities {
		fs = append(fs, s.isEntity(e, entity))
	}
	outside := []ref{s.addresses(e, p.Outside)}
	for _, pattern := range p.FQDNs {
		outside = append(outside, s.is(e.names[pattern], 1))
	}
	return s.any(append(fs, s.and(s.isEntity(e, policy.World), s.any(outside))))
}

// addressed holds where the set has the end by its address. Objects see the
// address that a moved pod has.
func (s *space) addressed(p *policy.Peers, e *end) ref {
	at := func(e *end) ref {
		fs := []ref{s.addresses(e, p.Addresses)}
		for _, m := range p.Masked {
			fs = append(fs, s.masked(e, m))
		}
		return s.any(fs)
	}
	if !s.moved || !s.seeing {
		return at(e)
	}
	isPod := s.is(e.role, pod)
	return s.or(s.and(isPod, at(&end{addr: e.seen})), s.without(at(e), isPod))
}

// isEntity holds where the end belongs to the entity: the world is whatever is
// neither a pod nor a node.
func (s *space) isEntity(e *end, entity policy.Entity) ref {
	members := map[policy.Entity][]uint64{
		policy.World: {world, apiServer}, policy.Cluster: {pod, host, remoteNode},
		policy.Host: {host}, policy.RemoteNode: {remoteNode}, policy.KubeAPIServer: {apiServer},
	}
	return s.isAny(e.role, members[entity])
}

// selects holds where one of the selectors matches the labels.
func (s *space) selects(selectors []policy.Selector, labels []choice) ref {
	fs := make([]ref, len(selectors))
	for i, selector := range selectors {
		terms := make([]ref, len(selector))
		for k, t := range selector {
			terms[k] = s.term(t, labels)
		}
		fs[i] = s.all(terms)
	}
	return s.any(fs)
}

func (s *space) term(t policy.Term, labels []choice) ref {
	i := slices.IndexFunc(labels, func(c choice) bool { return c.key == canonicalKey(t.Key) })
	c := &labels[i]
	var codes []uint64
	for _, v := range t.Values {
		codes = append(codes, c.code(v))
	}
	in, absent := s.isAny(c.field, codes), s.is(c.field, 0)
	switch t.Op {
	case policy.In:
		return in
	case policy.NotIn:
		return in.not()
	case policy.Exists:
		return absent.not()
	case policy.DoesNotExist:
		return absent
	}
	return no
}

// numbers holds where the field is in the set.
func (s *space) numbers(f field, set policy.Ranges) ref {
	if set.All() {
		return yes
	}
	fs := make([]ref, len(set))
	for i, r := range set {
		fs[i] = s.between(f, numberOf(uint64(r.First), f.bits), numberOf(uint64(r.Last), f.bits))
	}
	return s.any(fs)
}

// bytes holds where the field is in the set.
func (s *space) bytes(f field, set policy.ByteSet) ref {
	if set.All() {
		return yes
	}
	return s.numbers(f, set.Ranges())
}

var (
	portProtocols = policy.Bytes(policy.TCP, policy.UDP, policy.SCTP)
	icmpProtocols = policy.Bytes(policy.ICMP, policy.ICMPv6, policy.IGMP)
	flagProtocols = policy.Bytes(policy.TCP)
)

// service holds where the packet fits the service in a rule of that action. A
// field that the protocol lacks fits the full set alone.
func (s *space) service(v *policy.Service, permits bool) ref {
	protocols := s.bytes(s.protocol, v.Protocols)
	if protocols == no {
		return no
	}
	conditions := []ref{
		protocols,
		s.where(portProtocols, s.and(s.numbers(s.port, v.DestinationPorts), s.numbers(s.from, v.SourcePorts)), v.DestinationPorts.All() && v.SourcePorts.All()),
		s.where(icmpProtocols, s.numbers(s.port, v.ICMP), v.ICMP.All()),
		s.where(flagProtocols, s.flagged(v.Flags), v.Flags.All()),
		s.named(v.PortNames),
	}
	whole := s.all(conditions)
	if !v.LooksAtL4() {
		return whole
	}
	out := s.and(whole, s.is(s.later, 0))
	if permits {
		out = s.or(out, s.and(protocols, s.is(s.later, 1)))
	}
	return out
}

// where holds where the protocol has the field and the field fits, or has it
// not and the set is full.
func (s *space) where(protocols policy.ByteSet, fits ref, full bool) ref {
	if full {
		return yes
	}
	return s.and(s.bytes(s.protocol, protocols), fits)
}

// flagged holds where the flags fit. Objects know no flags: every packet that
// opens a TCP connection has the same.
func (s *space) flagged(set policy.ByteSet) ref {
	if !s.options.Blind {
		return s.bytes(s.flags, set)
	}
	if set.Has(policy.SYN) {
		return yes
	}
	return no
}

func (s *space) named(names []string) ref {
	if names == nil {
		return yes
	}
	var codes []uint64
	for _, name := range names {
		if name != "" {
			codes = append(codes, s.portName.code(name))
		}
	}
	return s.isAny(s.portName.field, codes)
}

// match holds where the rule matches the packet, as Rule.Matches says.
func (s *space) match(r *policy.Rule) ref {
	source, destination := s.ends()
	m := &r.Match
	services := make([]ref, len(m.Services))
	for i := range m.Services {
		services[i] = s.service(&m.Services[i], r.Action == policy.Permit)
	}
	conditions := []ref{s.any(services), s.has(&m.Destination, destination), s.has(&m.Source, source), s.requests(m.HTTP, r.Action)}
	if m.Fragments {
		conditions = append(conditions, s.is(s.later, 1))
	}
	return s.all(append(conditions, s.matchesNodeOnly(m)...))
}
