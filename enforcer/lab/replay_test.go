package lab

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

func list(acl, app string, d policy.Direction, rules ...policy.Rule) policy.Policy {
	for i := range rules {
		rules[i].ID = policy.RuleID{ACL: acl, Seq: uint32(i+1) * 10}
		rules[i].Match.Source, rules[i].Match.Destination = policy.Everybody(), policy.Everybody()
	}
	return policy.Policy{
		ACL: acl, Direction: d, Family: policy.IPv4, Stateful: true, Rules: rules,
		Subject: policy.Subject{Name: "workload " + app, Selectors: []policy.Selector{
			{{Key: "app", Op: policy.In, Values: []string{app}}}}},
	}
}

func rule(action policy.Action, protocol uint8, ports policy.Ranges) policy.Rule {
	s := policy.ServiceOf(policy.Bytes(protocol))
	s.DestinationPorts = ports
	return policy.Rule{Action: action, Match: policy.Match{Services: []policy.Service{s}}}
}

// send makes the sighting of a packet that the host of this index sends.
func send(s *Spec, host int, from, to string, p policy.Packet) Sighting {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	p.Source, p.Destination = s.endpoint(a.Addr()), s.endpoint(b.Addr())
	p.SourcePort, p.DestinationPort = a.Port(), b.Port()
	return Sighting{Time: time.Second, Host: host, Packet: &p, Packets: 1, Bytes: 100, Hops: 64}
}

