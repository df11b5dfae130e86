package translate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// A stackMaker makes random stacks of objects, whose parts overlap on purpose.
type stackMaker struct {
	*rand.Rand
	// outside says that addresses are those of the world alone.
	outside bool
}

func (r *stackMaker) pick(words ...string) string { return words[r.IntN(len(words))] }

func (r *stackMaker) selector() policy.Selector {
	all := policy.Selector{
		{Key: policy.NamespaceKey, Op: policy.In, Values: []string{r.pick("dev", "prod")}},
		{Key: policy.NamespaceKey, Op: policy.NotIn, Values: []string{"prod", "test"}},
		{Key: "app", Op: policy.In, Values: []string{r.pick("web", "db")}},
		{Key: "app", Op: policy.NotIn, Values: []string{"", "db"}},
		{Key: "app", Op: policy.In, Values: []string{"", "web"}},
		{Key: "tier", Op: policy.Exists},
		{Key: "tier", Op: policy.DoesNotExist},
		{Key: "io.cilium.k8s.namespace.labels.team", Op: policy.In, Values: []string{"a"}},
	}
	s := policy.Selector{}
	for range r.IntN(3) {
		s = append(s, all[r.IntN(len(all))])
	}
	return s
}

func (r *stackMaker) ranges() []policy.AddrRange {
	v4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(r.IntN(16))}), 26+r.IntN(7)).Masked()
	v6 := netip.PrefixFrom(netip.MustParseAddr("2001:db8::").Next(), 120+r.IntN(9)).Masked()
	out := []policy.AddrRange{policy.PrefixRange(v4)}
	switch r.IntN(3) {
	case 0:
		out = append(out, policy.PrefixRange(v6))
	case 1:
		out = append(out, policy.AddrRange{First: netip.MustParseAddr("10.1.0.5"), Last: netip.MustParseAddr("10.1.0.11")})
	}
	return out
}

func (r *stackMaker) peers() (p policy.Peers) {
	switch r.IntN(7) {
	case 0, 1:
		return policy.Everybody()
	case 2, 3:
		p.Selectors = []policy.Selector{r.selector(), r.selector()}
	case 4:
		p.Entities = []policy.Entity{policy.Entity(1 + r.IntN(4))}
	default:
		if r.outside {
			p.Outside = r.ranges()
		} else {
			p.Addresses = r.ranges()
		}
	}
	return p
}

func (r *stackMaker) services() (out []policy.Service) {
	for range 1 + r.IntN(2) {
		s := policy.ServiceOf(policy.Bytes([]uint8{policy.TCP, policy.UDP, policy.SCTP}[r.IntN(3)]))
		first := uint16(r.IntN(12))
		s.DestinationPorts = policy.NewRanges(policy.Range{First: first, Last: first + uint16(r.IntN(6))}, policy.Range{First: 15, Last: 15})
		switch r.IntN(8) {
		case 0:
			return []policy.Service{policy.AnyService()}
		case 1:
			s = policy.ServiceOf(policy.Bytes(policy.ICMP, policy.ICMPv6))
			s.ICMP = policy.NewRanges(policy.Range{First: 8 << 8, Last: 9<<8 | 3})
		case 2:
			s.DestinationPorts = s.DestinationPorts.Complement()
		case 3:
			s.SourcePorts = policy.NewRanges(policy.Range{First: 53, Last: 53})
		case 4:
			s = policy.ServiceOf(policy.BytesWhere(func(b uint8) bool { return b != policy.UDP && b < 60 }))
		}
		out = append(out, s)
	}
	return out
}

func (r *stackMaker) policy(name string, c policy.Combination) policy.Policy {
	p := policy.Policy{
		ACL: name, Direction: policy.Direction(1 + r.IntN(2)), Family: policy.Dual, Stateful: true, Open: r.IntN(2) == 0,
		Subject: policy.Subject{Name: "NetworkPolicy/" + name, Selectors: []policy.Selector{r.selector()}},
	}
	if r.IntN(4) == 0 {
		p.Family = policy.Family(1 + r.IntN(2))
	}
	for i := range r.IntN(5) {
		rule := policy.Rule{
			ID: policy.RuleID{ACL: name, Seq: uint32(i + 1)}, Text: fmt.Sprintf("spec.rules[%d]", i), Action: policy.Permit,
			Match: policy.Match{Source: r.peers(), Destination: policy.Everybody(), Services: r.services()},
		}
		if r.IntN(3) == 0 {
			rule.Action = policy.Deny
		}
		if c == policy.Ordered && r.IntN(4) == 0 {
			rule.Action = policy.Next
		}
		if p.Direction == policy.Egress {
			rule.Match.Source, rule.Match.Destination = rule.Match.Destination, rule.Match.Source
		}
		p.Rules = append(p.Rules, rule)
	}
	for i := range p.Rules {
		if p.Rules[i].Action == policy.Next {
			p.Rules[i].Goto = len(p.Rules)
		}
	}
	if c == policy.Series {
		p.Open, p.Subject.Name = false, "workload "+name
	}
	return p
}

