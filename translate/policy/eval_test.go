package policy

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func nets(prefixes ...string) (p Peers) {
	for _, s := range prefixes {
		p.Addresses = append(p.Addresses, PrefixRange(netip.MustParsePrefix(s)))
	}
	return p
}

func ports(protocol uint8, rs ...Range) Service {
	s := ServiceOf(Bytes(protocol))
	s.DestinationPorts = NewRanges(rs...)
	return s
}

func line(seq uint32, a Action, src, dst Peers, services ...Service) Rule {
	return Rule{ID: RuleID{"T", seq}, Text: RuleID{"T", seq}.String(), Action: a, Match: Match{Source: src, Destination: dst, Services: services}}
}

func list(rules ...Rule) *Policy {
	return &Policy{
		ACL: "T", Direction: Ingress, Family: IPv4, Rules: rules,
		Subject: Subject{Name: "workload W", Selectors: []Selector{{{Key: "app", Op: In, Values: []string{"w"}}}}},
	}
}

func tcp(src string, sport uint16, dst string, dport uint16, flags uint8) Packet {
	return Packet{
		Source: Endpoint{Addr: addr(src)}, Destination: Endpoint{Addr: addr(dst)}, Protocol: TCP,
		SourcePort: sport, DestinationPort: dport, Flags: flags,
	}
}

func later(p Packet) Packet {
	p.Fragment, p.SourcePort, p.DestinationPort, p.Flags = Later, 0, 0, 0
	return p
}

// The rules of Cisco's "Access Control Lists and IP Fragments": a line without
// layer 4 matches every fragment; one with it matches a non-initial fragment
// by addresses if it permits, and never if it denies.
func TestEvalFragments(t *testing.T) {
	web := ports(TCP, Range{80, 80})
	fragmentsOnly := line(10, Deny, Everybody(), Everybody(), AnyService())
	fragmentsOnly.Match.Fragments = true
	whole := tcp("10.0.0.9", 40000, "10.0.0.1", 80, SYN)
	first := whole
	first.Fragment = First
	for name, c := range map[string]struct {
		want Action
		line int
		p    *Policy
		pkt  Packet
	}{
		"permit with ports, later":      {Permit, 0, list(line(10, Permit, Everybody(), nets("10.0.0.1/32"), web)), later(whole)},
		"permit other host, later":      {Deny, Implicit, list(line(10, Permit, Everybody(), nets("10.0.0.2/32"), web)), later(whole)},
		"deny with ports, later":        {Permit, 1, list(line(10, Deny, Everybody(), Everybody(), web), line(20, Permit, Everybody(), Everybody(), AnyService())), later(whole)},
		"deny with ports, first":        {Deny, 0, list(line(10, Deny, Everybody(), Everybody(), web), line(20, Permit, Everybody(), Everybody(), AnyService())), first},
		"deny without ports, later":     {Deny, 0, list(line(10, Deny, Everybody(), Everybody(), ServiceOf(Bytes(TCP)))), later(whole)},
		"fragments keyword, later":      {Deny, 0, list(fragmentsOnly, line(20, Permit, Everybody(), Everybody(), AnyService())), later(whole)},
		"fragments keyword, first":      {Permit, 1, list(fragmentsOnly, line(20, Permit, Everybody(), Everybody(), AnyService())), first},
		"fragments keyword, whole":      {Permit, 1, list(fragmentsOnly, line(20, Permit, Everybody(), Everybody(), AnyService())), whole},
		"other protocol's later packet": {Deny, Implicit, list(line(10, Permit, Everybody(), Everybody(), ports(UDP, Range{80, 80}))), later(whole)},
	} {
		t.Run(name, func(t *testing.T) {
			action, at := c.p.Eval(&c.pkt)
			if action != c.want || at != c.line {
				t.Errorf("got %v at %d, want %v at %d", action, at, c.want, c.line)
			}
		})
	}
}

func TestEvalNextLeavesTheClass(t *testing.T) {
	skip := line(10, Next, nets("10.0.0.9/32"), Everybody(), AnyService())
	skip.Goto = 2
	p := list(
		skip,
		line(11, Permit, nets("10.0.0.0/24"), Everybody(), AnyService()),
		line(20, Deny, Everybody(), Everybody(), AnyService()),
	)
	for src, want := range map[string]int{"10.0.0.9": 2, "10.0.0.8": 1, "10.0.1.1": 2} {
		pkt := tcp(src, 1, "10.9.9.9", 2, SYN)
		if _, at := p.Eval(&pkt); at != want {
			t.Errorf("source %s decided at %d, want %d", src, at, want)
		}
	}
}

