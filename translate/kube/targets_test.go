package kube_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// A lister makes random lists for a target, and packets on the edges of their
// lines.
type lister struct {
	*rand.Rand
	target translate.Target
	// supported keeps to what the target has words for.
	supported bool
}

func (g *lister) chance(percent int) bool { return g.IntN(100) < percent }

// list gives a list of 1 to 200 lines, few of them long, with a share of denies
// from 0 to 90 %.
func (g *lister) list(d policy.Direction) policy.Policy {
	p := randomList(g.Rand, d)
	p.Rules = nil
	n := 1 + g.IntN([]int{5, 12, 30, 200}[g.IntN(4)])
	denies := g.IntN(91)
	for i := range n {
		r := policy.Rule{
			ID: policy.RuleID{ACL: "T", Seq: uint32(10 * (i + 1))}, Text: strconv.Itoa(i), Action: policy.Permit, Log: g.chance(10),
			Match: policy.Match{Source: g.peers(), Destination: policy.Everybody(), Services: []policy.Service{g.service()}},
		}
		if g.chance(denies) {
			r.Action = policy.Deny
		}
		if g.chance(10) {
			r.Match.Services = append(r.Match.Services, g.service())
		}
		if !g.supported && g.chance(3) {
			r.Match.Fragments = true
		}
		if d == policy.Egress {
			r.Match.Source, r.Match.Destination = r.Match.Destination, r.Match.Source
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func (g *lister) peers() policy.Peers {
	p := randomPeers(g.Rand)
	for g.supported && g.unnamed(p.Entities) {
		p = randomPeers(g.Rand)
	}
	if g.chance(10) {
		q := randomPeers(g.Rand)
		p.Addresses, p.Selectors = append(p.Addresses, q.Addresses...), append(p.Selectors, q.Selectors...)
	}
	if g.chance(8) {
		p = policy.Peers{Masked: []policy.Masked{{Addr: netip.MustParseAddr("192.0.2.1"), Wildcard: netip.MustParseAddr("0.0.0.10")}}}
	}
	return p
}

// unnamed reports roles that the target has no words for. Nobody but the node
// itself knows the API server's address.
func (g *lister) unnamed(entities []policy.Entity) bool {
	return len(entities) > 0 && !g.target.Entities || slices.Contains(entities, policy.KubeAPIServer) && !g.target.Verbatim
}

func (g *lister) service() policy.Service {
	all := func(v ...uint8) policy.Service { return policy.ServiceOf(policy.Bytes(v...)) }
	types := func(first, last uint16) policy.Service {
		s := all(policy.ICMP)
		s.ICMP = policy.NewRanges(policy.Range{First: first, Last: last})
		return s
	}
	kind := g.IntN(12)
	switch {
	case kind == 0:
		return policy.AnyService()
	case kind == 1 && (g.target.ICMP || !g.supported):
		return []policy.Service{all(policy.ICMP), types(8<<8, 8<<8|255), types(3<<8, 13<<8|255)}[g.IntN(3)]
	case kind == 2 && (g.target.ICMPCodes || !g.supported):
		return []policy.Service{types(3<<8|1, 3<<8|4), types(8<<8, 8<<8), types(8<<8|200, 13<<8|3)}[g.IntN(3)]
	case kind == 3 && (g.target.Protocols || !g.supported):
		return []policy.Service{all(47), all(47, 50, policy.TCP), all(89)}[g.IntN(3)]
	case kind == 4 && (g.target.SourcePorts || !g.supported):
		s := g.ports()
		s.SourcePorts = policy.NewRanges(policy.Range{First: 50, Last: uint16(53 + g.IntN(3))})
		return s
	case kind == 5 && !g.supported:
		s := all(policy.TCP)
		s.Flags = policy.BytesWhere(func(v uint8) bool { return v&[]uint8{policy.SYN, policy.ACK}[g.IntN(2)] != 0 })
		return s
	}
	return g.ports()
}

func (g *lister) ports() policy.Service {
	s := policy.ServiceOf(policy.Bytes([]uint8{policy.TCP, policy.TCP, policy.UDP, policy.SCTP}[g.IntN(4)]))
	first := uint16(g.IntN(14))
	switch g.IntN(5) {
	case 0:
	case 1:
		s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: 65535})
	case 2:
		s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: first}).Complement()
	default:
		s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: first + uint16(g.IntN(6))})
	}
	return s
}

