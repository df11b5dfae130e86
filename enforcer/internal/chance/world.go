package chance

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"aclium/translate/policy"
)

// A World is what random lists and packets are drawn from: few enough values
// that they meet often, and every kind of them.
type World struct {
	*rand.Rand
	// Identities are the numbers of everybody who has one.
	Identities []Identity
	// Owners gives the identity of each address that has one.
	Owners map[netip.Addr]uint32
	// Addrs4 and Addrs6 are the addresses that ends of packets and ranges have.
	Addrs4, Addrs6 []netip.Addr
}

// An Identity is a number with what selectors see of it: labels or an entity.
type Identity struct {
	ID     uint32
	Labels map[string]string
	Entity policy.Entity
}

// New gives the world of a seed, always the same.
func New(seed uint64) *World {
	w := &World{Rand: rand.New(rand.NewPCG(seed, 1)), Owners: map[netip.Addr]uint32{}}
	w.Identities = []Identity{
		{ID: 1, Entity: policy.Host}, {ID: 6, Entity: policy.RemoteNode}, {ID: 7, Entity: policy.KubeAPIServer},
	}
	for i := range 12 {
		w.Identities = append(w.Identities, Identity{ID: uint32(256 + i*i), Labels: map[string]string{
			policy.NamespaceKey: fmt.Sprint("ns", i%2), "app": fmt.Sprint("a", i%3), fmt.Sprint("k", i%4): "v",
		}})
	}
	w.Identities[3].Labels = map[string]string{}
	for i := range 24 {
		a4 := netip.AddrFrom4([4]byte{10, byte(i % 2), byte(i % 3), byte(i * 11)})
		a6 := netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, 7: byte(i % 2), 8: byte(i % 3), 15: byte(i * 11)})
		w.Addrs4, w.Addrs6 = append(w.Addrs4, a4), append(w.Addrs6, a6)
		if i%3 != 0 {
			id := w.Identities[i%len(w.Identities)].ID
			w.Owners[a4], w.Owners[a6] = id, id
		}
	}
	w.Addrs4 = append(w.Addrs4, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"))
	w.Addrs6 = append(w.Addrs6, netip.MustParseAddr("::"), netip.MustParseAddr("::fffe:ffff:ffff"),
		netip.MustParseAddr("0:0:0:0:0:1::"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
	return w
}

// Pick gives any of the values.
func Pick[T any](w *World, from []T) T { return from[w.IntN(len(from))] }

// One is true once in so many times.
func (w *World) One(in int) bool { return w.IntN(in) == 0 }

// Addr gives an address of the family.
func (w *World) Addr(f policy.Family) netip.Addr {
	if f == policy.IPv6 {
		return Pick(w, w.Addrs6)
	}
	return Pick(w, w.Addrs4)
}

// Family gives one of the families that f stands for.
func (w *World) Family(f policy.Family) policy.Family {
	if f == policy.Dual {
		return Pick(w, []policy.Family{policy.IPv4, policy.IPv6})
	}
	return f
}

// Endpoint gives the address with its owner.
func (w *World) Endpoint(a netip.Addr) policy.Endpoint {
	e := policy.Endpoint{Addr: a}
	for _, i := range w.Identities {
		if id, ok := w.Owners[a]; ok && id == i.ID {
			e.Labels, e.Entity = i.Labels, i.Entity
		}
	}
	return e
}

func (w *World) addrRange(f policy.Family) policy.AddrRange {
	a, b := w.Addr(f), w.Addr(f)
	switch w.IntN(4) {
	case 0:
		return policy.AddrRange{First: a, Last: a}
	case 1:
		return policy.PrefixRange(netip.PrefixFrom(a, w.IntN(a.BitLen()+1)))
	}
	if b.Less(a) {
		a, b = b, a
	}
	return policy.AddrRange{First: a, Last: b}
}

func (w *World) masked(f policy.Family) policy.Masked {
	a := w.Addr(f)
	value, wild := a.AsSlice(), make([]byte, a.BitLen()/8)
	for range 1 + w.IntN(3) {
		wild[w.IntN(len(wild))] = byte(w.IntN(256))
	}
	for i := range value {
		value[i] &^= wild[i]
	}
	m := policy.Masked{}
	m.Addr, _ = netip.AddrFromSlice(value)
	m.Wildcard, _ = netip.AddrFromSlice(wild)
	return m
}

// Selector gives up to two terms.
func (w *World) Selector() policy.Selector {
	terms := policy.Selector{
		{Key: "app", Op: policy.In, Values: []string{fmt.Sprint("a", w.IntN(3))}},
		{Key: policy.NamespaceKey, Op: policy.In, Values: []string{"ns0"}},
		{Key: fmt.Sprint("k", w.IntN(4)), Op: policy.Exists},
		{Key: fmt.Sprint("k", w.IntN(4)), Op: policy.DoesNotExist},
		{Key: "app", Op: policy.NotIn, Values: []string{"a0", "a1"}},
	}
	w.Shuffle(len(terms), func(i, j int) { terms[i], terms[j] = terms[j], terms[i] })
	return terms[:w.IntN(3)]
}

// Peers gives ends of packets of every kind, often everybody and now and then
// nobody.
func (w *World) Peers(f policy.Family) policy.Peers {
	if w.One(3) {
		return policy.Everybody()
	}
	var p policy.Peers
	for range w.IntN(4) {
		switch w.IntN(4) {
		case 0, 1:
			p.Addresses = append(p.Addresses, w.addrRange(w.Family(f)))
		case 2:
			p.Masked = append(p.Masked, w.masked(w.Family(f)))
		case 3:
			if w.One(2) {
				p.Selectors = append(p.Selectors, w.Selector())
			} else {
				p.Entities = append(p.Entities, policy.Entity(1+w.IntN(5)))
			}
		}
	}
	return p
}

// SomePorts are where ranges begin and end.
var SomePorts = []uint16{0, 1, 22, 23, 80, 443, 1023, 1024, 8080, 65534, 65535}

func (w *World) ranges() policy.Ranges {
	if w.One(2) {
		return policy.AllNumbers()
	}
	var rs []policy.Range
	for range w.IntN(4) {
		a, b := Pick(w, SomePorts), Pick(w, SomePorts)
		rs = append(rs, policy.Range{First: min(a, b), Last: max(a, b)})
	}
	return policy.NewRanges(rs...)
}

var someProtocols = []uint8{policy.TCP, policy.UDP, policy.ICMP, policy.ICMPv6, policy.SCTP, 47, 50, 255}

// Service gives protocols with ports, ICMP types or TCP flags, whether or not
// they fit together.
func (w *World) Service() policy.Service {
	s := policy.AnyService()
	if !w.One(3) {
		s.Protocols = policy.Bytes(Pick(w, someProtocols), Pick(w, someProtocols))
	}
	if w.One(2) {
		s.SourcePorts, s.DestinationPorts = w.ranges(), w.ranges()
	}
	if w.One(4) {
		first := uint16(w.IntN(24))<<8 | uint16(w.IntN(3))
		s.ICMP = policy.NewRanges(policy.Range{First: first, Last: first + uint16(w.IntN(600))}, policy.Range{First: 128 << 8, Last: 129<<8 | 255})
	}
	if w.One(4) {
		bit := byte(1) << w.IntN(8)
		s.Flags = policy.BytesWhere(func(v uint8) bool { return v&bit != 0 })
	}
	return s
}

// List gives a random list of n lines.
func (w *World) List(acl string, d policy.Direction, f policy.Family, n int) *policy.Policy {
	p := &policy.Policy{
		ACL: acl, Direction: d, Family: f,
		Subject: policy.Subject{Name: "eth0", Interface: "eth0"},
	}
	for i := range n {
		r := policy.Rule{
			ID: policy.RuleID{ACL: acl, Seq: uint32(10 * (i + 1))}, Action: policy.Permit + policy.Action(w.IntN(2)),
			Uncounted: w.One(12),
			Match:     policy.Match{Source: w.Peers(f), Destination: w.Peers(f), Fragments: w.One(10)},
		}
		if w.One(6) {
			r.Action, r.Goto = policy.Next, i+1+w.IntN(n-i)
		}
		for range w.IntN(4) {
			r.Match.Services = append(r.Match.Services, w.Service())
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// Near moves an address to a neighbour sometimes, so that ends of ranges are
// met from both sides.
func (w *World) Near(a netip.Addr) netip.Addr {
	next := a
	switch w.IntN(6) {
	case 0:
		next = a.Next()
	case 1:
		next = a.Prev()
	}
	if !next.IsValid() || next.Is4In6() {
		return a
	}
	return next
}

func (w *World) port() uint16 { return Pick(w, SomePorts) + uint16(w.IntN(3)) - 1 }

// Packet gives a random packet of the family.
func (w *World) Packet(f policy.Family) policy.Packet {
	p := policy.Packet{
		Source: w.Endpoint(w.Near(w.Addr(f))), Destination: w.Endpoint(w.Near(w.Addr(f))),
		Protocol: Pick(w, someProtocols), Fragment: policy.Fragment(w.IntN(5)),
	}
	if p.Fragment > policy.Later {
		p.Fragment = policy.Whole
	}
	if p.Fragment != policy.Whole {
		p.FragmentID = uint32(1 + w.IntN(3))
	}
	if p.Fragment == policy.Later {
		return p
	}
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = w.port(), w.port()
	case p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6:
		p.ICMPType, p.ICMPCode = Pick(w, []uint8{0, 3, 5, 8, 11, 13, 14, 1, 4, 128, 129, 255}), uint8(w.IntN(4))
	}
	if p.Protocol == policy.TCP {
		p.Flags = uint8(w.IntN(256))
	}
	return p
}
