package datapath

import (
	"fmt"
	"math/bits"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

/*
How a list becomes a table

A list asks many questions in order; a table answers them all at once. Take
one bit per question. Every field of a packet (source address, destination
port and so on) selects a row: the set of questions that this field alone
would satisfy. The AND of the rows is the set of questions that the whole
packet satisfies, and the first set bit is the line that decides.

	                       sub-rule  0 1 2 3 4 5 6 7
	source 10.0.0.9     -> row       1 0 1 1 0 1 0 1
	destination pod     -> row       1 1 0 1 0 1 1 1
	protocol tcp        -> row       0 1 1 1 1 1 0 1
	destination port 80 -> row       1 1 0 1 0 0 1 1
	                       AND       0 0 0 1 0 0 0 1
	                                       ^ decides

Sub-rules. A line is a union (services, peers under masks); each member is a
sub-rule of its own, in the order of the lines, and carries the line's action
and counter. Next stands in the record as the sub-rule to go on at.

Axes. The values of a field fall into intervals in which nothing changes: an
axis is the sorted list of their starts, each with its row, and a search of
log2(n) steps finds it. Both families share the address axes (IPv4 stands as
::ffff:a.b.c.d; the ranges of IPv6 lists leave that corner out). A peer may be
known by its address or by its identity: the two rows of one end are joined by
OR before the AND, so a union of both is exact and is not multiplied out.

"any" is no interval but a row of its own for each end, and one for both ends.
Lists say it so often that joining it into each end's row would leave hardly a
word empty; kept apart, a walk visits the words in which a line names an end
of this packet, and those in which a line names neither.

What a field cannot have. A packet without ports satisfies a service only if
the service takes every port. That depends on the protocol alone, so it is
settled in the protocol's row, and the classifier leaves the ports' rows out
of the AND. Later fragments have another table of protocol rows, which holds
the services that look at nothing behind the addresses, and those of permits
(Cisco, "Access Control Lists and IP Fragments").

Masks. A discontiguous wildcard mask is no interval: its row holds the
interval around it, and the record points to the value and mask that must
hold as well (residue). This is the only question that is asked one by one.

Sparseness. Ten thousand host routes make twenty thousand rows of ten
thousand bits, nearly all of them 0. So rows are trees of three levels, 64 by
64 by 64, that store only what is not 0, and equal rows and blocks are stored
once:

	row    [top] [block offset] [block offset]          top bit i: block i
	              |
	block  [summary] [index of 64 bytes] [0] [word] [word] [word]
	                                                    summary bit j: word j

A block's offset is found by counting the bits below its own, a word by its
index byte, which costs less where the walk spends its time. The walk ANDs the
tops, then the summaries of each common block, then the words of each common
summary bit, from the lowest.

Offset 0 holds zeros, which serve as the block without words. bpf/table.h
defines the bytes, bpf/classify.h walks them.
*/

// An Identity is what a packet's end may be: the numbers are those of the
// ipcache. Labels are a pod's labels with its namespace under
// policy.NamespaceKey and are not nil for a pod, even if empty; they are nil
// for everything else.
type Identity struct {
	ID     uint32
	Labels map[string]string
	Entity policy.Entity
}

// A Table is a compiled list, ready to be written into a map of its class.
type Table struct {
	// Bytes is the table without the map value's unused rest, in the
	// machine's byte order.
	Bytes []byte
	Class bpf.AcliumTableClass
}

// classSizes holds the map value sizes of the classes, bytes.
var classSizes = [bpf.AcliumTableClassTABLE_CLASSES]int{64 << 10, 1 << 20, 16 << 20, 128 << 20}

// Size gives the size of the map value that the table goes into, bytes.
func (t *Table) Size() int { return classSizes[t.Class] }

// Compile gives the table that judges as p.Eval does, where the ends of a
// packet are the given identities (the world for an unknown address).
// counters gives the counter id of a line of p, 0 for one that is not counted.
// Compile refuses lists that are invalid, that name peers by FQDN, or that do
// not fit into the largest class. The result depends on its arguments alone.
func Compile(p *policy.Policy, ids []Identity, counters func(line int) uint32) (*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	known, err := sortIdentities(ids)
	if err != nil {
		return nil, fmt.Errorf("policy %q: %w", p.ACL, err)
	}
	c := &compiler{policy: p, identities: known, counters: counters, peers: map[string][]interval{}, sets: map[policy.ByteSet][]interval{}}
	if err := c.split(); err != nil {
		return nil, fmt.Errorf("policy %q: %w", p.ACL, err)
	}
	b, err := c.encode()
	if err != nil {
		return nil, fmt.Errorf("policy %q: %w", p.ACL, err)
	}
	return &Table{Bytes: b, Class: classOf(len(b))}, nil
}

func classOf(size int) bpf.AcliumTableClass {
	class := bpf.AcliumTableClass(0)
	for size > classSizes[class] {
		class++
	}
	return class
}

// compiler holds a list on its way into a table.
type compiler struct {
	policy     *policy.Policy
	identities []Identity // sorted by ID
	counters   func(int) uint32
	subrules   []subrule
	starts     []uint32 // first sub-rule of each line, and behind the last
	usesIDs    bool

	peers map[string][]interval // identities by selectors and entities
	sets  map[policy.ByteSet][]interval
}

// subrule is one member of the union that a line is.
type subrule struct {
	rule                int
	service             *policy.Service
	source, destination part
}

// part is the share of a peer that one sub-rule takes: everybody, intervals on
// both axes, or one masked address.
type part struct {
	any                   bool
	addresses, identities []interval
	masked                *policy.Masked
}

// split makes the sub-rules.
func (c *compiler) split() error {
	for i := range c.policy.Rules {
		c.starts = append(c.starts, uint32(len(c.subrules)))
		if err := c.splitRule(i); err != nil {
			return fmt.Errorf("line %d: %w", c.policy.Rules[i].ID.Seq, err)
		}
	}
	c.starts = append(c.starts, uint32(len(c.subrules)))
	return nil
}

func (c *compiler) splitRule(i int) error {
	m := &c.policy.Rules[i].Match
	if what := c.policy.Rules[i].BeyondNode(); what != "" {
		return fmt.Errorf("a node cannot judge by %s", what)
	}
	sources, destinations := c.parts(&m.Source), c.parts(&m.Destination)
	n := len(c.subrules) + len(m.Services)*len(sources)*len(destinations)
	if n > int(bpf.AcliumTableConstTABLE_SUBRULES) {
		return fmt.Errorf("the list is too long: its lines name more than %d combinations of services and masked addresses",
			bpf.AcliumTableConstTABLE_SUBRULES)
	}
	for j := range m.Services {
		for _, s := range sources {
			for _, d := range destinations {
				c.subrules = append(c.subrules, subrule{i, &m.Services[j], s, d})
			}
		}
	}
	return nil
}

// parts splits a peer: what intervals can say, and every discontiguous mask.
func (c *compiler) parts(p *policy.Peers) []part {
	if p.Any {
		return []part{{any: true}}
	}
	whole := part{identities: c.matching(p)}
	var parts []part
	for _, r := range p.Addresses {
		whole.addresses = append(whole.addresses, addressIntervals(r)...)
	}
	for i := range p.Masked {
		m := &p.Masked[i]
		r, contiguous := bounds(*m)
		if contiguous {
			whole.addresses = append(whole.addresses, addressIntervals(r)...)
			continue
		}
		parts = append(parts, part{addresses: union(addressIntervals(r)), masked: m})
	}
	whole.addresses = union(whole.addresses)
	if len(whole.addresses)+len(whole.identities) > 0 {
		parts = append(parts, whole)
	}
	return parts
}

// matching gives the identities that a peer's selectors and entities hold.
func (c *compiler) matching(p *policy.Peers) []interval {
	if len(p.Selectors)+len(p.Entities) == 0 {
		return nil
	}
	c.usesIDs = true
	key := fmt.Sprintf("%q %v", p.Selectors, p.Entities)
	if found, ok := c.peers[key]; ok {
		return found
	}
	only := policy.Peers{Selectors: p.Selectors, Entities: p.Entities}
	var found []interval
	for _, id := range c.identities {
		if only.Has(&policy.Endpoint{Labels: id.Labels, Entity: id.Entity}) {
			at := point{lo: uint64(id.ID)}
			found = append(found, interval{at, at})
		}
	}
	found = union(found)
	c.peers[key] = found
	return found
}

// protocols gives the protocols for which a whole packet can satisfy the
// service: where a protocol lacks a field, the service must not look at it.
func protocols(r *policy.Rule, s *policy.Service) policy.ByteSet {
	if r.Match.Fragments {
		return policy.ByteSet{}
	}
	ports := s.SourcePorts.All() && s.DestinationPorts.All()
	icmp, flags := s.ICMP.All(), s.Flags.All()
	return s.Protocols.Intersect(policy.BytesWhere(func(p uint8) bool {
		return (ports || policy.HasPorts(p)) && (icmp || p == policy.ICMP || p == policy.ICMPv6) && (flags || p == policy.TCP)
	}))
}

// laterProtocols gives the protocols for which a later fragment satisfies it.
func laterProtocols(r *policy.Rule, s *policy.Service) policy.ByteSet {
	if s.LooksAtL4() && r.Action != policy.Permit {
		return policy.ByteSet{}
	}
	return s.Protocols
}

// axes gives the axes' contents in the order of the table's header.
func (c *compiler) axes() *axes {
	a := newAxes()
	for i := range c.subrules {
		s, n := &c.subrules[i], uint32(i)
		r := &c.policy.Rules[s.rule]
		a.addAny(n, s.source.any, s.destination.any)
		a.source.add(n, s.source.addresses)
		a.sourceIdentity.add(n, s.source.identities)
		a.destination.add(n, s.destination.addresses)
		a.destinationIdentity.add(n, s.destination.identities)
		a.sourcePort.add(n, numbers(s.service.SourcePorts))
		a.destinationPort.add(n, numbers(s.service.DestinationPorts))
		a.icmp.add(n, numbers(s.service.ICMP))
		a.flags.add(n, c.bytes(s.service.Flags))
		a.protocol.add(n, c.bytes(protocols(r, s.service)))
		a.later.add(n, c.bytes(laterProtocols(r, s.service)))
	}
	return a
}

// bytes gives a set as intervals; sets repeat from line to line.
func (c *compiler) bytes(s policy.ByteSet) []interval {
	found, ok := c.sets[s]
	if !ok {
		found = numbers(s.Ranges())
		c.sets[s] = found
	}
	return found
}

func numbers(rs policy.Ranges) []interval {
	out := make([]interval, len(rs))
	for i, r := range rs {
		out[i] = interval{point{lo: uint64(r.First)}, point{lo: uint64(r.Last)}}
	}
	return out
}

// width gives the first step of a search among n intervals: the largest power
// of two below n, or 0.
func width(n int) uint32 {
	if n < 2 {
		return 0
	}
	return 1 << (bits.Len(uint(n-1)) - 1)
}