func TestPeers(t *testing.T) {
	pod := Endpoint{Addr: addr("10.1.0.5"), Labels: map[string]string{"app": "web", NamespaceKey: "dev"}}
	host := Endpoint{Addr: addr("10.0.0.1"), Entity: Host}
	world := Endpoint{Addr: addr("192.0.2.1")}
	api := Endpoint{Addr: addr("192.0.2.2"), Entity: KubeAPIServer}
	six := Endpoint{Addr: addr("2001:db8::1")}
	term := func(key string, op Op, values ...string) Peers {
		return Peers{Selectors: []Selector{{{Key: key, Op: op, Values: values}}}}
	}
	entity := func(e Entity) Peers { return Peers{Entities: []Entity{e}} }
	for name, c := range map[string]struct {
		peers Peers
		want  string // who is in: pod, host, world, api, six by letter
	}{
		"nobody":           {Peers{}, ""},
		"any":              {Everybody(), "phwas"},
		"prefix":           {nets("10.0.0.0/8"), "ph"},
		"zero prefix":      {nets("0.0.0.0/0"), "phwa"},
		"six prefix":       {nets("2001:db8::/32"), "s"},
		"even hosts":       {Peers{Masked: []Masked{{addr("0.0.0.1"), addr("255.255.255.254")}}}, "phw"},
		"label":            {term("app", In, "web"), "p"},
		"other label":      {term("app", In, "db"), ""},
		"not in, missing":  {term("tier", NotIn, "db"), "p"},
		"absent":           {term("tier", DoesNotExist), "p"},
		"exists":           {term(NamespaceKey, Exists), "p"},
		"empty selector":   {Peers{Selectors: []Selector{{}}}, "p"},
		"world":            {entity(World), "was"},
		"cluster":          {entity(Cluster), "ph"},
		"host":             {entity(Host), "h"},
		"remote-node":      {entity(RemoteNode), ""},
		"kube-apiserver":   {entity(KubeAPIServer), "a"},
		"union of kinds":   {Peers{Addresses: nets("192.0.2.1/32").Addresses, Entities: []Entity{Host}}, "hw"},
		"fqdn matches not": {Peers{FQDNs: []string{"*"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for i, e := range []Endpoint{pod, host, world, api, six} {
				if c.peers.Has(&e) {
					got += string("phwas"[i])
				}
			}
			if got != c.want {
				t.Errorf("members %q, want %q", got, c.want)
			}
		})
	}
}

func TestPolicyJSONRoundTrip(t *testing.T) {
	established := ServiceOf(Bytes(TCP))
	established.Flags = BytesWhere(func(f uint8) bool { return f&(ACK|RST) != 0 })
	next := line(5, Next, Everybody(), Everybody(), AnyService())
	next.Goto = 1
	p := list(next, line(10, Permit, nets("10.0.0.0/8", "2001:db8::/32"), Everybody(), ports(TCP, Range{80, 90}), established),
		line(20, Deny, Peers{Masked: []Masked{{addr("10.0.0.0"), addr("0.255.0.255")}}, Entities: []Entity{World}, Selectors: []Selector{{{"a", NotIn, []string{"b"}}}}}, Peers{}))
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Policy
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, &back, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("read back differently from %s:\n%s", text, diff)
	}
}

func TestValidateRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*Policy){
		"no ACL name":    func(p *Policy) { p.ACL = "" },
		"direction":      func(p *Policy) { p.Direction = 0 },
		"family":         func(p *Policy) { p.Family = 8 },
		"both kinds":     func(p *Policy) { p.Subject.Interface = "eth0" },
		"no subject":     func(p *Policy) { p.Subject.Selectors = nil },
		"zero action":    func(p *Policy) { p.Rules[0].Action = 0 },
		"goto backwards": func(p *Policy) { p.Rules[0].Action = Next },
		"goto too far":   func(p *Policy) { p.Rules[0].Action, p.Rules[0].Goto = Next, 2 },
		"mixed families": func(p *Policy) { p.Rules[0].Match.Source.Addresses = []AddrRange{{addr("10.0.0.1"), addr("::1")}} },
		"reversed range": func(p *Policy) { p.Rules[0].Match.Source.Addresses = []AddrRange{{addr("10.0.0.2"), addr("10.0.0.1")}} },
		"mapped address": func(p *Policy) {
			p.Rules[0].Match.Source.Addresses = []AddrRange{{addr("::ffff:1.2.3.4"), addr("::ffff:1.2.3.4")}}
		},
		"unsorted ports":      func(p *Policy) { p.Rules[0].Match.Services[0].DestinationPorts = Ranges{{80, 80}, {22, 22}} },
		"operator and values": func(p *Policy) { p.Subject.Selectors[0][0].Op = Exists },
		"entity":              func(p *Policy) { p.Rules[0].Match.Source.Entities = []Entity{9} },
	} {
		p := list(line(10, Permit, Everybody(), Everybody(), AnyService()))
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(p)
		if err := p.Validate(); err == nil {
			t.Errorf("%s: accepted", want)
		}
	}
}
