package datapath

import (
	"net/netip"
	"slices"

	"aclium/enforcer/internal/chance"
	"aclium/translate/policy"
)

// A target is a line with ends and services that fit it, family by family, so
// that packets are made for it.
type target struct {
	rule      *policy.Rule
	direction policy.Direction
	ends      map[policy.Family][2][]netip.Addr
}

// An aim draws packets from the edges of lists: their addresses and ports, and
// those next to them.
type aim struct {
	*smith
	end     func(netip.Addr) policy.Endpoint
	addrs   map[policy.Family][]netip.Addr
	targets []target
	// seen are packets that were made before, to be continued, answered and
	// complained about.
	seen   []travelled
	latest int // of them
}

type travelled struct {
	direction policy.Direction
	packet    policy.Packet
}

// strangers are addresses that are nobody's, whoever the lists name.
var strangers = []netip.Addr{netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("2001:db8:ffff::77")}

// newAim prepares for the lists of both directions. addrs are further
// addresses, of identities and of the port itself.
func newAim(s *smith, lists map[policy.Direction][]*policy.Policy, addrs []netip.Addr, end func(netip.Addr) policy.Endpoint) *aim {
	a := &aim{smith: s, end: end, addrs: map[policy.Family][]netip.Addr{}}
	var masks []policy.Masked
	for _, l := range slices.Concat(lists[policy.Ingress], lists[policy.Egress]) {
		for i := range l.Rules {
			m := &l.Rules[i].Match
			addrs = append(append(addrs, edges(&m.Source)...), edges(&m.Destination)...)
			masks = append(append(masks, m.Source.Masked...), m.Destination.Masked...)
		}
	}
	addrs = distinct(append(addrs, strangers...))
	once := under(masks, addrs, 20_000)
	addrs = distinct(slices.Concat(addrs, once, under(masks, once, 3_000)))
	for _, addr := range addrs {
		if addr.IsValid() && !addr.Is4In6() {
			f := familyOf(addr)
			a.addrs[f] = append(a.addrs[f], addr)
		}
	}
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		for _, l := range lists[d] {
			for i := range l.Rules {
				a.target(l, d, &l.Rules[i])
			}
		}
	}
	return a
}

func familyOf(a netip.Addr) policy.Family {
	if a.Is4() {
		return policy.IPv4
	}
	return policy.IPv6
}

// edges gives the ends of a set and what lies just outside.
func edges(p *policy.Peers) (out []netip.Addr) {
	for _, r := range p.Addresses {
		out = append(out, r.First, r.Last, r.First.Prev(), r.Last.Next())
	}
	for _, m := range p.Masked {
		out = append(out, m.Addr, m.Addr.Next())
	}
	return out
}

func distinct(addrs []netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// under moves each address under each mask, which keeps what the mask leaves
// open: what is in one mask and moved under another is in both, if anything is.
// At most so many addresses come out.
func under(masks []policy.Masked, addrs []netip.Addr, most int) (out []netip.Addr) {
	known := map[netip.Addr]bool{}
	for _, m := range masks {
		base, wild := m.Addr.AsSlice(), m.Wildcard.AsSlice()
		for _, addr := range addrs {
			if !addr.IsValid() || addr.BitLen() != m.Addr.BitLen() || len(out) == most {
				continue
			}
			b := addr.AsSlice()
			for i := range b {
				b[i] = base[i] | b[i]&wild[i]
			}
			if moved, _ := netip.AddrFromSlice(b); !known[moved] {
				known[moved] = true
				out = append(out, moved)
			}
		}
	}
	return out
}

// target notes a line that addresses of a family fit.
func (a *aim) target(l *policy.Policy, d policy.Direction, r *policy.Rule) {
	t := target{rule: r, direction: d, ends: map[policy.Family][2][]netip.Addr{}}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		if l.Family&f == 0 || len(r.Match.Services) == 0 {
			continue
		}
		from, to := a.within(f, &r.Match.Source), a.within(f, &r.Match.Destination)
		if len(from) > 0 && len(to) > 0 {
			t.ends[f] = [2][]netip.Addr{from, to}
		}
	}
	if len(t.ends) > 0 {
		a.targets = append(a.targets, t)
	}
}

func (a *aim) within(f policy.Family, p *policy.Peers) []netip.Addr {
	if p.Any {
		return a.addrs[f]
	}
	var out []netip.Addr
	for _, addr := range a.addrs[f] {
		if e := a.end(addr); p.Has(&e) {
			out = append(out, addr)
		}
	}
	return out
}

