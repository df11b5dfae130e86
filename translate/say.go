package translate

import (
	"slices"

	"aclium/translate/policy"
)

// This file divides services into what an ordered target says and what it does
// not. It looks at packets that open a connection: whole ones, a SYN in TCP,
// with ports above 0, ICMP in IPv4 and ICMPv6 in IPv6.

// A division is a service as a target has it.
type division struct {
	said, lost []policy.Service
	why        string // of lost
}

// withPorts are the protocols that carry ports.
var withPorts = policy.Bytes(policy.TCP, policy.UDP, policy.SCTP)

// say divides the services of a line in a list of the families.
func (t *Target) say(services []policy.Service, f policy.Family) (out division) {
	for i := range services {
		s := &services[i]
		if plain(s) {
			out.said = append(out.said, policy.AnyService())
			continue
		}
		for _, piece := range openings(*s, f) {
			t.divide(piece, &out)
		}
	}
	return out
}

// plain reports a service that is every packet.
func plain(s *policy.Service) bool { return s.Protocols.All() && !s.LooksAtL4() }

// openings gives the packets of a service that open connections, as services
// that look at no field which their protocols lack.
func openings(s policy.Service, f policy.Family) (out []policy.Service) {
	if !s.SourcePorts.All() || !s.DestinationPorts.All() {
		s.Protocols = s.Protocols.Intersect(withPorts)
	}
	if !s.ICMP.All() {
		s.Protocols = s.Protocols.Intersect(policy.Bytes(policy.ICMP, policy.ICMPv6))
	}
	if !s.Flags.All() {
		s.Protocols = s.Protocols.Intersect(policy.Bytes(policy.TCP))
	}
	if !s.Flags.Has(policy.SYN) {
		s.Protocols = without(s.Protocols, policy.TCP)
	}
	if f&policy.IPv4 == 0 {
		s.Protocols = without(s.Protocols, policy.ICMP)
	}
	if f&policy.IPv6 == 0 {
		s.Protocols = without(s.Protocols, policy.ICMPv6)
	}
	s.Flags = policy.AllBytes()
	var some bool
	if s.SourcePorts, some = abovePort0(s.SourcePorts); !some {
		return nil
	}
	if s.DestinationPorts, some = abovePort0(s.DestinationPorts); !some {
		return nil
	}
	if s.Protocols == (policy.ByteSet{}) || len(s.ICMP) == 0 {
		return nil
	}
	return []policy.Service{s}
}

func without(s policy.ByteSet, protocol uint8) policy.ByteSet {
	return policy.BytesWhere(func(v uint8) bool { return v != protocol && s.Has(v) })
}

// abovePort0 gives the ports that can be named; all of them are all ports.
func abovePort0(ports policy.Ranges) (policy.Ranges, bool) {
	named := policy.Ranges{{First: 1, Last: maxPort}}
	if ports = ports.Intersect(named); slices.Equal(ports, named) {
		return policy.AllNumbers(), true
	}
	return ports, len(ports) > 0
}

// divide takes one piece.
func (t *Target) divide(s policy.Service, out *division) {
	lose := func(s policy.Service, why string) {
		if s.Protocols != (policy.ByteSet{}) {
			out.lost = append(out.lost, s)
			out.why = why
		}
	}
	switch {
	case s.PortNames != nil:
		lose(s, "the name of a port cannot be named")
		return
	case !s.SourcePorts.All() && !t.SourcePorts:
		lose(s, "a source port cannot be named")
		return
	}
	said, lost := s, s
	said.Protocols = s.Protocols.Intersect(t.nameable())
	lost.Protocols = policy.BytesWhere(func(v uint8) bool { return s.Protocols.Has(v) && !said.Protocols.Has(v) })
	lose(lost, "a protocol other than "+nameableText(*t)+" cannot be named")
	if said.Protocols == (policy.ByteSet{}) {
		return
	}
	if !said.ICMP.All() {
		last := said
		last.ICMP = said.ICMP.Intersect(anyCode(unnamedType))
		if len(last.ICMP) > 0 {
			lose(last, "ICMP type 255 cannot be named")
		}
		if said.ICMP = said.ICMP.Minus(anyCode(unnamedType)); len(said.ICMP) == 0 {
			return
		}
	}
	out.said = append(out.said, said)
}

// unnamedType is the ICMP type that Calico's rules do not take: 0 to 254.
const unnamedType = 255

// nameable are the protocols that a target has words for. Calico names them by
// numbers from 1.
func (t *Target) nameable() policy.ByteSet {
	switch {
	case t.Protocols:
		return policy.BytesWhere(func(v uint8) bool { return v != 0 })
	case t.ICMP:
		return policy.BytesWhere(func(v uint8) bool { return withPorts.Has(v) || familyOfICMP(v) != 0 })
	}
	return withPorts
}

// servicesMeet reports whether two sets of services share a packet that opens a
// connection.
func servicesMeet(a, b []policy.Service, f policy.Family) bool {
	for i := range a {
		for _, s := range openings(a[i], f) {
			for k := range b {
				for _, t := range openings(b[k], f) {
					if meets(&s, &t) {
						return true
					}
				}
			}
		}
	}
	return false
}

func meets(s, t *policy.Service) bool {
	for v := range 256 {
		p := uint8(v)
		switch {
		case !s.Protocols.Has(p) || !t.Protocols.Has(p):
		case policy.HasPorts(p):
			if len(s.SourcePorts.Intersect(t.SourcePorts)) > 0 && len(s.DestinationPorts.Intersect(t.DestinationPorts)) > 0 {
				return true
			}
		case familyOfICMP(p) != 0:
			if len(s.ICMP.Intersect(t.ICMP)) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}
