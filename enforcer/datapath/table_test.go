package datapath

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// reader judges by a table's bytes in the plainest way: it unfolds every row
// to all of its bits and searches every axis from its end.
type reader struct{ b []byte }

func (r reader) u32(at uint32) uint32 { return native.Uint32(r.b[at:]) }
func (r reader) u64(at uint32) uint64 { return native.Uint64(r.b[at:]) }

// header gives field n of the header's 32-bit fields behind "empty".
func (r reader) header(n uint32) uint32 { return r.u32(80 + 4*n) }

func (r reader) has(row uint32, subrule int) bool {
	block, word, bit := subrule>>12, subrule>>6&63, subrule&63
	top := r.u64(row)
	if top>>block&1 == 0 {
		return false
	}
	at := r.u32(row + 8 + 4*uint32(bits.OnesCount64(top&(1<<block-1))))
	summary := r.u64(at)
	if summary>>word&1 == 0 {
		return false
	}
	return r.u64(at+72+8*uint32(r.b[at+8+uint32(word)]))>>bit&1 == 1
}

func (r reader) axis(n uint32, wide bool, key point) uint32 {
	field := 12 + n*4
	starts, rows, count := r.header(field), r.header(field+1), r.header(field+2)
	for i := count - 1; ; i-- {
		start := point{}
		if wide {
			start = point{r.u64(starts + 16*i), r.u64(starts + 16*i + 8)}
		} else {
			start.lo = uint64(r.u32(starts + 4*i))
		}
		if start.compare(key) <= 0 {
			return r.u32(rows + 4*i)
		}
	}
}

func (r reader) rows(p *policy.Packet, source, destination uint32) (joined [2][3]uint32, others []uint32) {
	joined[0] = [3]uint32{r.header(8), r.axis(0, true, pointOf(p.Source.Addr)), r.axis(2, false, point{lo: uint64(source)})}
	joined[1] = [3]uint32{r.header(9), r.axis(1, true, pointOf(p.Destination.Addr)), r.axis(3, false, point{lo: uint64(destination)})}
	if p.Fragment == policy.Later {
		return joined, []uint32{r.u32(r.header(6) + 4*uint32(p.Protocol))}
	}
	others = []uint32{r.u32(r.header(5) + 4*uint32(p.Protocol))}
	if policy.HasPorts(p.Protocol) {
		others = append(others, r.axis(4, false, point{lo: uint64(p.SourcePort)}), r.axis(5, false, point{lo: uint64(p.DestinationPort)}))
	}
	if p.Protocol == policy.TCP {
		others = append(others, r.u32(r.header(7)+4*uint32(p.Flags)))
	}
	if p.Protocol == policy.ICMP || p.Protocol == policy.ICMPv6 {
		others = append(others, r.axis(6, false, point{lo: uint64(p.ICMPType)<<8 | uint64(p.ICMPCode)}))
	}
	return joined, others
}

func (r reader) residueHolds(at uint32, p *policy.Packet) bool {
	if at == 0 {
		return true
	}
	s, d := pointOf(p.Source.Addr), pointOf(p.Destination.Addr)
	for i, v := range []uint64{s.hi, s.lo, d.hi, d.lo} {
		if (v^r.u64(at+8*uint32(i)))&r.u64(at+32+8*uint32(i)) != 0 {
			return false
		}
	}
	return true
}

// lookup gives the action and counter of the deciding sub-rule; 0 and 0 for
// the implicit last line.
func (r reader) lookup(p *policy.Packet, source, destination uint32) (policy.Action, uint32) {
	joined, others := r.rows(p, source, destination)
next:
	for i := 0; i < int(r.header(3)); i++ {
		for _, j := range joined {
			if !r.has(j[0], i) && !r.has(j[1], i) && !r.has(j[2], i) {
				continue next
			}
		}
		for _, row := range others {
			if !r.has(row, i) {
				continue next
			}
		}
		record := r.header(4) + 16*uint32(i)
		if !r.residueHolds(r.u32(record+8), p) {
			continue
		}
		if action := policy.Action(r.b[record+12]); action != policy.Next {
			return action, r.u32(record)
		}
		i = int(r.u32(record+4)) - 1
	}
	return 0, 0
}

// byLine numbers the counters as a test wants them: line 0 has 1.
func byLine(line int) uint32 { return uint32(line + 1) }

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
	for seed := range uint64(150) {
		w := newWorld(seed)
		f := pick(w, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual})
		p := w.list("T", policy.Ingress, f, 1+w.IntN(60))
		table, err := Compile(p, w.identities, byLine)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			packet := w.packet(w.family(f))
			action, line := reader{table.Bytes}.lookup(&packet, w.id(packet.Source.Addr), w.id(packet.Destination.Addr))
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
	if id, ok := w.owners[a]; ok {
		return id
	}
	return uint32(bpf.AcliumIdentityIDENTITY_WORLD)
}

