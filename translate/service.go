package translate

import (
	"aclium/grammar"
	"aclium/translate/policy"
)

// servicesOf gives what a line says behind its addresses.
func (t *compiler) servicesOf(a *grammar.ACE) []policy.Service {
	if a.ServiceGroup.Text != "" {
		return t.groupServices(a)
	}
	s := policy.ServiceOf(protocolOf(a.Protocol))
	if a.Flags != nil {
		s.Flags = flagsOf(a.Flags)
	}
	switch {
	case a.ICMP != nil:
		s.ICMP = icmpOf(a.ICMP)
	case a.IGMP != nil && igmpUnsaid(a) == "":
		s.ICMP = anyCode(igmpTypes[a.IGMP.Number])
	case a.ICMPGroup.Text != "":
		s.ICMP = t.groupTypes(a.ICMPGroup, nil)
	}
	return t.withPorts(s, a.SourcePorts, a.DestinationPorts)
}

// groupServices gives what a group in the place of the protocol says. The ports
// of the line apply to an ASA's group of protocols alone, which has none.
func (t *compiler) groupServices(a *grammar.ACE) (out []policy.Service) {
	name := a.ServiceGroup
	kinds := []grammar.GroupKind{grammar.ServiceGroup, grammar.ServiceGroup6}
	switch {
	case a.ServiceObject:
		kinds = []grammar.GroupKind{grammar.ServiceObject}
	case a.Dialect == grammar.ASA:
		kinds = []grammar.GroupKind{grammar.ServiceGroup, grammar.ProtocolGroup}
	}
	g := t.groupOf(name, "services", kinds...)
	switch {
	case g == nil:
		return nil
	case g.Kind == grammar.ServiceGroup6 && !a.Kind.IsIPv6():
		t.fail(name.Pos, "object-group %s holds services of IPv6, which this list does not govern", name.Text)
		return nil
	}
	set := t.serviceGroup(g)
	if a.Kind == grammar.IPv6 && set.icmp {
		t.fail(name.Pos, "object-group %s names icmp, which is a protocol of IPv4", name.Text)
	}
	if a.SourcePorts.Op == 0 && a.DestinationPorts.Op == 0 {
		return set.services
	}
	for _, s := range set.services {
		out = append(out, t.withPorts(s, a.SourcePorts, a.DestinationPorts)...)
	}
	return out
}

// serviceOf gives the services of a member of a service group: one for each
// protocol, or one for TCP and UDP together.
func (t *compiler) serviceOf(m *grammar.Service) []policy.Service {
	protocols := policy.ByteSet{}
	for _, p := range m.Protocols {
		for i, w := range protocolOf(p) {
			protocols[i] |= w
		}
	}
	s := policy.ServiceOf(protocols)
	if m.ICMP != nil {
		s.ICMP = icmpOf(m.ICMP)
	}
	return t.withPorts(s, m.Source, m.Destination)
}

func protocolOf(p grammar.Protocol) policy.ByteSet {
	if p.Any {
		return policy.AllBytes()
	}
	return policy.Bytes(p.Number)
}

func icmpOf(m *grammar.ICMP) policy.Ranges {
	if m.Code < 0 {
		return anyCode(m.Type)
	}
	v := uint16(m.Type)<<8 | uint16(m.Code)
	return policy.NewRanges(policy.Range{First: v, Last: v})
}

// anyCode gives all codes of an ICMP type.
func anyCode(icmpType uint8) policy.Ranges {
	first := uint16(icmpType) << 8
	return policy.NewRanges(policy.Range{First: first, Last: first | 0xff})
}

// flagsOf gives the flag bytes that a line accepts.
func flagsOf(f *grammar.TCPFlags) policy.ByteSet {
	return policy.BytesWhere(func(v uint8) bool {
		switch f.Match {
		case grammar.Established:
			return v&(policy.ACK|policy.RST) != 0
		case grammar.MatchAll:
			return v&f.Set == f.Set && v&f.Clear == 0
		case grammar.MatchAny:
			return v&f.Set != 0 || ^v&f.Clear != 0
		}
		return v&f.Set != 0
	})
}

// maxPort is the highest port.
const maxPort = 65535

// withPorts adds the ports. A line that names all of them ("range 0 65535")
// still looks at the transport header, which matters to fragments; since full
// sets mean that nothing is looked at, such a line becomes two services.
func (t *compiler) withPorts(s policy.Service, source, destination grammar.Compare) []policy.Service {
	s.SourcePorts, s.DestinationPorts = t.portsOf(source), t.portsOf(destination)
	if s.LooksAtL4() || source.Op == 0 && destination.Op == 0 {
		return []policy.Service{s}
	}
	low, high := s, s
	low.DestinationPorts = policy.NewRanges(policy.Range{First: 0, Last: maxPort / 2})
	high.DestinationPorts = low.DestinationPorts.Complement()
	return []policy.Service{low, high}
}
