package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	podAddr  = "10.1.0.5"
	peerAddr = "10.1.0.9"
)

func newGate(ingress, egress []*Policy) *Gate {
	return NewGate(ingress, egress, func(a netip.Addr) bool { return a == addr(podAddr) })
}

func reply(p Packet, flags uint8) Packet {
	p.Source, p.Destination = p.Destination, p.Source
	p.SourcePort, p.DestinationPort = p.DestinationPort, p.SourcePort
	p.Flags = flags
	return p
}

// step is one packet of a scenario and what the specification says of it.
type step struct {
	dir    Direction
	packet Packet
	after  time.Duration
	want   string // "accept|drop reason lines"
}

func run(t *testing.T, g *Gate, steps ...step) {
	t.Helper()
	now := time.Duration(0)
	for i, s := range steps {
		now += s.after
		d := g.Judge(s.dir, &s.packet, now)
		verdict := map[bool]string{true: "accept", false: "drop"}[d.Accept]
		got := strings.TrimSpace(fmt.Sprintf("%s %s %s", verdict, d.Reason, strings.Trim(fmt.Sprint(d.Lines), "[]")))
		if got != s.want {
			t.Errorf("step %d: got %q, want %q", i, got, s.want)
		}
	}
}

func webOnly() []*Policy {
	return []*Policy{list(line(10, Permit, Everybody(), Everybody(), ports(TCP, Range{80, 80})))}
}

func denyAll() []*Policy {
	return []*Policy{list(line(10, Deny, Everybody(), Everybody(), AnyService()))}
}

func TestGateRepliesPass(t *testing.T) {
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	run(t, newGate(webOnly(), denyAll()),
		step{Ingress, syn, 0, "accept line T/10"},
		step{Egress, reply(syn, SYN|ACK), 0, "accept reply"},
		step{Ingress, tcp(peerAddr, 40000, podAddr, 80, ACK), 0, "accept connection T/10"},
		step{Egress, tcp(podAddr, 80, peerAddr, 40000, SYN), 0, "drop line T/10"},
		step{Egress, tcp(podAddr, 81, peerAddr, 40000, ACK), 0, "drop line T/10"},
		step{Ingress, tcp(peerAddr, 40000, podAddr, 22, SYN), 0, "drop line T/0"},
	)
}

// A list in one direction alone must track what leaves through the other.
func TestGateTracksTheUnfilteredDirection(t *testing.T) {
	syn := tcp(podAddr, 40000, peerAddr, 443, SYN)
	run(t, newGate(webOnly(), nil),
		step{Egress, syn, 0, "accept unfiltered"},
		step{Ingress, reply(syn, SYN|ACK), 0, "accept reply"},
	)
}

func TestGateJudgesConnectionsAgain(t *testing.T) {
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	ack := tcp(peerAddr, 40000, podAddr, 80, ACK)
	g := newGate(webOnly(), denyAll())
	run(t, g, step{Ingress, syn, 0, "accept line T/10"})
	g.Replace(denyAll(), denyAll())
	run(t, g,
		step{Egress, reply(syn, ACK), 0, "drop line T/10"},
		step{Ingress, ack, 0, "drop line T/10"},
	)
	g.Replace(webOnly(), denyAll())
	run(t, g,
		step{Egress, reply(syn, ACK), 0, "drop line T/10"},
		step{Ingress, ack, 0, "accept line T/10"},
		step{Egress, reply(syn, ACK), 0, "accept reply"},
	)
}

// A SYN on a connection that was answered, or that ended, asks for another one:
// it is judged by itself and does not touch the old one.
func TestGateJudgesConnectionsThatBeginAgain(t *testing.T) {
	marked := Bytes(0xb8)
	deny := line(10, Deny, Everybody(), Everybody(), AnyService())
	deny.Match.TrafficClass = &marked
	lists := []*Policy{list(deny, line(20, Permit, Everybody(), Everybody(), ports(TCP, Range{80, 80})))}
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	again := syn
	again.TrafficClass = 0xb8
	fin := tcp(peerAddr, 40000, podAddr, 80, FIN|ACK)
	run(t, newGate(lists, denyAll()),
		step{Ingress, syn, 0, "accept line T/20"},
		step{Ingress, again, 0, "accept connection T/20"}, // a repetition
		step{Egress, reply(syn, SYN|ACK), 0, "accept reply"},
		step{Ingress, again, 0, "drop line T/10"},
		step{Ingress, tcp(peerAddr, 40000, podAddr, 80, ACK), 0, "accept connection T/20"},
		step{Ingress, fin, 0, "accept connection T/20"},
		step{Ingress, again, 0, "drop line T/10"},
		step{Ingress, fin, TCPFin, "accept line T/20"}, // what was dropped renewed nothing
		step{Ingress, syn, 0, "accept line T/20"},
		step{Ingress, syn, TCPFin, "accept connection T/20"}, // not closing any more
	)
}

