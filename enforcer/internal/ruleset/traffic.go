package ruleset

import (
	"encoding/binary"
	"net/netip"

	"aclium/translate/policy"
)

// Random gives n whole packets for a list: every other one is a random point
// inside a random rule, the rest are random points of the whole space (of
// 2001:db8::/32 in IPv6).
func Random(p *policy.Policy, n int, seed uint64) []policy.Packet {
	d := newDice("traffic", seed)
	out := make([]policy.Packet, n)
	for i := range out {
		if i%2 == 0 && len(p.Rules) > 0 {
			out[i] = d.inside(&p.Rules[d.IntN(len(p.Rules))].Match, p.Family)
		} else {
			out[i] = d.anywhere(p.Family)
		}
	}
	return out
}

// Flows gives n packets of the given number of flows: that many packets of
// Random, each as likely as the others to come next.
func Flows(p *policy.Policy, flows, n int, seed uint64) []policy.Packet {
	d := newDice("flows", seed)
	heads := Random(p, flows, seed)
	out := make([]policy.Packet, n)
	for i := range out {
		out[i] = choice(d, heads)
	}
	return out
}

// Inside gives n packets that are random points inside random rules.
func Inside(p *policy.Policy, n int, seed uint64) []policy.Packet {
	d := newDice("inside", seed)
	out := make([]policy.Packet, n)
	for i := range out {
		out[i] = d.inside(&p.Rules[d.IntN(len(p.Rules))].Match, p.Family)
	}
	return out
}

// anywhere gives a packet with every field random.
func (d dice) anywhere(f policy.Family) policy.Packet {
	everybody := policy.Everybody()
	p := policy.Packet{Source: d.end(&everybody, f), Destination: d.end(&everybody, f)}
	s := policy.AnyService()
	d.fill(&p, &s, f)
	p.TrafficClass, p.HopLimit = uint8(d.IntN(256)), uint8(d.between(1, 255))
	return p
}

// inside gives a packet that the match matches.
func (d dice) inside(m *policy.Match, f policy.Family) policy.Packet {
	p := policy.Packet{Source: d.end(&m.Source, f), Destination: d.end(&m.Destination, f)}
	d.fill(&p, &m.Services[d.IntN(len(m.Services))], f)
	p.TrafficClass, p.HopLimit = d.byte(m.TrafficClass, 0), d.byte(m.HopLimit, 64)
	return p
}

// end gives an address of the peers, which are known by addresses.
func (d dice) end(s *policy.Peers, f policy.Family) policy.Endpoint {
	if len(s.Addresses) > 0 {
		return policy.Endpoint{Addr: d.address(choice(d, s.Addresses))}
	}
	if f == policy.IPv4 {
		return policy.Endpoint{Addr: four(d.Uint32())}
	}
	return policy.Endpoint{Addr: d.address(policy.PrefixRange(block{d.Uint32(), 31}.prefix(f)))}
}

// address gives a random address of an interval: the bits that its ends have
// in common, and random ones behind them until they fall between the ends.
func (d dice) address(r policy.AddrRange) netip.Addr {
	first, last := r.First.As16(), r.Last.As16()
	for range 64 {
		a := first
		for i := range a {
			differ := first[i] ^ last[i]
			if differ == 0 {
				continue
			}
			var random [16]byte
			binary.BigEndian.PutUint64(random[:], d.Uint64())
			binary.BigEndian.PutUint64(random[8:], d.Uint64())
			for differ&(differ+1) != 0 {
				differ |= differ >> 1
			}
			a[i] = first[i]&^differ | random[i]&differ
			copy(a[i+1:], random[i+1:])
			break
		}
		if addr := netip.AddrFrom16(a); r.First.Is6() && r.Has(addr) {
			return addr
		} else if r.First.Is4() && r.Has(addr.Unmap()) {
			return addr.Unmap()
		}
	}
	return r.First
}

// commonFlags are the flag bytes of ordinary TCP.
var commonFlags = []uint8{
	policy.SYN, policy.SYN, policy.SYN | policy.ACK, policy.ACK, policy.ACK, policy.PSH | policy.ACK, policy.FIN | policy.ACK, policy.RST,
}

// fill gives the packet what the service wants behind the addresses.
func (d dice) fill(p *policy.Packet, s *policy.Service, f policy.Family) {
	p.Protocol, p.Length = d.protocol(s, f), FrameLength-14
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = d.number(s.SourcePorts), d.number(s.DestinationPorts)
	case p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 || p.Protocol == policy.IGMP:
		v := d.number(s.ICMP)
		p.ICMPType, p.ICMPCode = uint8(v>>8), uint8(v)
	}
	if p.Protocol != policy.TCP {
		return
	}
	for p.Flags = choice(d, commonFlags); !s.Flags.Has(p.Flags); {
		p.Flags = uint8(d.IntN(256))
	}
}

// protocol gives one of the service's, those that people use first.
func (d dice) protocol(s *policy.Service, f policy.Family) uint8 {
	common := weighted[uint8]{{60, policy.TCP}, {30, policy.UDP}, {7, protocolOf(int(policy.ICMP), f)}, {3, 47}}
	for range 32 {
		if v := common.pick(d); s.Protocols.Has(v) && d.allows(s, v) {
			return v
		}
	}
	for {
		if v := uint8(d.IntN(256)); s.Protocols.Has(v) {
			return v
		}
	}
}

// byte gives a member of a set that is not empty, the usual one for nil.
func (d dice) byte(s *policy.ByteSet, usual uint8) uint8 {
	if s == nil {
		return usual
	}
	for {
		if v := uint8(d.IntN(256)); s.Has(v) {
			return v
		}
	}
}

// allows reports whether the protocol has the fields that the service looks
// at.
func (d dice) allows(s *policy.Service, v uint8) bool {
	icmp := v == policy.ICMP || v == policy.ICMPv6 || v == policy.IGMP
	return (policy.HasPorts(v) || s.SourcePorts.All() && s.DestinationPorts.All()) && (icmp || s.ICMP.All()) && (v == policy.TCP || s.Flags.All())
}

// number gives a member of a set that is not empty.
func (d dice) number(s policy.Ranges) uint16 {
	r := choice(d, s)
	return uint16(d.between(int(r.First), int(r.Last)))
}
