package verify

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"aclium/translate/policy"
)

// A maker makes random stacks and packets from small pools, so that much of
// what they say overlaps.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 0xbdd))} }

func (m maker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](m maker, all ...T) T { return all[m.IntN(len(all))] }

var patterns = []string{"*", "*.example.com", "www.example.com", "w*.example.com", "a.b.c", "*.b.c"}

func (m maker) addr(six bool) netip.Addr {
	if six {
		return pick(m, netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("fd00::1:0")).Next()
	}
	return netip.AddrFrom4([4]byte{10, byte(m.IntN(2)), 0, byte(m.IntN(10))})
}

func (m maker) ranges(n int) (out []policy.AddrRange) {
	for range m.IntN(n + 1) {
		six := m.chance(30)
		a, b := m.addr(six), m.addr(six)
		if b.Less(a) {
			a, b = b, a
		}
		out = append(out, policy.AddrRange{First: a, Last: b})
	}
	return out
}

func (m maker) term(keys ...string) policy.Term {
	t := policy.Term{Key: pick(m, keys...), Op: policy.Op(1 + m.IntN(4))}
	if t.Op == policy.In || t.Op == policy.NotIn {
		t.Values = pick(m, []string{"a"}, []string{"b"}, []string{"a", "b"})
	}
	return t
}

func (m maker) selector(keys ...string) (s policy.Selector) {
	for range m.IntN(3) {
		s = append(s, m.term(keys...))
	}
	return s
}

var podKeys = []string{"app", "tier", policy.NamespaceKey, namespaceName, namespaceLabels + "env"}

func (m maker) peers() (p policy.Peers) {
	if m.chance(30) {
		return policy.Everybody()
	}
	if m.chance(60) {
		p.Addresses = m.ranges(2)
	}
	if m.chance(20) {
		p.Masked = []policy.Masked{{Addr: netip.MustParseAddr("10.0.0.1"), Wildcard: netip.MustParseAddr("0.1.0.6")}}
	}
	if m.chance(40) {
		p.Selectors = []policy.Selector{m.selector(podKeys...)}
	}
	if m.chance(20) {
		p.Entities = []policy.Entity{policy.Entity(1 + m.IntN(5))}
	}
	if m.chance(20) {
		p.Outside = m.ranges(2)
	}
	if m.chance(20) {
		p.FQDNs = []string{pick(m, patterns...)}
	}
	return p
}

func (m maker) ports() policy.Ranges {
	if m.chance(50) {
		return policy.AllNumbers()
	}
	a := uint16(m.IntN(12))
	r := policy.NewRanges(policy.Range{First: a, Last: a + uint16(m.IntN(5))})
	if m.chance(20) {
		return r.Complement()
	}
	return r
}

func (m maker) service() policy.Service {
	s := policy.ServiceOf(pick(m, policy.AllBytes(), policy.Bytes(6), policy.Bytes(17, 6), policy.Bytes(1), policy.Bytes(58, 1), policy.Bytes(47), policy.Bytes(2)))
	if m.chance(50) {
		s.DestinationPorts = m.ports()
	}
	if m.chance(20) {
		s.SourcePorts = m.ports()
	}
	if m.chance(15) {
		s.ICMP = policy.NewRanges(policy.Range{First: 8 << 8, Last: 8<<8 | 255})
	}
	if m.chance(15) {
		s.Flags = policy.BytesWhere(func(f uint8) bool { return f&(policy.ACK|policy.RST) != 0 })
	}
	if m.chance(10) {
		s.PortNames = pick(m, []string{"http"}, []string{"dns", "http"}, []string{})
	}
	return s
}

func (m maker) rules(n int) (out []policy.Rule) {
	n = m.IntN(n + 1)
	for i := range n {
		r := policy.Rule{ID: policy.RuleID{ACL: "T", Seq: uint32(i + 1)}, Action: pick(m, policy.Permit, policy.Permit, policy.Deny)}
		if m.chance(15) {
			r.Action, r.Goto = policy.Next, i+1+m.IntN(n-i)
		}
		r.Match = policy.Match{Source: m.peers(), Destination: m.peers(), Fragments: m.chance(5)}
		for range 1 + m.IntN(2) {
			r.Match.Services = append(r.Match.Services, m.service())
		}
		m.nodeOnly(&r)
		if m.chance(10) {
			r.Match.HTTP = []policy.HTTPMatch{m.http()}
		}
		out = append(out, r)
	}
	return out
}

