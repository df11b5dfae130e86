package classifier

import (
	"cmp"
	"fmt"
	"net/netip"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// maxRules is how many rules a table can have.
const maxRules = int(bpf.AcliumTableConstTABLE_SUBRULES)

// split makes the rules.
func (c *compiler) split() error {
	c.part()
	if err := c.tally(); err != nil {
		return err
	}
	if err := c.make(); err != nil {
		return err
	}
	c.findFree()
	return nil
}

// part finds the ends of all lines. Identities are numbered in the order of the
// lines, so that from the first line on that names some the sides take turns.
func (c *compiler) part() {
	lines := c.policy.Rules
	var reached [2]int
	both(func(side int) {
		e := &c.ends[side]
		e.reserve(len(lines))
		for i := 0; i < len(lines) && !namesIdentities(peersOf(&lines[i], side)); i++ {
			e.lines[i] = e.parts(peersOf(&lines[i], side), c.identities)
			reached[side]++
		}
	})
	for i := min(reached[0], reached[1]); i < len(lines); i++ {
		for side := range c.ends {
			if i >= reached[side] {
				c.ends[side].lines[i] = c.ends[side].parts(peersOf(&lines[i], side), c.identities)
			}
		}
	}
}

func peersOf(r *policy.Rule, side int) *policy.Peers {
	if side == 0 {
		return &r.Match.Source
	}
	return &r.Match.Destination
}

// tally gives each line the numbers of its rules.
func (c *compiler) tally() error {
	lines := c.policy.Rules
	c.starts = take[uint32](c.work, len(lines)+1)
	n := 0
	for i := range lines {
		c.starts[i] = uint32(n)
		n += len(lines[i].Match.Services) * c.ends[0].lines[i].len() * c.ends[1].lines[i].len()
		if n > maxRules {
			return fmt.Errorf("line %d: the list is too long: up to here its lines name %d combinations of services and masked addresses, want %d at most", lines[i].ID.Seq, n, maxRules)
		}
	}
	c.starts[len(lines)] = uint32(n)
	return nil
}

// make makes the rules, those of the second half of the lines beside those of
// the first.
func (c *compiler) make() error {
	c.rules = take[rule](c.work, int(c.starts[len(c.policy.Rules)]))
	makers := [2]maker{{compiler: c}, {compiler: c, first: len(c.rules)}}
	var errs [2]error
	halves(len(c.policy.Rules), func(half, first, behind int) { errs[half] = makers[half].make(first, behind) })
	if err := cmp.Or(errs[0], errs[1]); err != nil {
		return err
	}
	c.join(&makers[0], &makers[1])
	return nil
}

// join numbers what two makers have found as one maker would.
func (c *compiler) join(a, b *maker) {
	kinds := make([]uint32, len(b.kinds))
	for i, k := range b.kinds {
		kinds[i] = a.internKind(k)
	}
	c.kinds, c.portSets = a.kinds, append(a.portSets, b.portSets[min(1, len(b.portSets)):]...)
	for i := b.first; i < len(c.rules); i++ {
		r := &c.rules[i]
		r.kind = kinds[r.kind]
		for p := range r.sets {
			if r.sets[p] != 0 {
				r.sets[p] += int32(len(a.portSets)) - 1
			}
		}
	}
}

// findFree marks the rules behind which a covered rule can never be the first
// match. "Go on at" may enter the list between the two, so a rule that some
// jump passes over is not free.
func (c *compiler) findFree() {
	c.free = take[bool](c.work, len(c.rules))
	far := uint32(0) // the farthest goal of the jumps above
	for i := range c.rules {
		r := &c.rules[i]
		c.free[i] = uint32(i) >= far && r.action != policy.Next && !r.looksAtPackets
		if r.action == policy.Next {
			far = max(far, c.starts[c.policy.Rules[r.line].Goto])
		}
	}
}

// maker makes the rules of some lines.
type maker struct {
	*compiler
	first    int // its first rule
	kinds    []kind
	kindOf   map[kind]uint32
	recent   [256]uint32 // kinds of services met last, by a hash
	portSets []policy.Ranges
}

func (m *maker) make(first, behind int) error {
	m.kindOf, m.portSets = map[kind]uint32{}, make([]policy.Ranges, 1)
	m.first = int(m.starts[first])
	for i := first; i < behind; i++ {
		r := &m.policy.Rules[i]
		if err := m.refuse(r); err != nil {
			return fmt.Errorf("line %d: %w", r.ID.Seq, err)
		}
		m.makeLine(i)
	}
	return nil
}

func (m *maker) makeLine(i int) {
	sources, destinations := m.ends[0].lines[i], m.ends[1].lines[i]
	services, at := m.policy.Rules[i].Match.Services, m.starts[i]
	for j := range services {
		for s := sources.first; s < sources.behind; s++ {
			for d := destinations.first; d < destinations.behind; d++ {
				m.makeRule(&m.rules[at], i, &services[j], s, d)
				at++
			}
		}
	}
}

// refuse reports what a table cannot say.
func (c *compiler) refuse(r *policy.Rule) error {
	what := r.Match.BeyondNode()
	switch {
	case what != "":
	case r.Action != policy.Permit && r.Match.LooksAtNames():
		what = "fqdn in a line that does not permit"
	case r.Match.Evaluate != "" && c.numbers.List == nil:
		what = "evaluate"
	case r.Reflect != nil && c.numbers.List == nil:
		what = "reflect"
	case r.Police != nil && c.numbers.Policer == nil:
		what = "police"
	case r.Match.Time != nil && c.numbers.Window == nil:
		what = "time-range"
	default:
		return nil
	}
	return fmt.Errorf("a node cannot judge by %s", what)
}

func (m *maker) makeRule(out *rule, line int, s *policy.Service, source, destination int32) {
	r := &m.policy.Rules[line]
	match := &r.Match
	*out = rule{line: int32(line), end: [2]int32{source, destination}, action: r.Action, flags: flagsOf(r)}
	out.reflexive = match.Evaluate != "" || r.Reflect != nil
	out.looksAtBytes = match.TrafficClass != nil || match.HopLimit != nil || match.Time != nil
	out.counted = !r.Uncounted && (r.Action != policy.Next || match.Time != nil)
	k := kind{protocols: protocols(r, s), later: laterProtocols(r, s), flags: s.Flags}
	out.whole, out.later = k.protocols != policy.ByteSet{}, k.later != policy.ByteSet{}
	out.kind = m.internKind(k)
	detail := s.DestinationPorts
	if !s.ICMP.All() {
		detail = s.ICMP
	}
	for i, ports := range [...]policy.Ranges{s.SourcePorts, detail} {
		if len(ports) == 0 {
			continue // no whole packet matches
		}
		out.ports[i] = bounds{ports[0].First, ports[len(ports)-1].Last}
		if len(ports) > 1 {
			out.sets[i] = int32(len(m.portSets))
			m.portSets = append(m.portSets, ports)
		}
	}
	out.looksAtPackets = out.looksAtBytes || match.Evaluate != "" || !s.Flags.All()
}

// flagsOf gives the flags of a line's records but for that of a time window.
func flagsOf(r *policy.Rule) (flags uint8) {
	if r.Log {
		flags |= uint8(bpf.AcliumTableConstRECORD_LOG)
	}
	if r.NamesAddress() {
		flags |= uint8(bpf.AcliumTableConstRECORD_ADDRESSES)
	}
	if r.Police != nil {
		flags |= uint8(bpf.AcliumTableConstRECORD_POLICE)
	}
	return flags
}

func (m *maker) internKind(k kind) uint32 {
	recent := &m.recent[k.few()]
	if int(*recent) < len(m.kinds) && m.kinds[*recent] == k {
		return *recent
	}
	at, known := m.kindOf[k]
	if !known {
		at = uint32(len(m.kinds))
		m.kindOf[k] = at
		m.kinds = append(m.kinds, k)
	}
	*recent = at
	return at
}

// protocols gives the protocols for which a whole packet can satisfy the
// service: where a protocol lacks a field, the service must not look at it. A
// service that looks at both ports and types has none, so that one field of
// the rule holds either.
func protocols(r *policy.Rule, s *policy.Service) policy.ByteSet {
	if r.Match.Fragments || len(s.SourcePorts) == 0 || len(s.DestinationPorts) == 0 || len(s.ICMP) == 0 {
		return policy.ByteSet{}
	}
	out := s.Protocols
	if !s.SourcePorts.All() || !s.DestinationPorts.All() {
		out = out.Intersect(withPorts)
	}
	if !s.ICMP.All() {
		out = out.Intersect(withTypes)
	}
	if !s.Flags.All() {
		out = out.Intersect(withFlags)
	}
	return out
}

var (
	withPorts = policy.BytesWhere(policy.HasPorts)
	withTypes = policy.Bytes(policy.ICMP, policy.IGMP, policy.ICMPv6)
	withFlags = policy.Bytes(policy.TCP)
)

// laterProtocols gives the protocols for which a later fragment satisfies it.
func laterProtocols(r *policy.Rule, s *policy.Service) policy.ByteSet {
	if s.LooksAtL4() && r.Action != policy.Permit {
		return policy.ByteSet{}
	}
	return s.Protocols
}

// stretch is a part of a slice: the members from first up to but not including
// behind.
type stretch struct{ first, behind int32 }

func (s stretch) len() int { return int(s.behind - s.first) }

// point is an address: IPv4 addresses stand in the low half.
type point struct{ hi, lo uint64 }

func (p point) compare(q point) int {
	switch {
	case p == q:
		return 0
	case p.hi < q.hi || p.hi == q.hi && p.lo < q.lo:
		return -1
	}
	return 1
}

// next gives the following value; 0 follows the largest one.
func (p point) next() point {
	q := point{p.hi, p.lo + 1}
	if q.lo == 0 {
		q.hi++
	}
	return q
}

func pointOf(a netip.Addr) point {
	if a.Is4() {
		b := a.As4()
		return point{lo: uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])}
	}
	b := a.As16()
	return point{be64(b[:8]), be64(b[8:])}
}
