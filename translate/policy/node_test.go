package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// router is an interface with Cisco's example of session filtering: sessions
// from the inside, 10.0.0.9, may be answered from the outside, 192.0.2.1.
func router(out ...Service) *Node {
	reflecting := with(line(10, Permit, Everybody(), Everybody(), out...), func(r *Rule) { r.Reflect = &Reflect{"R", 300 * time.Second} })
	outward := list(reflecting)
	outward.ACL = "OUT"
	inward := list(
		line(10, Permit, Everybody(), Everybody(), ServiceOf(Bytes(89))),
		with(line(20, Permit, Everybody(), Everybody(), AnyService()), func(r *Rule) { r.Match.Evaluate = "R" }),
	)
	return NewNode([]*Policy{inward}, []*Policy{outward}, NewReflexive())
}

const inside, outside = "10.0.0.9", "192.0.2.1"

func runNode(t *testing.T, n *Node, steps ...step) {
	t.Helper()
	now := time.Duration(0)
	for i, s := range steps {
		now += s.after
		d := n.Judge(s.dir, &s.packet, now)
		verdict := map[bool]string{true: "accept", false: "drop"}[d.Accept]
		got := strings.TrimSpace(fmt.Sprintf("%s %s %s", verdict, d.Reason, strings.Trim(fmt.Sprint(d.Lines), "[]")))
		if got != s.want {
			t.Errorf("step %d: got %q, want %q", i, got, s.want)
		}
	}
}

const (
	sent    = "accept line T/10"
	fits    = "accept line T/20"
	refused = "drop line T/0"
)

func TestReflexiveTCP(t *testing.T) {
	syn := tcp(inside, 40000, outside, 80, SYN)
	answer := func(flags uint8) Packet { return reply(syn, flags) }
	more := func(flags uint8) Packet { p := syn; p.Flags = flags; return p }
	other := answer(ACK)
	other.DestinationPort = 40001
	stranger := answer(ACK)
	stranger.Source.Addr = addr("192.0.2.2")
	for name, steps := range map[string][]step{
		"only what was asked for": {
			{Ingress, answer(SYN | ACK), 0, refused},
			{Egress, syn, 0, sent},
			{Ingress, answer(SYN | ACK), 0, fits},
			{Ingress, other, 0, refused},
			{Ingress, stranger, 0, refused},
			{Ingress, syn, 0, refused},
		},
		"a timeout after the last packet of either end": {
			{Egress, syn, 0, sent},
			{Ingress, answer(ACK), 299 * time.Second, fits},
			{Ingress, answer(ACK), 299 * time.Second, fits},
			{Egress, more(ACK), 299 * time.Second, sent},
			{Ingress, answer(ACK), 299 * time.Second, fits},
			{Ingress, answer(ACK), 300 * time.Second, refused},
		},
		"five seconds after both FINs, whatever comes": {
			{Egress, syn, 0, sent},
			{Egress, more(FIN | ACK), 0, sent},
			{Egress, more(FIN | ACK), 0, sent},
			{Ingress, answer(ACK), 200 * time.Second, fits},
			{Ingress, answer(FIN | ACK), 0, fits},
			{Egress, more(ACK), 3 * time.Second, sent},
			{Ingress, answer(ACK), time.Second, fits},
			{Ingress, answer(ACK), time.Second, refused},
		},
		"at once with an RST, which passes": {
			{Egress, syn, 0, sent},
			{Ingress, answer(RST), 0, fits},
			{Ingress, answer(ACK), 0, refused},
			{Egress, syn, 0, sent},
			{Egress, more(RST), 0, sent},
			{Ingress, answer(ACK), 0, refused},
		},
		"a session of its own after the end of another": {
			{Egress, syn, 0, sent},
			{Egress, more(FIN), 0, sent},
			{Ingress, answer(FIN), 0, fits},
			{Egress, syn, time.Second, sent},
			{Ingress, answer(SYN | ACK), 100 * time.Second, fits},
		},
		"no later fragment": {
			{Egress, syn, 0, sent},
			{Ingress, later(answer(ACK)), 0, refused},
			{Egress, later(syn), 0, sent},
			{Ingress, later(answer(ACK)), 0, refused},
		},
	} {
		t.Run(name, func(t *testing.T) { runNode(t, router(AnyService()), steps...) })
	}
}

// Protocols without ports: ICMP by the type of the answer, others by their
// addresses alone.
func TestReflexiveWithoutPorts(t *testing.T) {
	plain := tcp(inside, 0, outside, 0, 0)
	of := func(protocol, icmpType uint8) Packet {
		p := plain
		p.Protocol, p.ICMPType = protocol, icmpType
		return p
	}
	gre := of(47, 0)
	runNode(t, router(AnyService()),
		step{Egress, of(ICMP, 8), 0, sent},
		step{Ingress, reply(of(ICMP, 0), 0), 0, fits},
		step{Ingress, reply(of(ICMP, 8), 0), 0, refused},
		step{Ingress, reply(of(ICMP, 3), 0), 0, refused},
		step{Egress, of(ICMP, 13), 0, sent},
		step{Ingress, reply(of(ICMP, 13), 0), 0, fits},
		step{Ingress, reply(gre, 0), 0, refused},
		step{Egress, gre, 0, sent},
		step{Ingress, reply(gre, 0), 0, fits},
		step{Ingress, later(reply(gre, 0)), 0, fits},
		step{Ingress, reply(of(50, 0), 0), 0, refused},
	)
}

