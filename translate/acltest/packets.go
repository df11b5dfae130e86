package acltest

import (
	"net/netip"

	"aclium/grammar"
	"aclium/translate/policy"
)

// tries is how many packets are made for a line before it counts as hidden
// behind the lines above it.
const tries = 200

// A Judge gives the verdict of a list on a packet and the sequence number of
// the line that decides.
type Judge func(p *policy.Packet) (permit bool, seq uint32)

// Packets gives at least n packets for a list: for every line one that it
// decides, unless none is found, and then packets that lie on or beside the
// edges of its lines. The judge tells which line decides.
func (g *Generator) Packets(c *grammar.Config, acl string, judge Judge, n int) []policy.Packet {
	a := c.ACL(acl)
	g.v6 = a.Kind == grammar.IPv6
	m := &maker{Generator: g, c: c, v6: g.v6}
	var aces []*grammar.Entry
	for _, e := range a.Entries {
		if e.ACE != nil {
			aces = append(aces, e)
		}
	}
	var out []policy.Packet
	for _, e := range aces {
		if p, ok := m.decidedBy(e, judge, tries); ok {
			out = append(out, p)
		}
	}
	for len(out) < n {
		p := m.packet(pick(g, aces...).ACE)
		if g.chance(50) {
			m.disturb(&p)
		}
		out = append(out, p)
	}
	return out
}

// Hidden gives the lines of a list that decide none of the packets, and how
// many lines the list has.
func Hidden(c *grammar.Config, acl string, judge Judge, packets []policy.Packet) (hidden []*grammar.Entry, lines int) {
	decided := map[uint32]bool{}
	for i := range packets {
		_, seq := judge(&packets[i])
		decided[seq] = true
	}
	for _, e := range c.ACL(acl).Entries {
		if e.ACE == nil {
			continue
		}
		lines++
		if !decided[e.Seq] {
			hidden = append(hidden, e)
		}
	}
	return hidden, lines
}

// Search looks hard for a packet that the line decides; false when there is
// none among that many tries.
func (g *Generator) Search(c *grammar.Config, e *grammar.Entry, judge Judge, tries int) (policy.Packet, bool) {
	g.v6 = e.ACE.Kind == grammar.IPv6
	return (&maker{Generator: g, c: c, v6: g.v6}).decidedBy(e, judge, tries)
}

// A maker makes packets for the lines of one list.
type maker struct {
	*Generator
	c  *grammar.Config
	v6 bool
}

func (m *maker) decidedBy(e *grammar.Entry, judge Judge, tries int) (policy.Packet, bool) {
	for i := range tries {
		p := m.packet(e.ACE)
		if i%4 == 3 {
			m.disturb(&p)
		}
		if _, seq := judge(&p); seq == e.Seq {
			return p, true
		}
	}
	return policy.Packet{}, false
}

// packet gives a packet that the line is about, more often than not.
func (m *maker) packet(a *grammar.ACE) policy.Packet {
	p := policy.Packet{Source: m.end(a.Source), Destination: m.end(a.Destination)}
	s := &grammar.Service{Protocols: []grammar.Protocol{a.Protocol}, Source: a.SourcePorts, Destination: a.DestinationPorts, ICMP: a.ICMP}
	if a.Action == grammar.Evaluate {
		s.Protocols[0].Any = true
	}
	if a.ServiceGroup.Text != "" {
		s = m.service(a.ServiceGroup.Text)
	}
	if protocol := pick(m.Generator, s.Protocols...); protocol.Any {
		p.Protocol = m.protocol()
	} else {
		p.Protocol = protocol.Number
	}
	m.fill(&p, s)
	if a.Flags != nil && p.Protocol == policy.TCP {
		p.Flags = uint8(m.r.IntN(64))&^a.Flags.Clear | a.Flags.Set
	}
	if a.Fragments || m.chance(4) {
		m.later(&p)
	}
	m.mark(&p, a)
	return p
}

func (m *maker) service(group string) *grammar.Service {
	members := m.c.ObjectGroup(group).Members
	e := pick(m.Generator, members...)
	if e.Kind == grammar.GroupMember {
		return m.service(e.Group.Text)
	}
	return e.Service
}

func (m *maker) protocol() uint8 {
	if m.v6 {
		return pick[uint8](m.Generator, 6, 17, 58, 132, 50)
	}
	return pick[uint8](m.Generator, 6, 17, 1, 132, 47)
}

