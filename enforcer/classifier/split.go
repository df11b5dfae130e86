package classifier

import (
	"fmt"
	"net/netip"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// maxRules is how many rules a table can have.
const maxRules = int(bpf.AcliumTableConstTABLE_SUBRULES)

// split makes the rules.
func (c *compiler) split() error {
	c.kindOf = map[kind]uint32{}
	few := len(c.policy.Rules) / 8 // more than lines: the members of unions
	c.rules = make([]rule, 0, len(c.policy.Rules)+few)
	c.starts = make([]uint32, 0, len(c.policy.Rules)+1)
	c.portSets = make([]policy.Ranges, 1)
	for i := range c.ends {
		c.ends[i].list = make([]end, 0, len(c.policy.Rules)+few)
		c.ends[i].spans = make([]span, 0, len(c.policy.Rules)+few)
	}
	for i := range c.policy.Rules {
		c.starts = append(c.starts, uint32(len(c.rules)))
		if err := c.splitLine(i); err != nil {
			return fmt.Errorf("line %d: %w", c.policy.Rules[i].ID.Seq, err)
		}
	}
	c.starts = append(c.starts, uint32(len(c.rules)))
	c.findFree()
	return nil
}

// findFree marks the rules behind which a covered rule can never be the first
// match. "Go on at" may enter the list between the two, so a rule that some
// jump passes over is not free.
func (c *compiler) findFree() {
	c.free = make([]bool, len(c.rules))
	far := uint32(0) // the farthest goal of the jumps above
	for i := range c.rules {
		r := &c.rules[i]
		c.free[i] = uint32(i) >= far && r.action != policy.Next && !r.looksAtPackets
		if r.action == policy.Next {
			far = max(far, c.starts[c.policy.Rules[r.line].Goto])
		}
	}
}

func (c *compiler) splitLine(i int) error {
	r := &c.policy.Rules[i]
	if err := c.refuse(r); err != nil {
		return err
	}
	m := &r.Match
	sources, err := c.ends[0].parts(&m.Source, c.identities)
	if err != nil {
		return err
	}
	destinations, err := c.ends[1].parts(&m.Destination, c.identities)
	if err != nil {
		return err
	}
	if n := len(c.rules) + len(m.Services)*sources.len()*destinations.len(); n > maxRules {
		return fmt.Errorf("the list is too long: up to here its lines name %d combinations of services and masked addresses, want %d at most", n, maxRules)
	}
	for j := range m.Services {
		for s := sources.first; s < sources.behind; s++ {
			for d := destinations.first; d < destinations.behind; d++ {
				c.addRule(i, &m.Services[j], s, d)
			}
		}
	}
	return nil
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

func (c *compiler) addRule(line int, s *policy.Service, source, destination int32) {
	r := &c.policy.Rules[line]
	m := &r.Match
	out := rule{line: int32(line), end: [2]int32{source, destination}, action: r.Action, flags: flagsOf(r)}
	out.reflexive = m.Evaluate != "" || r.Reflect != nil
	out.looksAtBytes = m.TrafficClass != nil || m.HopLimit != nil || m.Time != nil
	out.counted = !r.Uncounted && (r.Action != policy.Next || m.Time != nil)
	k := kind{protocols: protocols(r, s), later: laterProtocols(r, s), flags: s.Flags}
	out.whole, out.later = k.protocols != policy.ByteSet{}, k.later != policy.ByteSet{}
	out.kind = c.internKind(k)
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
			out.sets[i] = int32(len(c.portSets))
			c.portSets = append(c.portSets, ports)
		}
	}
	out.looksAtPackets = out.looksAtBytes || m.Evaluate != "" || !s.Flags.All()
	c.rules = append(c.rules, out)
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

func (c *compiler) internKind(k kind) uint32 {
	recent := &c.recent[k.few()]
	if int(*recent) < len(c.kinds) && c.kinds[*recent] == k {
		return *recent
	}
	at, known := c.kindOf[k]
	if !known {
		at = uint32(len(c.kinds))
		c.kindOf[k] = at
		c.kinds = append(c.kinds, k)
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
