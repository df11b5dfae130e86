package classifier

import (
	"aclium/enforcer/bpf"
	"aclium/translate/policy"
	"net/netip"
	"testing"
	"time"
)

// wanted gives what Eval says in the table's terms.
func wanted(p *policy.Policy, packet *policy.Packet) (policy.Action, uint32) {
	action, line := p.Eval(packet)
	if line == policy.Implicit {
		return 0, 0
	}
	if p.Rules[line].Uncounted {
		return action, 0
	}
	return action, byLine(line)
}

func TestTableAgreesWithEval(t *testing.T) {
	decided := 0
	for seed := range uint64(300) {
		w := newWorld(seed)
		f := pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual})
		p := w.list("T", policy.Ingress, f, 1+w.IntN(60))
		if p.Validate() != nil {
			continue // some random ranges cross the corner in which IPv4 is mapped
		}
		table, err := Compile(p, w.identities(), Numbers{Counter: byLine})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			packet := w.packet(w.family(f))
			action, line := newReader(table.Bytes).lookup(&packet, [2]uint32{w.id(packet.Source.Addr), w.id(packet.Destination.Addr)})
			wantAction, wantLine := wanted(p, &packet)
			if action != wantAction || line != wantLine {
				t.Fatalf("seed %d: got %v line %d, want %v line %d, packet %+v", seed, action, line, wantAction, wantLine, packet)
			}
			if line != 0 {
				decided++
			}
		}
	}
	if decided < 10000 {
		t.Errorf("only %d packets were decided by a line, so the test sees too little", decided)
	}
}

func (w *world) id(a netip.Addr) uint32 {
	if id, ok := w.Owners[a]; ok {
		return id
	}
	return uint32(bpf.AcliumIdentityIDENTITY_WORLD)
}

// dress gives some lines what is looked at beside addresses and services.
func (w *world) dress(p *policy.Policy) {
	set := func() *policy.ByteSet {
		s := policy.Bytes(uint8(w.IntN(3)), uint8(w.IntN(256)))
		return &s
	}
	for i := range p.Rules {
		m := &p.Rules[i].Match
		if w.one(4) {
			m.TrafficClass = set()
		}
		if w.one(4) {
			m.HopLimit = set()
		}
		if w.one(4) {
			m.Time = w.schedule()
		}
	}
}

func (w *world) schedule() *policy.Schedule {
	n := uint8(1 + w.IntN(3))
	if timeOf[n] == nil {
		timeOf[n] = &policy.Schedule{Name: string('A' + rune(n)), Periods: []policy.Period{{Days: 127, From: int(n) * 60, Span: 119}}}
	}
	return timeOf[n]
}

// windowOf is the number that timeOf has for a schedule.
func windowOf(s *policy.Schedule) (uint8, error) { return s.Name[0] - 'A', nil }

func TestBytesAndTimesAgreeWithEval(t *testing.T) {
	decided := 0
	for seed := range uint64(200) {
		w := newWorld(seed)
		p := w.list("T", policy.Ingress, policy.IPv4, 1+w.IntN(40))
		w.dress(p)
		table, err := Compile(p, w.identities(), Numbers{Counter: byLine, Window: windowOf})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			packet := w.packet(policy.IPv4)
			packet.TrafficClass, packet.HopLimit = uint8(w.IntN(3)), uint8(w.IntN(3))
			if !w.one(4) {
				packet.At = time.Date(2026, 1, 1, w.IntN(6), w.IntN(60), 0, 0, time.UTC)
			}
			action, line := newReader(table.Bytes).lookup(&packet, [2]uint32{w.id(packet.Source.Addr), w.id(packet.Destination.Addr)})
			wantAction, wantLine := wanted(p, &packet)
			if action != wantAction || line != wantLine {
				t.Fatalf("seed %d: got %v line %d, want %v line %d, packet %+v", seed, action, line, wantAction, wantLine, packet)
			}
			if line != 0 {
				decided++
			}
		}
	}
	if decided < 10000 {
		t.Errorf("only %d packets were decided by a line", decided)
	}
}

// Groups on both ends are entered by the members of one.
func TestGroupsAreNotMultipliedOut(t *testing.T) {
	group := func(net byte) (p policy.Peers) {
		for i := range 300 {
			a := netip.AddrFrom4([4]byte{10, net, byte(i / 100), byte(2 * (i % 100))})
			p.Addresses = append(p.Addresses, policy.AddrRange{First: a, Last: a})
		}
		return p
	}
	p := &policy.Policy{ACL: "G", Direction: policy.Ingress, Family: policy.IPv4, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	sources, destinations := group(1), group(2)
	for i := range 100 {
		s := policy.ServiceOf(policy.Bytes(policy.TCP))
		s.DestinationPorts = policy.NewRanges(policy.Range{First: uint16(i), Last: uint16(i)})
		p.Rules = append(p.Rules, policy.Rule{
			ID: policy.RuleID{ACL: "G", Seq: uint32(i + 1)}, Action: policy.Permit,
			Match: policy.Match{Source: sources, Destination: destinations, Services: []policy.Service{s}},
		})
	}
	table, err := Compile(p, nil, Numbers{Counter: byLine})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Bytes) > 64<<10 {
		t.Errorf("%d bytes for 100 lines of 300 x 300 addresses", len(table.Bytes))
	}
	for i := range 2000 {
		packet := policy.Packet{Protocol: policy.TCP, DestinationPort: uint16(i % 110)}
		packet.Source.Addr = netip.AddrFrom4([4]byte{10, 1, byte(i % 3), byte(i % 200)})
		packet.Destination.Addr = netip.AddrFrom4([4]byte{10, 2, byte(i % 2), byte(i % 7)})
		action, line := newReader(table.Bytes).lookup(&packet, strangers)
		wantAction, wantLine := wanted(p, &packet)
		if action != wantAction || line != wantLine {
			t.Fatalf("got %v line %d, want %v line %d, packet %+v", action, line, wantAction, wantLine, packet)
		}
	}
}