func (r *stackMaker) stack() (s policy.Stack) {
	kinds := [][]policy.Combination{
		{policy.Union}, {policy.Union}, {policy.Ordered, policy.Union, policy.Ordered}, {policy.Ordered, policy.Ordered}, {policy.Series, policy.Union}, {policy.Series},
	}
	for i, c := range kinds[r.IntN(len(kinds))] {
		t := policy.Tier{Combine: c}
		for k := range 1 + r.IntN(2) {
			t.Policies = append(t.Policies, r.policy(fmt.Sprintf("dev/p%d%d", i, k), c))
		}
		s = append(s, t)
	}
	return s
}

func (r *stackMaker) end(v6 bool) (e policy.Endpoint) {
	e.Addr = netip.AddrFrom4([4]byte{10, 1, 0, byte(r.IntN(20))})
	if v6 {
		e.Addr = netip.MustParseAddr(r.pick("2001:db8::1", "2001:db8::ff", "2001:db8::5", "2001:db9::1"))
	}
	switch r.IntN(4) {
	case 0:
	case 1:
		e.Entity = []policy.Entity{0, policy.Host, policy.RemoteNode, policy.KubeAPIServer}[r.IntN(4)]
	default:
		e.Labels = map[string]string{policy.NamespaceKey: r.pick("dev", "prod", "test")}
		for _, k := range []string{"app", "tier", "io.cilium.k8s.namespace.labels.team"} {
			if v := r.pick("-", "", "web", "db", "a"); v != "-" {
				e.Labels[k] = v
			}
		}
	}
	return e
}

func (r *stackMaker) packet() policy.Packet {
	v6 := r.IntN(3) == 0
	p := policy.Packet{Source: r.end(v6), Destination: r.end(v6), Protocol: []uint8{policy.TCP, policy.UDP, policy.SCTP, policy.ICMP, 47}[r.IntN(5)]}
	switch {
	case p.Protocol == policy.ICMP:
		if v6 {
			p.Protocol = policy.ICMPv6
		}
		p.ICMPType, p.ICMPCode = uint8(7+r.IntN(4)), uint8(r.IntN(6))
	case policy.HasPorts(p.Protocol):
		p.SourcePort, p.DestinationPort = uint16([]int{53, 40000}[r.IntN(2)]), uint16(r.IntN(20))
		if p.Protocol == policy.TCP {
			p.Flags = policy.SYN
		}
	}
	return p
}

// asLists gives what the text of a stack means.
func asLists(t *testing.T, s policy.Stack) (policy.Stack, []policy.Finding, string) {
	t.Helper()
	config, findings, err := translate.Decompile(s)
	if err != nil {
		t.Fatalf("%v\n%+v", err, s)
	}
	var text bytes.Buffer
	if err := config.Print(&text); err != nil {
		t.Fatal(err)
	}
	if text.Len() == 0 {
		return nil, findings, "" // nothing is filtered
	}
	again, notices, err := grammar.ParseFile("again.cfg", bytes.NewReader(text.Bytes()))
	if err != nil || len(notices) > 0 {
		t.Fatalf("%v %v\n%s", err, notices, &text)
	}
	lists, said, err := translate.Compile(again)
	if err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	for _, f := range said {
		if f.State != policy.NoEffect {
			t.Fatalf("%+v\n%s", f, &text)
		}
	}
	return policy.Stack{{Combine: policy.Series, Policies: lists}}, findings, text.String()
}