// fill sets the fields that the packet's protocol has.
func (m *maker) fill(p *policy.Packet, s *grammar.Service) {
	p.SourcePort, p.DestinationPort, p.ICMPType, p.ICMPCode, p.Flags = 0, 0, 0, 0, 0
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = m.portFor(s.Source), m.portFor(s.Destination)
	case p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6:
		p.ICMPType, p.ICMPCode = pick[uint8](m.Generator, 0, 1, 3, 8, 11, 128, 135, 136), uint8(m.r.IntN(5))
		if s.ICMP != nil {
			p.ICMPType = s.ICMP.Type
			if s.ICMP.Code >= 0 {
				p.ICMPCode = uint8(s.ICMP.Code)
			}
		}
	}
	if p.Protocol == policy.TCP {
		p.Flags = pick[uint8](m.Generator, policy.SYN, policy.SYN|policy.ACK, policy.ACK, policy.RST, policy.FIN|policy.ACK, 0)
	}
}

func (m *maker) portFor(c grammar.Compare) uint16 {
	if c.Op == 0 {
		return pick[uint16](m.Generator, 0, 1, 22, 23, 80, 443, 1024, 3306, 40000, 65535)
	}
	v := pick(m.Generator, c.Values...).Number
	switch c.Op {
	case grammar.Lt:
		return uint16(pick(m.Generator, v-1, 0))
	case grammar.Gt:
		return uint16(pick(m.Generator, v+1, 65535))
	case grammar.Neq:
		return uint16(pick(m.Generator, v-1, v+1, 7))
	}
	return uint16(v)
}

// later makes the packet a fragment without a transport header.
func (m *maker) later(p *policy.Packet) {
	p.Fragment, p.FragmentID = policy.Later, 7
	p.SourcePort, p.DestinationPort, p.ICMPType, p.ICMPCode, p.Flags = 0, 0, 0, 0, 0
}

// end gives an end that the address covers, if there is one.
func (m *maker) end(a grammar.Address) policy.Endpoint {
	switch a.Kind {
	case grammar.HostAddress:
		return EndpointAt(a.Addr)
	case grammar.MaskedAddress:
		return EndpointAt(m.inside(a.Addr, a.Wildcard))
	case grammar.AddressGroup:
		return m.memberOf(a.Group.Text)
	}
	return m.anybody()
}

func (m *maker) anybody() policy.Endpoint {
	a, _ := netip.ParseAddr(m.host())
	if a.Is6() == m.v6 {
		return EndpointAt(a)
	}
	return m.anybody()
}

// inside gives an address under a wildcard: an edge or any.
func (m *maker) inside(a, wildcard netip.Addr) netip.Addr {
	b, w := a.AsSlice(), wildcard.AsSlice()
	edge := m.r.IntN(3)
	for i := range b {
		fill := uint8(m.r.UintN(256))
		switch edge {
		case 0:
			fill = 0
		case 1:
			fill = 0xff
		}
		b[i] |= fill & w[i]
	}
	out, _ := netip.AddrFromSlice(b)
	return out
}

func (m *maker) memberOf(group string) policy.Endpoint {
	members := m.c.ObjectGroup(group).Members
	if len(members) == 0 {
		return m.anybody()
	}
	e := pick(m.Generator, members...)
	switch e.Kind {
	case grammar.HostMember:
		return EndpointAt(e.First)
	case grammar.RangeMember:
		return EndpointAt(pick(m.Generator, e.First, e.Last))
	case grammar.SubnetMember:
		return EndpointAt(m.inside(e.First, e.Wildcard))
	case grammar.GroupMember:
		return m.memberOf(e.Group.Text)
	}
	return m.known()
}

// known gives somebody of the cast.
func (m *maker) known() policy.Endpoint {
	for {
		if e := pick(m.Generator, Cast()...); e.Addr.Is6() == m.v6 {
			return e
		}
	}
}

// disturb moves one field of the packet to a neighbour or elsewhere.
func (m *maker) disturb(p *policy.Packet) {
	if p.Fragment != policy.Whole {
		return
	}
	switch m.r.IntN(7) {
	case 0:
		p.Source = EndpointAt(m.beside(p.Source.Addr))
	case 1:
		p.Destination = EndpointAt(m.beside(p.Destination.Addr))
	case 2:
		p.Protocol = m.protocol()
		m.fill(p, &grammar.Service{})
	case 3:
		p.Source, p.Destination = m.known(), m.anybody()
	case 4:
		p.Source, p.Destination = m.anybody(), m.known()
	case 5:
		p.Flags = 0
		if p.Protocol == policy.TCP {
			p.Flags = uint8(m.r.IntN(64))
		}
	default:
		m.disturbPorts(p)
	}
}

func (m *maker) disturbPorts(p *policy.Packet) {
	if policy.HasPorts(p.Protocol) {
		p.SourcePort += pick[uint16](m.Generator, 0, 1, 65535)
		p.DestinationPort += pick[uint16](m.Generator, 1, 65535)
	} else if p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 {
		p.ICMPCode++
	}
}

func (m *maker) beside(a netip.Addr) netip.Addr {
	next := pick(m.Generator, a.Next(), a.Prev())
	if !next.IsValid() {
		return a
	}
	return next
}
