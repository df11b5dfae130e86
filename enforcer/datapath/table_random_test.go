package datapath

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"aclium/translate/policy"
)

// world is what the random lists and packets are drawn from: few enough values
// that they meet often, and every kind of them.
type world struct {
	*rand.Rand
	addrs4, addrs6 []netip.Addr
	identities     []Identity
	owners         map[netip.Addr]uint32 // identity of each address that has one
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), owners: map[netip.Addr]uint32{}}
	w.identities = []Identity{
		{ID: 1, Entity: policy.Host}, {ID: 6, Entity: policy.RemoteNode}, {ID: 7, Entity: policy.KubeAPIServer},
	}
	for i := range 12 {
		w.identities = append(w.identities, Identity{ID: uint32(256 + i*i), Labels: map[string]string{
			policy.NamespaceKey: fmt.Sprint("ns", i%2), "app": fmt.Sprint("a", i%3), fmt.Sprint("k", i%4): "v",
		}})
	}
	w.identities[3].Labels = map[string]string{}
	for i := range 24 {
		a4 := netip.AddrFrom4([4]byte{10, byte(i % 2), byte(i % 3), byte(i * 11)})
		a6 := netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, 7: byte(i % 2), 8: byte(i % 3), 15: byte(i * 11)})
		w.addrs4, w.addrs6 = append(w.addrs4, a4), append(w.addrs6, a6)
		if i%3 != 0 {
			id := w.identities[i%len(w.identities)].ID
			w.owners[a4], w.owners[a6] = id, id
		}
	}
	w.addrs4 = append(w.addrs4, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"))
	w.addrs6 = append(w.addrs6, netip.MustParseAddr("::"), netip.MustParseAddr("::fffe:ffff:ffff"),
		netip.MustParseAddr("0:0:0:0:0:1::"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
	return w
}

func pick[T any](w *world, from []T) T { return from[w.IntN(len(from))] }

func (w *world) one(in int) bool { return w.IntN(in) == 0 }

func (w *world) addr(f policy.Family) netip.Addr {
	if f == policy.IPv6 {
		return pick(w, w.addrs6)
	}
	return pick(w, w.addrs4)
}

func (w *world) family(f policy.Family) policy.Family {
	if f == policy.Dual {
		return pick(w, []policy.Family{policy.IPv4, policy.IPv6})
	}
	return f
}

func (w *world) endpoint(a netip.Addr) policy.Endpoint {
	e := policy.Endpoint{Addr: a}
	for _, i := range w.identities {
		if id, ok := w.owners[a]; ok && id == i.ID {
			e.Labels, e.Entity = i.Labels, i.Entity
		}
	}
	return e
}

func (w *world) addrRange(f policy.Family) policy.AddrRange {
	a, b := w.addr(f), w.addr(f)
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

func (w *world) masked(f policy.Family) policy.Masked {
	a := w.addr(f)
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

func (w *world) selector() policy.Selector {
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

func (w *world) peers(f policy.Family) policy.Peers {
	if w.one(3) {
		return policy.Everybody()
	}
	var p policy.Peers
	for range w.IntN(4) {
		switch w.IntN(4) {
		case 0, 1:
			p.Addresses = append(p.Addresses, w.addrRange(w.family(f)))
		case 2:
			p.Masked = append(p.Masked, w.masked(w.family(f)))
		case 3:
			if w.one(2) {
				p.Selectors = append(p.Selectors, w.selector())
			} else {
				p.Entities = append(p.Entities, policy.Entity(1+w.IntN(5)))
			}
		}
	}
	return p
}

var somePorts = []uint16{0, 1, 22, 23, 80, 443, 1023, 1024, 8080, 65534, 65535}

func (w *world) ranges() policy.Ranges {
	if w.one(2) {
		return policy.AllNumbers()
	}
	var rs []policy.Range
	for range w.IntN(4) {
		a, b := pick(w, somePorts), pick(w, somePorts)
		rs = append(rs, policy.Range{First: min(a, b), Last: max(a, b)})
	}
	return policy.NewRanges(rs...)
}

var someProtocols = []uint8{policy.TCP, policy.UDP, policy.ICMP, policy.ICMPv6, policy.SCTP, 47, 50, 255}

func (w *world) service() policy.Service {
	s := policy.AnyService()
	if !w.one(3) {
		s.Protocols = policy.Bytes(pick(w, someProtocols), pick(w, someProtocols))
	}
	if w.one(2) {
		s.SourcePorts, s.DestinationPorts = w.ranges(), w.ranges()
	}
	if w.one(4) {
		first := uint16(w.IntN(24))<<8 | uint16(w.IntN(3))
		s.ICMP = policy.NewRanges(policy.Range{First: first, Last: first + uint16(w.IntN(600))}, policy.Range{First: 128 << 8, Last: 129<<8 | 255})
	}
	if w.one(4) {
		bit := byte(1) << w.IntN(8)
		s.Flags = policy.BytesWhere(func(v uint8) bool { return v&bit != 0 })
	}
	return s
}

// list gives a random list of n lines.
func (w *world) list(acl string, d policy.Direction, f policy.Family, n int) *policy.Policy {
	p := &policy.Policy{
		ACL: acl, Direction: d, Family: f,
		Subject: policy.Subject{Name: "eth0", Interface: "eth0"},
	}
	for i := range n {
		r := policy.Rule{
			ID: policy.RuleID{ACL: acl, Seq: uint32(10 * (i + 1))}, Action: policy.Permit + policy.Action(w.IntN(2)),
			Uncounted: w.one(12),
			Match:     policy.Match{Source: w.peers(f), Destination: w.peers(f), Fragments: w.one(10)},
		}
		if w.one(6) {
			r.Action, r.Goto = policy.Next, i+1+w.IntN(n-i)
		}
		for range w.IntN(4) {
			r.Match.Services = append(r.Match.Services, w.service())
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// near moves an address to a neighbour sometimes, so that ends of ranges are
// met from both sides.
func (w *world) near(a netip.Addr) netip.Addr {
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

func (w *world) port() uint16 { return pick(w, somePorts) + uint16(w.IntN(3)) - 1 }

// packet gives a random packet of the family.
func (w *world) packet(f policy.Family) policy.Packet {
	p := policy.Packet{
		Source: w.endpoint(w.near(w.addr(f))), Destination: w.endpoint(w.near(w.addr(f))),
		Protocol: pick(w, someProtocols), Fragment: policy.Fragment(w.IntN(5)),
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
		p.ICMPType, p.ICMPCode = pick(w, []uint8{0, 3, 5, 8, 11, 13, 14, 1, 4, 128, 129, 255}), uint8(w.IntN(4))
	}
	if p.Protocol == policy.TCP {
		p.Flags = uint8(w.IntN(256))
	}
	return p
}