// The text of objects, printed and read again, judges every packet as they do.
func TestDecompiledJudgesAlike(t *testing.T) {
	judged, permitted, refused, narrower := 0, 0, 0, 0
	for seed := range uint64(150) {
		r := &stackMaker{Rand: rand.New(rand.NewPCG(7, seed)), outside: seed%2 == 0}
		s := r.stack()
		lists, findings, text := asLists(t, s)
		if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.ID.Seq == 0 }) {
			refused++
			continue
		}
		if len(findings) > 0 {
			narrower++
		}
		for range 150 {
			p := r.packet()
			for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
				want, by := s.Judge(d, &p)
				got, id := lists.Judge(d, &p)
				if by.ACL != "" { // somebody had a say
					judged++
					if want == policy.Permit {
						permitted++
					}
				}
				if got != want && (got == policy.Permit || len(findings) == 0) {
					t.Fatalf("seed %d: %v %v by %v, want %v\n%+v\n%s\n%+v", seed, d, got, id, want, p, text, s)
				}
			}
		}
	}
	t.Logf("%d packets, %d permitted; %d stacks refused, %d narrower", judged, permitted, refused, narrower)
	if refused > 15 || narrower > 15 || permitted*5 < judged || permitted*5 > judged*4 {
		t.Error("too much is refused, or the stacks say too little")
	}
}

// What the language has no words for is left out where it permits, and keeps
// the list out where it denies.
func TestDecompileRefuses(t *testing.T) {
	named := policy.ServiceOf(policy.Bytes(policy.TCP))
	named.PortNames = []string{"http"}
	object := func(a policy.Action, change func(*policy.Policy)) policy.Stack {
		p := policy.Policy{
			ACL: "dev/p", Direction: policy.Ingress, Family: policy.Dual, Stateful: true,
			Subject: policy.Subject{Name: "CiliumNetworkPolicy/dev/p", Selectors: []policy.Selector{{{Key: "app", Op: policy.Exists}}}},
			Rules: []policy.Rule{{
				ID: policy.RuleID{ACL: "dev/p", Seq: 1}, Text: "spec.ingress[0]", Action: a,
				Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}},
			}},
		}
		change(&p)
		return policy.Stack{{Combine: policy.Union, Policies: []policy.Policy{p}}}
	}
	names := func(p *policy.Policy) { p.Rules[0].Match.Services = []policy.Service{named} }
	http := func(p *policy.Policy) { p.Rules[0].Match.HTTP = []policy.HTTPMatch{{Method: "GET"}} }
	mixed := func(p *policy.Policy) {
		p.Rules[0].Match.Source = policy.Peers{
			Outside:   []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix("10.0.0.0/8"))},
			Addresses: []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix("11.0.0.0/8"))},
		}
	}
	for name, c := range map[string]struct {
		stack  policy.Stack
		seq    uint32
		reason string
		text   string
	}{
		"name of a port":     {object(policy.Permit, names), 1, "left out: ports by the names", "deny   ip any any"},
		"deny by that name":  {object(policy.Deny, names), 0, "spec.ingress[0] cannot be said, and it denies: ports by the names", ""},
		"requests":           {object(policy.Permit, http), 1, "left out: requests", "deny   ip any any"},
		"two kinds of CIDRs": {object(policy.Permit, mixed), 0, "addresses of the world alone and addresses of everybody", ""},
		"nodes":              {object(policy.Permit, func(p *policy.Policy) { p.Subject.Nodes = true }), 0, "stands on nodes", ""},
		"long label": {object(policy.Permit, func(p *policy.Policy) {
			p.Subject.Selectors = []policy.Selector{{{Key: strings.Repeat("a", 64), Op: policy.Exists}}}
		}), 0, "is too long for a line", ""},
	} {
		config, findings, err := translate.Decompile(c.stack)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(findings, func(f policy.Finding) bool {
			return f.ID == policy.RuleID{ACL: "dev/p", Seq: c.seq} && f.State == policy.Refused && strings.Contains(f.Reason, c.reason)
		}) {
			t.Errorf("%s: findings %+v, want %q", name, findings, c.reason)
		}
		var text bytes.Buffer
		if err := config.Print(&text); err != nil {
			t.Fatal(err)
		}
		if c.text != "" && !strings.Contains(text.String(), c.text) || c.text == "" && strings.Contains(text.String(), "access-list") {
			t.Errorf("%s: the text is\n%s", name, &text)
		}
	}
}