func choose[T any](s *smith, from []T) T { return from[s.IntN(len(from))] }

// next gives a packet and the direction that it travels in.
func (a *aim) next() (policy.Direction, policy.Packet) {
	if len(a.seen) > 0 && a.one(2) {
		return a.continued()
	}
	if len(a.targets) > 0 && !a.one(8) {
		t := &a.targets[a.IntN(len(a.targets))]
		if t.rule.Action != policy.Permit && a.one(2) {
			t = &a.targets[a.IntN(len(a.targets))] // prefer what permits
		}
		return t.direction, a.fitting(t)
	}
	return policy.Ingress + policy.Direction(a.IntN(2)), a.random()
}

// fitting gives a packet that the target's line matches, as a rule.
func (a *aim) fitting(t *target) policy.Packet {
	m := &t.rule.Match
	f := policy.IPv4 << a.IntN(2)
	if _, ok := t.ends[f]; !ok {
		f = policy.Dual - f
	}
	p := policy.Packet{HopLimit: a.hops(m.HopLimit), TrafficClass: a.member(m.TrafficClass)}
	p.Source.Addr, p.Destination.Addr = choose(a.smith, t.ends[f][0]), choose(a.smith, t.ends[f][1])
	a.serve(&p, &m.Services[a.IntN(len(m.Services))])
	p.Fragment = []policy.Fragment{policy.First, policy.Later, 15: 0}[a.IntN(16)]
	if m.Fragments {
		p.Fragment = policy.Later
	}
	p.FragmentID = uint32(a.IntN(4))
	if a.one(6) {
		a.disturb(&p)
	}
	return p
}

// member gives a value of the set; of all values where there is none.
func (a *aim) member(s *policy.ByteSet) uint8 {
	v := uint8(a.Uint32())
	for range 256 {
		if s == nil || s.Has(v) {
			break
		}
		v++
	}
	return v
}

// hops gives a hop limit that the set has; 255 is that of neighbours.
func (a *aim) hops(s *policy.ByteSet) uint8 {
	if s == nil && !a.one(4) {
		return []uint8{64, 255}[a.IntN(2)]
	}
	return a.member(s)
}

// serve sets what the service looks at.
func (a *aim) serve(p *policy.Packet, s *policy.Service) {
	p.Protocol = a.member(&s.Protocols)
	for range 4 { // prefer what is looked into
		q := []uint8{policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, policy.ICMPv6, policy.IGMP}[a.IntN(6)]
		if s.Protocols.Has(q) {
			p.Protocol = q
		}
	}
	if policy.HasPorts(p.Protocol) {
		p.SourcePort, p.DestinationPort = a.number(s.SourcePorts), a.number(s.DestinationPorts)
	}
	if p.Protocol == policy.TCP {
		p.Flags = a.member(&s.Flags)
	}
	if p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 || p.Protocol == policy.IGMP {
		v := a.number(s.ICMP)
		p.ICMPType, p.ICMPCode = uint8(v>>8), uint8(v)
		p.ICMPID = uint16(a.IntN(4))
	}
}

// number gives an edge of the ranges, or something between; any number of the
// full and the empty set.
func (a *aim) number(rs policy.Ranges) uint16 {
	if len(rs) == 0 || rs.All() {
		if a.one(2) {
			return choose(a.smith, chance.SomePorts)
		}
		return uint16(a.Uint32())
	}
	r := rs[a.IntN(len(rs))]
	switch a.IntN(3) {
	case 0:
		return r.First
	case 1:
		return r.Last
	}
	return r.First + uint16(a.IntN(int(r.Last-r.First)+1))
}

// random gives a packet that nothing was asked of.
func (a *aim) random() policy.Packet {
	f := policy.IPv4 << a.IntN(2)
	p := policy.Packet{HopLimit: a.hops(nil), TrafficClass: uint8(a.Uint32()), Fragment: policy.Fragment(a.IntN(3)), FragmentID: uint32(a.IntN(4))}
	p.Source.Addr, p.Destination.Addr = a.somebody(f), a.somebody(f)
	any := policy.AnyService()
	a.serve(&p, &any)
	if p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 {
		p.ICMPType = choose(a.smith, []uint8{0, 3, 8, 11, 13, 14, 1, 128, 129, 133, 134, 135, 136, 137})
	}
	return p
}