// nodeOnly adds to some rules what only a node looks at.
func (m maker) nodeOnly(r *policy.Rule) {
	ef, low := policy.Bytes(184, 185, 186, 187), policy.BytesWhere(func(v uint8) bool { return v < 2 })
	if m.chance(8) {
		r.Match.TrafficClass = &ef
	}
	if m.chance(8) {
		r.Match.HopLimit = &low
	}
	if m.chance(12) {
		r.Match.Time = &policy.Schedule{Name: pick(m, "T", "U"), Offset: pick(m, 0, 60), Periods: []policy.Period{{Days: uint8(1 + m.IntN(3)), From: 1439 * m.IntN(2), Span: 800}}}
		if m.chance(40) {
			r.Match.Time.End = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
		}
	}
	if m.chance(8) && r.Action == policy.Permit {
		r.Match.Evaluate = pick(m, "R", "S")
	}
}

func (m maker) http() policy.HTTPMatch {
	return policy.HTTPMatch{
		Method: pick(m, "", "GET", "POST"), Path: pick(m, "", "/a", "/a.*"),
		Headers: pick(m, nil, []policy.HTTPHeader{{Name: "X-A"}}, []policy.HTTPHeader{{Name: "x-a", Value: "1"}}),
	}
}

func (m maker) policy(acl string) policy.Policy {
	p := policy.Policy{ACL: acl, Direction: policy.Direction(1 + m.IntN(2)), Family: policy.Family(1 + m.IntN(3)), Stateful: true, Open: m.chance(30), Rules: m.rules(5)}
	for i := range p.Rules {
		p.Rules[i].ID.ACL = acl
	}
	if p.Subject.Nodes = m.chance(15); p.Subject.Nodes {
		p.Subject.Selectors = []policy.Selector{m.selector("zone")}
		return p
	}
	p.Subject.Selectors = []policy.Selector{m.selector(podKeys...)}
	if m.chance(20) {
		p.Subject.Selectors = append(p.Subject.Selectors, m.selector(podKeys...))
	}
	return p
}

func (m maker) stack() (s policy.Stack) {
	for i := range m.IntN(4) {
		t := policy.Tier{Combine: policy.Combination(1 + m.IntN(3))}
		if m.chance(2) {
			t.Combine = 0
		}
		for k := range m.IntN(4) {
			t.Policies = append(t.Policies, m.policy(fmt.Sprintf("T%d-%d", i, k)))
		}
		s = append(s, t)
	}
	return s
}

func (m maker) labels(keys ...string) map[string]string {
	l := map[string]string{}
	for _, key := range keys {
		if v := pick(m, "", "a", "b", "z"); v != "" {
			l[key] = v
		}
	}
	return l
}

// endpoint gives an end: a pod half of the time.
func (m maker) endpoint(six bool) policy.Endpoint {
	e := policy.Endpoint{Addr: m.addr(six)}
	if m.chance(50) {
		e.Labels = m.labels("app", "tier", namespaceLabels+"env")
		e.Labels[policy.NamespaceKey] = pick(m, "a", "b", "z")
		e.Labels[namespaceName] = e.Labels[policy.NamespaceKey]
		return e
	}
	e.Entity = pick(m, 0, 0, policy.Host, policy.RemoteNode, policy.KubeAPIServer)
	switch e.Entity {
	case policy.Host, policy.RemoteNode:
		e.Node = m.labels("zone")
	default:
		for range m.IntN(3) {
			e.Names = append(e.Names, pick(m, "www.example.com", "web.example.com", "other.example.com", "a.b.c", "x.b.c", "foo.org"))
		}
	}
	return e
}

