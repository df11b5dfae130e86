package classifier

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// edgeList has lines that trees divide by few destinations, up to the last
// address that there is.
func edgeList(r *rand.Rand, lines int) *policy.Policy {
	p := &policy.Policy{ACL: "E", Direction: policy.Ingress, Family: policy.IPv4, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	low := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, byte(n)}) }
	for i := range lines {
		s := policy.ServiceOf(policy.Bytes(policy.TCP))
		port := uint16(r.IntN(4))
		s.SourcePorts = policy.NewRanges(policy.Range{First: port, Last: port}, policy.Range{First: port + 100, Last: port + 100}) // which nothing covers
		first := 240 + r.IntN(16)
		to := policy.AddrRange{First: low(first), Last: low(min(255, first+r.IntN(4)))}
		p.Rules = append(p.Rules, policy.Rule{
			ID: policy.RuleID{ACL: "E", Seq: uint32(i + 1)}, Action: policy.Permit + policy.Action(r.IntN(2)),
			Match: policy.Match{Source: policy.Everybody(), Destination: policy.Peers{Addresses: []policy.AddrRange{to}}, Services: []policy.Service{s}},
		})
	}
	return p
}

// agree ends the test where the table does not say of a stranger's packet what
// Eval says.
func (r *reader) agree(t *testing.T, seed uint64, p *policy.Policy, packet *policy.Packet) {
	t.Helper()
	action, line := r.lookup(packet, strangers)
	wantAction, wantLine := wanted(p, packet)
	if action != wantAction || line != wantLine {
		t.Fatalf("seed %d: got %v line %d, want %v line %d, packet %+v", seed, action, line, wantAction, wantLine, packet)
	}
}

// In a direct table an address may be as large as the cuts that a node does not
// use.
func TestDirectTablesKnowTheLastAddress(t *testing.T) {
	nodes := 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := edgeList(random, 65+random.IntN(200))
		table, err := Compile(p, nil, Numbers{Counter: byLine})
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(table.Bytes)
		if r.h.Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) == 0 {
			t.Fatalf("seed %d: the table is not direct", seed)
		}
		for i := range 1000 {
			packet := policy.Packet{Protocol: policy.TCP, SourcePort: uint16(i % 5)}
			packet.Source.Addr = netip.AddrFrom4([4]byte{10, 1, 2, 3})
			packet.Destination.Addr = netip.AddrFrom4([4]byte{255, 255, 255, byte(239 + random.IntN(17))})
			r.agree(t, seed, p, &packet)
		}
		nodes += r.nodes
	}
	if nodes < 10000 {
		t.Errorf("packets met %d nodes: this says little", nodes)
	}
}

func TestDirectTablesOfLinesForNobody(t *testing.T) {
	p := edgeList(rand.New(rand.NewPCG(1, 1)), 70)
	for i := range p.Rules {
		p.Rules[i].Match.Source = policy.Peers{}
	}
	table, err := Compile(p, nil, Numbers{Counter: byLine})
	if err != nil {
		t.Fatal(err)
	}
	packet := policy.Packet{Protocol: policy.TCP}
	packet.Source.Addr, packet.Destination.Addr = netip.AddrFrom4([4]byte{10}), netip.AddrFrom4([4]byte{255, 255, 255, 250})
	if action, line := newReader(table.Bytes).lookup(&packet, strangers); action != 0 || line != 0 {
		t.Errorf("got %v by line %d", action, line)
	}
}

// A list of more kinds of services than have numbers of their own: protocols,
// and TCP flags.
func TestManyKindsOfServices(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		p := edgeList(random, 65+random.IntN(300))
		for i := range p.Rules {
			s := policy.ServiceOf(policy.Bytes(uint8(random.IntN(256)), policy.TCP))
			s.Flags = policy.Bytes(uint8(random.IntN(256)), uint8(random.IntN(4)), 2)
			p.Rules[i].Match.Services, p.Rules[i].Match.Fragments = []policy.Service{s}, random.IntN(5) == 0
		}
		table, err := Compile(p, nil, Numbers{Counter: byLine})
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(table.Bytes)
		for range 2000 {
			packet := policy.Packet{Protocol: uint8(random.IntN(256))}
			if random.IntN(2) == 0 {
				packet.Protocol, packet.Flags = policy.TCP, uint8(random.IntN(4))
			}
			if random.IntN(5) == 0 {
				packet.Fragment = policy.Later
			}
			packet.Source.Addr = netip.AddrFrom4([4]byte{10, 1, 2, 3})
			packet.Destination.Addr = netip.AddrFrom4([4]byte{255, 255, 255, byte(239 + random.IntN(17))})
			r.agree(t, seed, p, &packet)
		}
	}
}