func TestGateIdleTimes(t *testing.T) {
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	for name, c := range map[string]struct {
		established bool
		wait        time.Duration
		want        string
	}{
		"open, in time":        {false, 29 * time.Second, "accept reply"},
		"open, too late":       {false, 30 * time.Second, "drop line T/10"},
		"established, in time": {true, 3599 * time.Second, "accept reply"},
		"established, late":    {true, 3600 * time.Second, "drop line T/10"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(webOnly(), denyAll())
			run(t, g, step{Ingress, syn, 0, "accept line T/10"})
			if c.established {
				run(t, g, step{Egress, reply(syn, SYN|ACK), 0, "accept reply"})
			}
			run(t, g, step{Egress, reply(syn, ACK), c.wait, c.want})
		})
	}
}

func TestGateGuardsThePort(t *testing.T) {
	ns := Packet{Source: Endpoint{Addr: addr("fe80::1")}, Destination: Endpoint{Addr: addr("ff02::1")}, Protocol: ICMPv6, ICMPType: 135, HopLimit: 255}
	ns4 := Packet{Source: Endpoint{Addr: addr(peerAddr)}, Destination: Endpoint{Addr: addr(podAddr)}, Protocol: ICMPv6, ICMPType: 135, HopLimit: 255}
	local := tcp("10.0.0.1", 40000, podAddr, 22, SYN)
	local.Source.Entity, local.Local = Host, true
	forwarded := local
	forwarded.Local = false
	run(t, newGate(webOnly(), nil),
		step{Egress, tcp("10.1.0.6", 1, peerAddr, 2, SYN), 0, "drop spoofed"},
		step{Egress, ns, 0, "accept neighbour-discovery"},
		step{Ingress, ns4, 0, "drop line T/0"},
		step{Ingress, forwarded, 0, "drop line T/0"},
		step{Ingress, local, 0, "accept host-permit"},
		step{Egress, reply(local, SYN|ACK), 0, "accept reply"},
		step{Ingress, later(tcp(peerAddr, 1, podAddr, 80, 0)), 0, "drop fragment"},
	)
	strict := webOnly()
	strict[0].Subject.NoHostPermit = true
	run(t, newGate(strict, nil), step{Ingress, local, 0, "drop line T/0"})
	open := webOnly()
	open[0].Subject.AllowSpoofed = true
	run(t, newGate(open, nil), step{Egress, tcp("10.1.0.6", 1, peerAddr, 2, SYN), 0, "accept unfiltered"})
}

func TestGateFragmentsFollowTheFirst(t *testing.T) {
	first := tcp(peerAddr, 40000, podAddr, 80, SYN)
	first.Fragment, first.FragmentID = First, 7
	other := later(first)
	other.FragmentID = 8
	run(t, newGate(webOnly(), nil),
		step{Ingress, first, 0, "accept line T/10"},
		step{Ingress, later(first), 0, "accept connection T/10"},
		step{Ingress, other, 0, "drop fragment"},
	)
}

func TestGateICMP(t *testing.T) {
	echo := Packet{Source: Endpoint{Addr: addr(podAddr)}, Destination: Endpoint{Addr: addr(peerAddr)}, Protocol: ICMP, ICMPType: 8, ICMPID: 5}
	answer := reply(echo, 0)
	answer.ICMPType = 0
	question := reply(echo, 0)
	syn := tcp(podAddr, 40000, peerAddr, 443, SYN)
	unreachable := Packet{Source: Endpoint{Addr: addr("192.0.2.1")}, Destination: Endpoint{Addr: addr(podAddr)}, Protocol: ICMP, ICMPType: 3, Inner: &syn}
	stranger := tcp(podAddr, 40001, peerAddr, 443, SYN)
	about := unreachable
	about.Inner = &stranger
	elsewhere := unreachable
	elsewhere.Destination.Addr = addr("10.1.0.6")
	redirect := unreachable
	redirect.ICMPType = 5
	run(t, newGate(denyAll(), nil),
		step{Ingress, unreachable, 0, "drop line T/10"},
		step{Egress, echo, 0, "accept unfiltered"},
		step{Ingress, question, 0, "drop line T/10"},
		step{Ingress, answer, 0, "accept reply"},
		step{Egress, syn, 0, "accept unfiltered"},
		step{Ingress, unreachable, 0, "accept reply"},
		step{Ingress, about, 0, "drop line T/10"},
		step{Ingress, elsewhere, 0, "drop line T/10"},
		step{Ingress, redirect, 0, "drop line T/10"},
	)
}