func (m maker) packet(d policy.Direction) policy.Packet {
	six := m.chance(30)
	p := policy.Packet{Source: m.endpoint(six), Destination: m.endpoint(six), Protocol: pick[uint8](m, 6, 6, 6, 17, 132, 1, 58, 47, 2)}
	p.TrafficClass, p.HopLimit = pick[uint8](m, 0, 184, 185), pick[uint8](m, 1, 64)
	p.At = time.Date(2026, 3, 1+m.IntN(9), m.IntN(24), m.IntN(60), m.IntN(60), 0, time.UTC)
	p.Reflected = pick(m, nil, []string{"R"}, []string{"R", "S"})
	subject := &p.Destination
	if d == policy.Egress {
		subject = &p.Source
	}
	for subject.Labels == nil && subject.Entity != policy.Host {
		*subject = m.endpoint(six)
	}
	if m.chance(10) {
		p.Fragment = policy.Later
		return p
	}
	switch {
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = uint16(m.IntN(18)), uint16(m.IntN(18))
		if p.Destination.Labels != nil {
			p.PortName = pick(m, "", "http", "dns", "metrics")
		}
	case p.Protocol != 47:
		p.ICMPType, p.ICMPCode = pick[uint8](m, 8, 0, 128), uint8(m.IntN(3))
	}
	if p.Protocol == policy.TCP {
		p.Flags = pick(m, policy.SYN, policy.ACK, policy.SYN|policy.ACK, policy.RST)
		if m.chance(30) {
			p.HTTP = &policy.HTTPRequest{Method: pick(m, "GET", "POST", "PUT"), Path: pick(m, "/a", "/ab", "/"), Headers: map[string]string{}}
			if m.chance(50) {
				p.HTTP.Headers["x-a"] = pick(m, "1", "2")
			}
		}
	}
	return p
}

// holds evaluates a function at a packet. It is the other direction of pick
// and shares nothing with it.
func (s *space) holds(f ref, p *policy.Packet) bool {
	bits := map[uint32]byte{}
	put := func(f field, v number) {
		for i, b := range v {
			bits[f.level(i)] = b
		}
	}
	set := func(f field, v uint64) { put(f, numberOf(v, f.bits)) }
	if p.Source.Addr.Is6() {
		set(s.family, 1)
	}
	source, destination := s.ends()
	for e, at := range map[*end]*policy.Endpoint{source: &p.Source, destination: &p.Destination} {
		role := map[policy.Entity]uint64{policy.Host: host, policy.RemoteNode: remoteNode, policy.KubeAPIServer: apiServer, 0: world}[at.Entity]
		if at.Labels != nil {
			role = pod
		}
		set(e.role, role)
		put(e.addr, bitsOf(at.Addr))
		for _, c := range e.labels {
			set(c.field, c.codeFor(at.Labels))
		}
		for _, c := range e.nodeLabels {
			set(c.field, c.codeFor(at.Node))
		}
		for pattern, f := range e.names {
			for _, name := range at.Names {
				if policy.MatchName(pattern, name) {
					set(f, 1)
				}
			}
		}
	}
	if p.Fragment == policy.Later {
		set(s.later, 1)
	}
	set(s.protocol, uint64(p.Protocol))
	set(s.port, uint64(p.DestinationPort))
	if p.Protocol == 1 || p.Protocol == 58 || p.Protocol == 2 {
		set(s.port, uint64(p.ICMPType)<<8|uint64(p.ICMPCode))
	}
	set(s.from, uint64(p.SourcePort))
	set(s.flags, uint64(p.Flags))
	set(s.class, uint64(p.TrafficClass))
	set(s.hops, uint64(p.HopLimit))
	for key, f := range s.schedules {
		if s.known.schedules[key].Active(p.At) {
			set(f, 1)
		}
	}
	for _, name := range p.Reflected {
		if f, ok := s.reflexive[name]; ok {
			set(f, 1)
		}
	}
	if p.PortName != "" {
		set(s.portName.field, s.portName.codeFor(map[string]string{"": p.PortName}))
	}
	if p.HTTP != nil {
		set(s.request, 1)
		for c, f := range s.conditions {
			met := map[byte]bool{}
			value, has := p.HTTP.Headers[c.name]
			for kind, text := range map[byte]string{onMethod: p.HTTP.Method, onPath: p.HTTP.Path, onHost: p.HTTP.Host} {
				met[kind] = meetsText(c, text)
			}
			met[hasHeader], met[headerIs] = has, has && value == c.value
			if met[c.kind] {
				set(f, 1)
			}
		}
	}
	for f>>1 != 0 {
		n := s.nodes[f>>1]
		next := n.low
		if bits[n.level] == 1 {
			next = n.high
		}
		f = next ^ f&1
	}
	return f == yes
}

func (c *choice) codeFor(labels map[string]string) uint64 {
	v, ok := labels[c.key]
	if !ok {
		return 0
	}
	for i, known := range c.values {
		if known == v {
			return uint64(i) + 1
		}
	}
	return uint64(len(c.values)) + 1
}
