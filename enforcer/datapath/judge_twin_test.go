package datapath

import (
	"net/netip"
	"testing"

	"aclium/translate/policy"
)

// IPv4-compatible IPv6 addresses have the same low half as an IPv4 address
// (RFC 4291, 2.5.5.1). No line that names one speaks of the other, by whatever
// its address is written: host, prefix, range, mask, or several of them.
func TestAddressesOfBothFamiliesAreNoTwins(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	parse := netip.MustParseAddr
	ranges := func(bounds ...string) (p policy.Peers) {
		for i := 0; i < len(bounds); i += 2 {
			p.Addresses = append(p.Addresses, policy.AddrRange{First: parse(bounds[i]), Last: parse(bounds[i+1])})
		}
		return p
	}
	masked := func(addr, wildcard string) policy.Peers {
		return policy.Peers{Masked: []policy.Masked{{Addr: parse(addr), Wildcard: parse(wildcard)}}}
	}
	low := "::ffff:ffff:ffff:ffff"
	for name, peers := range map[string]policy.Peers{
		"host":         ranges("10.0.0.1", "10.0.0.1"),
		"prefix":       ranges("10.0.0.0", "10.255.255.255"),
		"everybody":    ranges("0.0.0.0", "255.255.255.255"),
		"range":        ranges("10.0.0.1", "10.0.7.4"),
		"two":          ranges("10.0.0.1", "10.0.0.1", "192.0.2.0", "192.0.2.255"),
		"mask":         masked("10.0.0.1", "0.255.0.0"),
		"host, six":    ranges("::a00:1", "::a00:1"),
		"prefix, six":  ranges("::a00:0", "::aff:ffff"),
		"low, six":     ranges("::", low),
		"two, six":     ranges("::a00:1", "::a00:1", "2001:db8::", "2001:db8::ffff"),
		"mask, six":    masked("::a00:1", "::ff:0"),
		"mask of both": {Masked: append(masked("10.0.0.1", "0.255.0.0").Masked, masked("::a00:1", "ffff::ff:0").Masked...)},
	} {
		for side := range 2 {
			for _, action := range []policy.Action{policy.Permit, policy.Deny} {
				line := simple(action, peers, policy.Everybody())
				if side == 1 {
					line = simple(action, policy.Everybody(), peers)
				}
				list := listOf(line)
				if action == policy.Deny {
					list.Rules = append(list.Rules, simple(policy.Permit, policy.Everybody(), policy.Everybody()))
				}
				k.bind(nil, 0, []*policy.Policy{list}, nil)
				for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.1"}, {"::a00:1", "::a00:1"}, {"ffff::a00:1", "ffff::a00:1"}} {
					p := tcpPacket(ends[0], ends[1])
					got, _ := list.Eval(&p)
					verdict := map[policy.Action]int{policy.Permit: permit, policy.Deny: drop}[got]
					if kernel := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); kernel != verdict {
						t.Errorf("%s, end %d, %v, %v: got %d, want %d", name, side, action, ends, kernel, verdict)
					}
				}
			}
		}
	}
}

// The lowest and the highest port, type and code are numbers like others.
func TestPortsAtTheEnds(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for _, r := range []policy.Range{{First: 0, Last: 0}, {First: 65535, Last: 65535}, {First: 0, Last: 65534}, {First: 1, Last: 65535}, {First: 1, Last: 65534}, {First: 255, Last: 256}} {
		for field, set := range map[string]func(*policy.Service){
			"source":      func(s *policy.Service) { s.SourcePorts = policy.NewRanges(r) },
			"destination": func(s *policy.Service) { s.DestinationPorts = policy.NewRanges(r) },
			"icmp":        func(s *policy.Service) { s.ICMP = policy.NewRanges(r); s.Protocols = policy.Bytes(policy.ICMP) },
		} {
			s := policy.ServiceOf(policy.Bytes(policy.TCP, policy.UDP))
			set(&s)
			list := listOf(simple(policy.Permit, policy.Everybody(), policy.Everybody(), s))
			k.bind(nil, 0, []*policy.Policy{list}, nil)
			for _, n := range []uint16{0, 1, 255, 256, 65534, 65535} {
				p := tcpPacket("10.0.0.1", "10.0.0.2")
				p.SourcePort, p.DestinationPort = n, n
				if field == "icmp" {
					p = policy.Packet{Source: p.Source, Destination: p.Destination, Protocol: policy.ICMP, ICMPType: uint8(n >> 8), ICMPCode: uint8(n)}
				}
				want := map[bool]int{true: permit, false: drop}[r.First <= n && n <= r.Last]
				if got := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); got != want {
					t.Errorf("%s %v, %d: got %d, want %d", field, r, n, got, want)
				}
			}
		}
	}
}