// Only a reply of the right type, identifier and code answers a query; an
// identifier that looks like a type opens nothing.
func TestGateICMPIdentifiersAreNoTypes(t *testing.T) {
	answerTo := map[uint8]uint8{8: 0, 13: 14, 15: 16, 17: 18, 128: 129}
	for query, answer := range answerTo {
		for id, kind := range map[uint16]uint8{8: 0, 13: 14, 128: 129, 0: 0} {
			for name, c := range map[string]struct {
				dir    Direction
				change func(*Packet)
				accept bool
			}{
				"the reply":            {Egress, func(p *Packet) { p.ICMPType = answer }, true},
				"a reply of one's own": {Ingress, func(p *Packet) { p.ICMPType = answer }, false},
				"another's reply":      {Ingress, func(p *Packet) { p.ICMPType, p.ICMPID = kind, uint16(query) }, false},
				"a query back":         {Egress, func(p *Packet) { p.ICMPID = uint16(query) }, false},
				"the code changed":     {Ingress, func(p *Packet) { p.ICMPCode = 1 }, false},
			} {
				first := icmpOf(query, id)
				gate := newGate([]*Policy{list(line(10, Permit, Everybody(), Everybody(), icmpOnly(query)))}, denyAll())
				if !gate.Judge(Ingress, &first, 0).Accept {
					t.Fatalf("query %d is denied", query)
				}
				packet := first
				if c.dir == Egress {
					packet = reply(first, 0)
				}
				c.change(&packet)
				if got := gate.Judge(c.dir, &packet, 0); got.Accept != c.accept {
					t.Errorf("query %d, identifier %d, %s: %+v", query, id, name, got)
				}
			}
		}
	}
}

// icmpOf gives a query from the peer to the pod.
func icmpOf(kind uint8, id uint16) Packet {
	p := Packet{Source: Endpoint{Addr: addr(peerAddr)}, Destination: Endpoint{Addr: addr(podAddr)}, Protocol: ICMP, ICMPType: kind, ICMPID: id}
	if kind == 128 {
		p.Protocol = ICMPv6
	}
	return p
}

// icmpOnly gives the service of one type with code 0.
func icmpOnly(kind uint8) Service {
	s := ServiceOf(Bytes(ICMP, ICMPv6))
	s.ICMP = NewRanges(Range{uint16(kind) << 8, uint16(kind) << 8})
	return s
}

// Each IGMP message is judged by its own type: a permitted report does not let
// other messages between the same hosts pass, nor any back.
func TestGateIGMPIsNoConnection(t *testing.T) {
	igmp := func(kind uint8) Packet {
		return Packet{Source: Endpoint{Addr: addr(peerAddr)}, Destination: Endpoint{Addr: addr(podAddr)}, Protocol: IGMP, ICMPType: kind}
	}
	reports := ServiceOf(Bytes(IGMP))
	reports.ICMP = NewRanges(Range{0x1600, 0x16ff})
	run(t, newGate([]*Policy{list(line(10, Permit, Everybody(), Everybody(), reports))}, denyAll()),
		step{Ingress, igmp(0x16), 0, "accept line T/10"},
		step{Ingress, igmp(0x11), 0, "drop line T/0"},
		step{Egress, reply(igmp(0x16), 0), 0, "drop line T/10"},
		step{Ingress, igmp(0x16), 0, "accept line T/10"},
	)
}

func TestGateListsInSeries(t *testing.T) {
	first, second := webOnly()[0], list(line(10, Permit, nets("10.1.0.9/32"), Everybody(), AnyService()))
	second.ACL, second.Rules[0].ID.ACL = "U", "U"
	six := *second
	six.Family = IPv6
	g := newGate([]*Policy{first, &six, second}, nil)
	run(t, g,
		step{Ingress, tcp(peerAddr, 1, podAddr, 80, SYN), 0, "accept line T/10 U/10"},
		step{Ingress, tcp("10.1.0.8", 1, podAddr, 80, SYN), 0, "drop line T/10 U/0"},
		step{Ingress, tcp(peerAddr, 1, podAddr, 81, SYN), 0, "drop line T/0"},
	)
}