func TestCompileIsDeterministic(t *testing.T) {
	build := func() *Table {
		w := newWorld(7)
		table, err := Compile(w.list("T", policy.Ingress, policy.Dual, 50), w.identities, byLine)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	if d := cmp.Diff(build(), build()); d != "" {
		t.Error(d)
	}
}

func simple(action policy.Action, src, dst policy.Peers, services ...policy.Service) policy.Rule {
	if len(services) == 0 {
		services = []policy.Service{policy.AnyService()}
	}
	return policy.Rule{ID: policy.RuleID{ACL: "T", Seq: 10}, Action: action, Match: policy.Match{Source: src, Destination: dst, Services: services}}
}

func listOf(rules ...policy.Rule) *policy.Policy {
	return &policy.Policy{
		ACL: "T", Direction: policy.Ingress, Family: policy.Dual, Rules: rules,
		Subject: policy.Subject{Name: "eth0", Interface: "eth0"},
	}
}

func TestCompileRefuses(t *testing.T) {
	any, m := policy.Everybody(), policy.Masked{Addr: netip.MustParseAddr("10.0.0.0"), Wildcard: netip.MustParseAddr("0.255.0.255")}
	many := policy.Peers{Masked: make([]policy.Masked, 600)}
	for i := range many.Masked {
		many.Masked[i] = m
	}
	for name, c := range map[string]struct {
		list *policy.Policy
		ids  []Identity
		want string
	}{
		"fqdn":           {listOf(simple(policy.Deny, policy.Peers{FQDNs: []string{"*.example.com"}}, any)), nil, `policy "T": line 10: a node cannot judge by fqdn`},
		"too long":       {listOf(simple(policy.Deny, many, many)), nil, "more than 262144 combinations"},
		"invalid":        {listOf(simple(0, any, any)), nil, "invalid action 0"},
		"identity twice": {listOf(), []Identity{{ID: 300}, {ID: 300}}, "identity 300 is given twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(c.list, c.ids, byLine)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// enterprise gives a list as networks have them: hosts and subnets, common
// services, now and then "any".
func enterprise(n int) (*policy.Policy, *world) {
	w := newWorld(uint64(n))
	subnet := func() policy.Peers {
		a := netip.AddrFrom4([4]byte{10, byte(w.IntN(64)), byte(w.IntN(256)), byte(w.IntN(256))})
		switch w.IntN(20) {
		case 0:
			return policy.Everybody()
		case 1:
			return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(a, 16))}}
		}
		return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.PrefixFrom(a, 22+w.IntN(11)))}}
	}
	p := listOf()
	p.Family = policy.IPv4
	for i := range n {
		s := policy.ServiceOf(policy.Bytes(pick(w, []uint8{policy.TCP, policy.TCP, policy.UDP})))
		if !w.one(8) {
			first := uint16(w.IntN(3000))
			s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: first + uint16(w.IntN(4)/3*20)})
		}
		r := simple(policy.Permit+policy.Action(w.IntN(2)), subnet(), subnet(), s)
		r.ID.Seq = uint32(i + 1)
		p.Rules = append(p.Rules, r)
	}
	return p, w
}

// hit gives a packet that is likely to meet a line of the list.
func (w *world) hit(p *policy.Policy) policy.Packet {
	r := &p.Rules[w.IntN(len(p.Rules))]
	end := func(s *policy.Peers) policy.Endpoint {
		if s.Any {
			return policy.Endpoint{Addr: netip.AddrFrom4([4]byte{10, byte(w.IntN(64)), byte(w.IntN(256)), byte(w.IntN(256))})}
		}
		a := s.Addresses[0]
		return policy.Endpoint{Addr: w.near(pick(w, []netip.Addr{a.First, a.Last}))}
	}
	dport := r.Match.Services[0].DestinationPorts[0]
	return policy.Packet{
		Source: end(&r.Match.Source), Destination: end(&r.Match.Destination),
		Protocol: pick(w, []uint8{policy.TCP, policy.UDP}), SourcePort: 40000,
		DestinationPort: pick(w, []uint16{dport.First, dport.Last}), Flags: 0,
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, w := enterprise(n)
			size := 0
			for b.Loop() {
				table, err := Compile(p, w.identities, byLine)
				if err != nil {
					b.Fatal(err)
				}
				size = len(table.Bytes)
			}
			b.ReportMetric(float64(size), "B/table")
		})
	}
}
