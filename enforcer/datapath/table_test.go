package datapath

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/translate/policy"
)

// byLine numbers the counters as a test wants them: line 0 has 1.
func byLine(line int) uint32 { return uint32(line + 1) }

func TestCompileIsDeterministic(t *testing.T) {
	build := func() *Table {
		w := newWorld(7)
		table, err := Compile(w.list("T", policy.Ingress, policy.Dual, 50), w.identities(), byLine)
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
		"fqdn":           {listOf(simple(policy.Deny, policy.Peers{FQDNs: []string{"*.example.com"}}, any)), nil, `policy "T": line 10: a node cannot judge by fqdn in a line that does not permit`},
		"too long":       {listOf(simple(policy.Deny, many, many)), nil, "combinations of services and masked addresses, want 262144 at most"},
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
				table, err := Compile(p, w.identities(), byLine)
				if err != nil {
					b.Fatal(err)
				}
				size = len(table.Bytes)
			}
			b.ReportMetric(float64(size), "B/table")
		})
	}
}