func (a *aim) somebody(f policy.Family) netip.Addr {
	if len(a.addrs[f]) == 0 || a.one(16) {
		b := make([]byte, 4+12*(f-1))
		for i := range b {
			b[i] = byte(a.Uint32())
		}
		addr, _ := netip.AddrFromSlice(b)
		return addr
	}
	return choose(a.smith, a.addrs[f])
}

// disturb changes one field, which often makes it another line's packet.
func (a *aim) disturb(p *policy.Packet) {
	f := p.Family()
	switch a.IntN(8) {
	case 0:
		p.Source.Addr = a.somebody(f)
	case 1:
		p.Destination.Addr = a.somebody(f)
	case 2:
		p.SourcePort += uint16(a.IntN(3)) - 1
	case 3:
		p.DestinationPort += uint16(a.IntN(3)) - 1
	case 4:
		p.Flags = uint8(a.Uint32())
	case 5:
		p.ICMPType, p.ICMPCode = p.ICMPType+uint8(a.IntN(3))-1, uint8(a.IntN(4))
	case 6:
		p.Protocol = uint8(a.Uint32())
	case 7:
		p.TrafficClass, p.HopLimit = uint8(a.Uint32()), uint8(a.Uint32())
	}
}

// note remembers a packet as it was read from its frame.
func (a *aim) note(d policy.Direction, p *policy.Packet) {
	t := travelled{d, *p}
	t.packet.Inner = nil
	if a.latest = len(a.seen); a.latest < 64 {
		a.seen = append(a.seen, t)
		return
	}
	a.latest = a.IntN(len(a.seen))
	a.seen[a.latest] = t
}

// continued gives what may follow a packet of before: more of it, an answer,
// its other fragments, or an error about it.
func (a *aim) continued() (policy.Direction, policy.Packet) {
	t := a.seen[a.IntN(len(a.seen))]
	if !a.one(3) { // a session that goes on
		t = a.seen[a.latest]
	}
	d, p := t.direction, t.packet
	switch a.IntN(6) {
	case 0:
		return d, p
	case 1:
		if p.Protocol == policy.TCP {
			p.Flags = choose(a.smith, []uint8{policy.SYN, policy.ACK, policy.RST, policy.FIN | policy.ACK, policy.SYN | policy.ACK, policy.PSH | policy.ACK})
		}
		return d, p
	case 2, 3:
		return d.Opposite(), a.answer(p)
	case 4:
		p.Fragment = policy.Fragment(a.IntN(3))
		return d, p
	}
	return a.complaint(d, p)
}

func (a *aim) answer(p policy.Packet) policy.Packet {
	p.Source, p.Destination = p.Destination, p.Source
	p.SourcePort, p.DestinationPort = p.DestinationPort, p.SourcePort
	p.Flags |= policy.ACK
	if a.one(8) {
		p.Flags = uint8(a.Uint32())
	}
	switch {
	case p.Protocol == policy.ICMP && p.ICMPType == 8:
		p.ICMPType = 0
	case p.Protocol == policy.ICMP && (p.ICMPType == 13 || p.ICMPType == 15 || p.ICMPType == 17),
		p.Protocol == policy.ICMPv6 && p.ICMPType == 128:
		p.ICMPType++
	}
	return p
}

// complaint gives an ICMP error about a packet: to where it came from, mostly.
func (a *aim) complaint(d policy.Direction, about policy.Packet) (policy.Direction, policy.Packet) {
	p := policy.Packet{Protocol: policy.ICMP, ICMPType: choose(a.smith, []uint8{3, 3, 4, 11, 12, 5}), HopLimit: 64, Inner: &about}
	if about.Family() == policy.IPv6 {
		p.Protocol, p.ICMPType = policy.ICMPv6, choose(a.smith, []uint8{1, 2, 3, 4, 0, 100})
	}
	p.ICMPCode = uint8(a.IntN(4))
	p.Source.Addr, p.Destination = about.Destination.Addr, about.Source
	if a.one(4) {
		p.Source.Addr = a.somebody(about.Family())
	}
	if a.one(8) {
		p.Destination.Addr = a.somebody(about.Family())
	}
	if a.one(8) {
		about.Fragment = policy.Fragment(a.IntN(3))
	}
	if a.one(8) {
		return d, p
	}
	return d.Opposite(), p
}