// packet gives a random packet, every other time one on an edge of a line.
func (g *lister) packet(p *policy.Policy) policy.Packet {
	out := randomPacket(g.Rand, p.Direction)
	if g.chance(50) {
		return out
	}
	at := g.IntN(len(p.Rules))
	if p.Rules[at].Action != policy.Permit {
		at = g.IntN(len(p.Rules)) // what is permitted is rarer
	}
	m := &p.Rules[at].Match
	s := &m.Services[g.IntN(len(m.Services))]
	for _, protocol := range []uint8{policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, 47, 50, 89} {
		if s.Protocols.Has(protocol) && g.chance(60) {
			out.Protocol = protocol
		}
	}
	out.SourcePort, out.DestinationPort, out.ICMPType, out.ICMPCode, out.Flags = 0, 0, 0, 0, 0
	switch {
	case policy.HasPorts(out.Protocol):
		out.SourcePort, out.DestinationPort = g.edge(s.SourcePorts), g.edge(s.DestinationPorts)
		if out.Protocol == policy.TCP {
			out.Flags = policy.SYN
		}
	case out.Protocol == policy.ICMP:
		v := g.edge(s.ICMP)
		out.ICMPType, out.ICMPCode = uint8(v>>8), uint8(v)
	}
	end, peers := &out.Source, &m.Source
	if p.Direction == policy.Egress {
		end, peers = &out.Destination, &m.Destination
	}
	if len(peers.Addresses) > 0 && g.chance(70) {
		a := peers.Addresses[g.IntN(len(peers.Addresses))]
		*end = policy.Endpoint{Addr: []netip.Addr{a.First, a.Last, a.First.Prev(), a.Last.Next()}[g.IntN(4)]}
	}
	return out
}

// edge gives a number on or beside an edge of the set, 0 and what lies beyond
// the last one apart.
func (g *lister) edge(set policy.Ranges) uint16 {
	if len(set) == 0 {
		return 1
	}
	r := set[g.IntN(len(set))]
	v := int([]uint16{r.First, r.Last}[g.IntN(2)]) + []int{-1, 0, 0, 1}[g.IntN(4)]
	return uint16(min(max(v, 1), 65535))
}

// TestTargetsSayTheList: for every target, what its objects mean by its own
// specification is never more than the list, and less only where a finding names
// the line. Lists of what the target has words for are refused in less than one
// line of a hundred.
func TestTargetsSayTheList(t *testing.T) {
	lists := 500
	if testing.Short() {
		lists = 50
	}
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(17, 41))
			c := &tally{}
			for n := range lists {
				g := &lister{Rand: r, target: target, supported: n%4 != 0}
				c.list(t, g, policy.Direction(1+n/2%2))
			}
			t.Logf("%d packets: %d permitted, %d narrower as said; of %d lines that the target supports %d are refused; %d lists with others refused",
				c.packets, c.permitted, c.narrower, c.lines, c.refused, c.otherLists)
			if c.permitted*10 < c.packets*3 {
				t.Errorf("%d of %d packets are permitted, want 30 %%", c.permitted, c.packets)
			}
			if c.refused*100 > c.lines {
				t.Errorf("%d of %d lines are refused, want under 1 %%", c.refused, c.lines)
			}
			if want := lists * 200; c.packets < want {
				t.Errorf("%d packets judged, want %d", c.packets, want)
			}
		})
	}
}

type tally struct{ packets, permitted, narrower, lines, refused, otherLists int }

func (c *tally) list(t *testing.T, g *lister, d policy.Direction) {
	t.Helper()
	p := g.list(d)
	o := translate.OrderOptions{Target: g.target, ClusterCIDRs: []netip.Prefix{clusterCIDR}}
	ordered, findings := translate.Order([]policy.Policy{p}, o)
	objects, err := kube.Encode(g.target.Name, ordered)
	if err != nil {
		rules, _ := json.Marshal(p.Rules)
		t.Fatalf("%v\n%s", err, rules)
	}
	c.count(g, &p, findings)
	if len(objects) == 0 {
		if !slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.ID.Seq == 0 && f.State == policy.Refused }) {
			t.Fatalf("no object and no refusal: %+v", p.Rules)
		}
		return
	}
	allows := reader(t, g.target.Name, objects, d)
	text, err := kube.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := kube.Decode("objects.yaml", bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for range 240 {
		pkt := g.packet(&p)
		action, line := p.Eval(&pkt)
		meant, _ := ordered.Judge(d, &pkt)
		read, _ := decoded.Judge(d, &pkt)
		got := allows(&pkt)
		c.packets++
		if got {
			c.permitted++
		}
		said := slices.ContainsFunc(findings, func(f policy.Finding) bool {
			return f.ID == p.ID(line) && (f.State == policy.Narrower || f.State == policy.Refused) ||
				isNode(&pkt) && strings.Contains(f.Reason, "addresses match no nodes")
		})
		if !got && action == policy.Permit {
			c.narrower++
		}
		if got && action != policy.Permit || !got && action == policy.Permit && !said || got != (meant == policy.Permit) || got != (read == policy.Permit) {
			rules, _ := json.MarshalIndent(p.Rules, "", " ")
			t.Fatalf("the list says %v at %d, the stack %v, objects allow %v, decoded %v: %+v\n%s\n%s\n%+v", action, line, meant, got, read, pkt, rules, text, findings)
		}
	}
}

// count counts lines and refusals. A refused list loses all its lines.
func (c *tally) count(g *lister, p *policy.Policy, findings []policy.Finding) {
	lines, whole := 0, false
	for _, f := range findings {
		if f.State == policy.Refused {
			lines, whole = lines+1, whole || f.ID.Seq == 0
		}
	}
	switch {
	case !g.supported && whole:
		c.otherLists++
	case g.supported && whole:
		c.lines, c.refused = c.lines+len(p.Rules), c.refused+len(p.Rules)
	case g.supported:
		c.lines, c.refused = c.lines+len(p.Rules), c.refused+lines
	}
}