// What another list of the series denies makes no entry.
func TestReflexiveNeedsTheWholeSeries(t *testing.T) {
	n := router(AnyService())
	n.Replace(n.lists[Ingress], append(n.lists[Egress], list(line(10, Deny, Everybody(), Everybody(), AnyService()))))
	syn := tcp(inside, 40000, outside, 80, SYN)
	if d := n.Judge(Egress, &syn, 0); d.Accept {
		t.Error("the second list permits")
	}
	if n.entries.Len(0) != 0 {
		t.Error("a packet that was dropped made an entry")
	}
}

// TestPolicerKeepsItsRate sends packets as fast as can be: over the whole time
// no more passes than the burst and what the rate gives, and hardly less.
func TestPolicerKeepsItsRate(t *testing.T) {
	for _, p := range []Police{{"A", 8000, 1500}, {"B", 64_000, 8000}, {"C", 1_000_000_007, 100_000}, {"D", 8, 1}, {"E", 1e12, 1e9}} {
		r, passed, now := NewPolicer(), uint64(0), time.Duration(0)
		size := uint32(max(1, p.Burst/7))
		for range 20_000 {
			if r.Conforms(&p, size, now) {
				passed += uint64(size)
			}
			now += time.Duration(uint64(size)*bitsPerByte/p.Rate/3 + 1)
		}
		gained := float64(p.Rate) / 8 * now.Seconds()
		if most := float64(p.Burst) + gained; float64(passed) > most || float64(passed) < gained-2*float64(size) {
			t.Errorf("%+v: %d bytes passed in %v, want about %.0f", p, passed, now, most)
		}
	}
}

func TestPolicerFillsUp(t *testing.T) {
	r, p := NewPolicer(), &Police{"A", 8000, 1500} // 1000 bytes per second
	for i, c := range []struct {
		want  bool
		bytes uint32
		after time.Duration
	}{
		{true, 1500, 0}, {false, 1, 0}, {false, 1000, 999 * time.Millisecond}, {true, 1000, time.Millisecond},
		{false, 1501, 100 * time.Hour}, {true, 1500, 0}, {false, 1, 0},
	} {
		now := time.Duration(0)
		if b := r.buckets["A"]; b != nil {
			now = b.last
		}
		if got := r.Conforms(p, c.bytes, now+c.after); got != c.want {
			t.Errorf("packet %d: conforms %v", i, got)
		}
	}
}

// A class of a gate counts both directions of its connections.
func TestGatePolices(t *testing.T) {
	limited := []*Policy{list(with(line(10, Permit, Everybody(), Everybody(), ports(TCP, Range{80, 80})), func(r *Rule) { r.Police = &Police{"C", 8000, 100} }))}
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	syn.Length = 60
	answer := reply(syn, SYN|ACK)
	answer.Length = 40
	run(t, newGate(limited, denyAll()),
		step{Ingress, syn, 0, "accept line T/10"},
		step{Egress, answer, 0, "accept reply"},
		step{Egress, answer, 0, "drop police"},
		step{Ingress, syn, 39 * time.Millisecond, "drop police T/10"},
		step{Egress, answer, time.Millisecond, "accept reply"},
		step{Ingress, syn, 60 * time.Millisecond, "accept line T/10"},
	)
}

// A connection ends with its schedule, replies included, and begins anew.
func TestGateFollowsSchedules(t *testing.T) {
	sundays := []*Policy{list(with(line(10, Permit, Everybody(), Everybody(), AnyService()), timed))}
	syn := tcp(peerAddr, 40000, podAddr, 80, SYN)
	at := func(p Packet, text string) Packet {
		if text != "" {
			p.At = moment(text)
		}
		return p
	}
	answer := reply(syn, ACK)
	run(t, newGate(sundays, denyAll()),
		step{Ingress, at(syn, "2026-02-28 23:59:59"), 0, "drop line T/0"},
		step{Ingress, at(syn, "2026-03-01 00:00:00"), time.Second, "accept line T/10"},
		step{Egress, at(answer, "2026-03-01 23:59:59"), time.Second, "accept reply"},
		step{Egress, at(answer, "2026-03-02 00:00:00"), time.Second, "drop line T/10"},
		step{Ingress, at(syn, "2026-03-02 00:00:00"), time.Second, "drop line T/0"},
		step{Ingress, at(syn, "2026-03-08 00:00:00"), time.Second, "accept line T/10"},
		step{Ingress, at(syn, ""), time.Second, "drop line T/0"},
	)
}
