package check

import (
	"aclium/grammar"
	"aclium/translate/policy"
)

// A service is what a line says behind its addresses.
type service struct {
	protocols *set // nil for all
	// header are the limits on the transport header; looks says that it is
	// needed even so.
	header box
	looks  bool
	// never says that no transport header is like that.
	never bool
}

// services gives the services of a line, as few as can say them.
func (f *family) services(a *grammar.ACE, m *policy.Match) (out []service) {
	if a.ServiceGroup.Text == "" && a.IGMP != nil {
		b := box{{igmp, between(a.IGMP.Number, a.IGMP.Number)}}
		return []service{{protocols: f.setOfBytes(policy.Bytes(2)), header: b, looks: true}}
	}
	for _, s := range merged(m.Services) {
		if v, ok := f.serviceOf(s); ok {
			out = append(out, v)
		}
	}
	return out
}

// A part is a policy's service and whether it needs the transport header,
// which its sets do not say when they were joined.
type part struct {
	policy.Service
	looks bool
}

// merged joins services that differ in one set only, so that a group of a
// thousand ports is one box.
func merged(in []policy.Service) []part {
	parts := make([]part, len(in))
	for i := range in {
		parts[i] = part{in[i], in[i].LooksAtL4()}
		parts[i].Protocols = withFields(&in[i])
	}
	if len(parts) < 2 {
		return parts
	}
	parts = mergeBy(parts, func(s *part) *policy.Ranges { return &s.DestinationPorts })
	parts = mergeBy(parts, func(s *part) *policy.Ranges { return &s.SourcePorts })
	parts = mergeBy(parts, func(s *part) *policy.Ranges { return &s.ICMP })
	return mergeProtocols(parts)
}

// withFields gives the protocols of a service that have the fields it looks
// at: a packet of another one is not in it.
func withFields(s *policy.Service) policy.ByteSet {
	p := s.Protocols
	if !s.SourcePorts.All() || !s.DestinationPorts.All() {
		p = p.Intersect(policy.Bytes(policy.TCP, policy.UDP, policy.SCTP))
	}
	if !s.ICMP.All() {
		p = p.Intersect(policy.Bytes(policy.ICMP, policy.ICMPv6, policy.IGMP))
	}
	if !s.Flags.All() {
		p = p.Intersect(policy.Bytes(policy.TCP))
	}
	return p
}

// partKey tells parts apart by everything.
type partKey struct {
	protocols, flags                policy.ByteSet
	sourcePorts, destinations, icmp string
	looks                           bool
}

func (s *part) key() partKey {
	return partKey{s.Protocols, s.Flags, s.SourcePorts.String(), s.DestinationPorts.String(), s.ICMP.String(), s.looks}
}

func mergeBy(in []part, field func(*part) *policy.Ranges) (out []part) {
	at, ranges := map[partKey]int{}, [][]policy.Range{}
	for i := range in {
		s := in[i]
		r := *field(&s)
		*field(&s) = nil
		k := s.key()
		n, ok := at[k]
		if !ok {
			n = len(out)
			at[k] = n
			out, ranges = append(out, s), append(ranges, nil)
		}
		ranges[n] = append(ranges[n], r...)
	}
	for i := range out {
		*field(&out[i]) = policy.NewRanges(ranges[i]...)
	}
	return out
}

func mergeProtocols(in []part) (out []part) {
	at := map[partKey]int{}
	for _, s := range in {
		k := s.key()
		k.protocols = policy.ByteSet{}
		n, ok := at[k]
		if !ok {
			at[k] = len(out)
			out = append(out, s)
			continue
		}
		for i := range s.Protocols {
			out[n].Protocols[i] |= s.Protocols[i]
		}
	}
	return out
}

// serviceOf gives the sets of a service; false when nothing is in it.
func (f *family) serviceOf(s part) (service, bool) {
	v := service{looks: s.looks}
	if !s.Protocols.All() {
		v.protocols = f.setOfBytes(s.Protocols)
	}
	for _, l := range []limit{
		{destinationPort, setOfRanges(s.DestinationPorts)}, {sourcePort, setOfRanges(s.SourcePorts)},
		{icmp, setOfRanges(s.ICMP)}, {flags, f.setOfBytes(s.Flags)},
	} {
		if len(l.set.spans) == 0 {
			v.never = true
			continue
		}
		if l.set.spans[0].first != (number{}) || l.set.spans[0].last != ones([...]int{flags: 8, icmp: 16, destinationPort: 16, sourcePort: 16}[l.in]) {
			v.header = append(v.header, l)
		}
	}
	return v, s.Protocols.Len() > 0
}

func setOfRanges(rs policy.Ranges) *set {
	all := make([]span, len(rs))
	for i, r := range rs {
		all[i] = span{small(uint64(r.First)), small(uint64(r.Last))}
	}
	return &set{spans: newSpans(all...)}
}

func (f *family) setOfBytes(b policy.ByteSet) *set {
	s := f.bytes[b]
	if s == nil {
		s = setOfRanges(b.Ranges())
		f.bytes[b] = s
	}
	return s
}