// What the lines must count is worked out by hand here, packet by packet.
func TestReplay(t *testing.T) {
	s := mustParse(t, twoPods)
	policies := []policy.Policy{
		list("FROM", "client", policy.Egress,
			rule(policy.Permit, policy.TCP, policy.AllNumbers()),
			rule(policy.Deny, policy.UDP, policy.AllNumbers())),
		list("TO", "server", policy.Ingress, rule(policy.Permit, policy.TCP, policy.Ranges{{First: 80, Last: 80}})),
	}
	const client, server, world = "10.9.1.5:40000", "10.9.2.5:80", "198.51.100.7:50000"
	tcp := func(flags uint8) policy.Packet { return policy.Packet{Protocol: policy.TCP, Flags: flags} }
	udp := policy.Packet{Protocol: policy.UDP}
	twice := send(s, 0, client, server, tcp(policy.ACK))
	twice.Packets, twice.Bytes = 2, 3000
	dying := send(s, 0, "10.9.1.5:40001", server, tcp(policy.SYN))
	dying.Hops = 1
	got := Replay(s, policies, []Sighting{
		send(s, 0, client, server, tcp(policy.SYN)),            // FROM 10, TO 10
		send(s, 1, server, client, tcp(policy.SYN|policy.ACK)), // a reply
		twice, // FROM 10, TO 10, two packets
		send(s, 0, client, "10.9.2.5:81", tcp(policy.SYN)),             // FROM 10, TO implicit
		send(s, 0, client, "10.9.2.5:53", udp),                         // FROM 20
		send(s, 0, client, "10.9.2.5:80", policy.Packet{Protocol: 47}), // FROM implicit
		send(s, 0, "10.66.6.6:1", server, tcp(policy.SYN)),             // spoofed
		send(s, 0, "[fd09::1:5]:1", "[fd09::2:5]:80", tcp(policy.SYN)), // IPv6 is not filtered
		send(s, 2, world, server, tcp(policy.SYN)),                     // TO 10
		send(s, 2, world, "10.9.2.6:53", udp),                          // TO implicit
		send(s, 1, "10.9.2.5:5000", "10.9.1.5:6000", tcp(policy.SYN)),  // nothing filters it
		send(s, 0, client, "203.0.113.1:80", tcp(policy.SYN)),          // FROM 10, to nobody
		dying, // FROM 10, ends at the node
		{Host: 0, Err: errNotIP},
	})
	place := func(acl, app string, d policy.Direction, seq uint32) Place {
		return Place{policy.RuleID{ACL: acl, Seq: seq}, "workload " + app, d}
	}
	want := map[Place]Tally{
		place("FROM", "client", policy.Egress, 10): {6, 3400},
		place("FROM", "client", policy.Egress, 20): {1, 100},
		place("FROM", "client", policy.Egress, 0):  {1, 100},
		place("TO", "server", policy.Ingress, 10):  {4, 3200},
		place("TO", "server", policy.Ingress, 0):   {2, 200},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Implicit permits share the id of the implicit last line and do not count.
func TestReplayLeavesImplicitPermitsOut(t *testing.T) {
	s := mustParse(t, twoPods)
	zone := list("zone", "server", policy.Ingress, rule(policy.Permit, policy.TCP, policy.AllNumbers()))
	zone.Rules[0].ID.Seq, zone.Rules[0].Uncounted = 0, true
	acl := list("TO", "server", policy.Ingress, rule(policy.Permit, policy.TCP, policy.Ranges{{First: 80, Last: 80}}))
	syn := policy.Packet{Protocol: policy.TCP, Flags: policy.SYN}
	got := Replay(s, []policy.Policy{acl, zone}, []Sighting{
		send(s, 0, "10.9.1.5:1", "10.9.2.5:80", syn),                                 // permitted by both
		send(s, 0, "10.9.1.5:1", "10.9.2.5:81", syn),                                 // denied by TO
		send(s, 0, "10.9.1.5:1", "10.9.2.5:80", policy.Packet{Protocol: policy.UDP}), // denied by the zone
	})
	place := func(acl string, seq uint32) Place {
		return Place{policy.RuleID{ACL: acl, Seq: seq}, "workload server", policy.Ingress}
	}
	want := map[Place]Tally{place("TO", 10): {1, 100}, place("TO", 0): {1, 100}, place("zone", 0): {1, 100}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A list that stands on two subjects of one pod counts on both.
func TestReplayOfAListOnTwoSubjects(t *testing.T) {
	s := mustParse(t, twoPods)
	first := list("TO", "server", policy.Ingress, rule(policy.Permit, policy.TCP, policy.Ranges{{First: 80, Last: 80}}))
	second := first
	second.Subject.Name = "workload OTHER"
	syn := policy.Packet{Protocol: policy.TCP, Flags: policy.SYN}
	got := Replay(s, []policy.Policy{first, second}, []Sighting{
		send(s, 0, "10.9.1.5:1", "10.9.2.5:80", syn),
		send(s, 0, "10.9.1.5:1", "10.9.2.5:81", syn), // the first list denies it
	})
	place := func(subject string, seq uint32) Place {
		return Place{policy.RuleID{ACL: "TO", Seq: seq}, "workload " + subject, policy.Ingress}
	}
	want := map[Place]Tally{place("server", 10): {1, 100}, place("OTHER", 10): {1, 100}, place("server", 0): {1, 100}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCompareMissesNothing(t *testing.T) {
	at := func(seq uint32) Place { return Place{policy.RuleID{ACL: "A", Seq: seq}, "workload W", policy.Ingress} }
	counter := func(seq uint32, packets uint64) policy.Counter {
		return policy.Counter{RuleID: policy.RuleID{ACL: "A", Seq: seq}, Subject: "workload W", Direction: policy.Ingress, Packets: packets, Bytes: 10 * packets}
	}
	got := Compare(map[Place]Tally{at(0): {1, 10}, at(10): {2, 20}, at(30): {3, 30}},
		[]policy.Counter{counter(10, 2), counter(20, 4), counter(0, 2)})
	want := []Difference{
		{at(10), Tally{2, 20}, Tally{2, 20}},
		{at(20), Tally{}, Tally{4, 40}},
		{at(30), Tally{3, 30}, Tally{}},
		{at(0), Tally{1, 10}, Tally{2, 20}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i, equal := range []bool{true, false, false, false} {
		if got[i].Equal() != equal {
			t.Errorf("row %d: equal is %v", i, !equal)
		}
	}
}
