package policy

import (
	"net/netip"
	"slices"
	"testing"
)

const vip = "10.96.0.1"

// towards gives a rule about what is sent to the peers, at ports when there
// are any.
func towards(seq uint32, action Action, to Peers, ports ...uint16) Rule {
	s := AnyService()
	if len(ports) > 0 {
		s = ServiceOf(Bytes(TCP))
		s.DestinationPorts = NewRanges(Range{First: ports[0], Last: ports[len(ports)-1]})
	}
	return Rule{ID: RuleID{ACL: "T", Seq: seq}, Action: action, Match: Match{Source: Everybody(), Destination: to, Services: []Service{s}}}
}

// The words are those of DESIGN: judged for each ready backend, at its target
// port; permitted only if all are. A line that names the address means the
// service.
func TestServicesAreJudgedByTheirBackends(t *testing.T) {
	app := func(name string) Peers {
		return Peers{Selectors: []Selector{{{Key: "app", Op: In, Values: []string{name}}}}}
	}
	at := func(s string) Peers {
		return Peers{Addresses: []AddrRange{PrefixRange(netip.MustParsePrefix(s))}}
	}
	backend := func(name, address string, port uint16) Backend {
		return Backend{Endpoint{Addr: addr(address), Labels: map[string]string{"app": name}}, port}
	}
	web1, web2, db := backend("web", "10.0.0.21", 8080), backend("web", "10.0.0.22", 8080), backend("db", "10.0.0.23", 8080)
	both := at(vip + "/32")
	both.Selectors = app("web").Selectors
	any := Everybody()
	for name, c := range map[string]struct {
		rules    []Rule
		backends []Backend
		accept   bool
		line     uint32 // 0: the implicit one, where the reason is a line
		reason   Reason
	}{
		"all permitted":               {[]Rule{towards(10, Permit, app("web"), 8080)}, []Backend{web1, web2}, true, 10, ByLine},
		"the port is the target's":    {[]Rule{towards(10, Permit, app("web"), 80)}, []Backend{web1}, false, 0, ByLine},
		"any is not the service":      {[]Rule{towards(10, Permit, any, 80)}, []Backend{web1}, false, 0, ByLine},
		"any deny is not the service": {[]Rule{towards(10, Deny, any, 80), towards(20, Permit, any)}, []Backend{web1}, true, 20, ByLine},
		"mixed":                       {[]Rule{towards(10, Permit, app("web")), towards(20, Deny, app("db"))}, []Backend{web1, db}, false, 20, MixedService},
		"mixed, the other order":      {[]Rule{towards(10, Permit, app("web")), towards(20, Deny, app("db"))}, []Backend{db, web1}, false, 20, MixedService},
		"none":                        {[]Rule{towards(10, Permit, app("web"))}, []Backend{db}, false, 0, ByLine},
		"no backend":                  {[]Rule{towards(10, Permit, any)}, nil, false, 0, NoBackend},
		"named":                       {[]Rule{towards(10, Permit, at(vip+"/32"), 80)}, []Backend{web1, db}, true, 10, ByLine},
		"named at another port":       {[]Rule{towards(10, Permit, at(vip+"/32"), 8080)}, []Backend{web1}, false, 0, ByLine},
		"named and denied":            {[]Rule{towards(10, Deny, at("10.96.0.0/16")), towards(20, Permit, any)}, []Backend{web1}, false, 10, ByLine},
		"denied before it is named":   {[]Rule{towards(10, Deny, app("web")), towards(20, Permit, at(vip+"/32"))}, []Backend{web1}, false, 10, ByLine},
		"a group denies both":         {[]Rule{towards(10, Deny, both), towards(20, Permit, any)}, []Backend{db}, false, 10, ByLine},
		"a group permits pods only":   {[]Rule{towards(10, Permit, both)}, []Backend{db}, false, 0, ByLine},
	} {
		list := &Policy{ACL: "T", Direction: Egress, Family: IPv4, Stateful: true, Rules: c.rules}
		g := NewGate(nil, []*Policy{list}, func(a netip.Addr) bool { return a == addr(podAddr) })
		g.SetServices(func(a netip.Addr, protocol uint8, port uint16) ([]Backend, bool) {
			return c.backends, a == addr(vip) && protocol == TCP && port == 80
		})
		p := Packet{Source: Endpoint{Addr: addr(podAddr)}, Destination: Endpoint{Addr: addr(vip)}, Protocol: TCP, SourcePort: 1024, DestinationPort: 80, Flags: SYN}
		got := g.Judge(Egress, &p, 0)
		lines := []RuleID{{ACL: "T", Seq: c.line}}
		if c.reason == NoBackend {
			lines = nil
		}
		if got.Accept != c.accept || got.Reason != c.reason || !slices.Equal(got.Lines, lines) {
			t.Errorf("%s: got %+v, want %v, %v, %s", name, got, c.accept, lines, c.reason)
		}
	}
}

// What is no port of a service is judged as it is, and where nothing filters
// what the pod sends, services do not.
func TestAddressesOfServicesAsTheyAre(t *testing.T) {
	own := func(a netip.Addr) bool { return a == addr(podAddr) }
	none := func(netip.Addr, uint8, uint16) ([]Backend, bool) { return nil, true }
	open := Policy{ACL: "T", Direction: Egress, Family: IPv4, Rules: []Rule{towards(10, Permit, Everybody())}}
	ping := Packet{Source: Endpoint{Addr: addr(podAddr)}, Destination: Endpoint{Addr: addr(vip)}, Protocol: ICMP, ICMPType: 8}
	segment := Packet{Source: ping.Source, Destination: ping.Destination, Protocol: TCP, SourcePort: 1, DestinationPort: 80, Flags: SYN}

	g := NewGate(nil, []*Policy{&open}, own)
	g.SetServices(none)
	if d := g.Judge(Egress, &ping, 0); !d.Accept {
		t.Errorf("ping: got %+v", d)
	}
	towardsPod := open
	towardsPod.Direction = Ingress
	g = NewGate([]*Policy{&towardsPod}, nil, own)
	g.SetServices(none)
	if d := g.Judge(Egress, &segment, 0); !d.Accept {
		t.Errorf("without a list for what the pod sends: got %+v", d)
	}
}

// A connection dies when a backend appears that it may not reach, replies
// included.
func TestConnectionsFollowTheBackends(t *testing.T) {
	list := &Policy{ACL: "T", Direction: Egress, Family: IPv4, Rules: []Rule{towards(10, Permit, Peers{Addresses: []AddrRange{PrefixRange(netip.MustParsePrefix("10.0.0.21/32"))}})}}
	nobody := &Policy{ACL: "N", Direction: Ingress, Family: IPv4}
	g := NewGate([]*Policy{nobody}, []*Policy{list}, func(a netip.Addr) bool { return a == addr(podAddr) })
	serve := func(backends ...string) {
		g.SetServices(func(a netip.Addr, _ uint8, _ uint16) (out []Backend, ok bool) {
			for _, b := range backends {
				out = append(out, Backend{Endpoint{Addr: addr(b)}, 8080})
			}
			return out, a == addr(vip)
		})
	}
	p := Packet{Source: Endpoint{Addr: addr(podAddr)}, Destination: Endpoint{Addr: addr(vip)}, Protocol: TCP, SourcePort: 1024, DestinationPort: 80, Flags: SYN}
	reply := Packet{Source: p.Destination, Destination: p.Source, Protocol: TCP, SourcePort: 80, DestinationPort: 1024, Flags: SYN | ACK}
	serve("10.0.0.21")
	if d := g.Judge(Egress, &p, 0); !d.Accept {
		t.Fatalf("got %+v", d)
	}
	if d := g.Judge(Ingress, &reply, 0); d.Reason != Reply {
		t.Errorf("reply: got %+v", d)
	}
	p.Flags = ACK
	serve("10.0.0.21", "10.0.0.22")
	if d := g.Judge(Ingress, &reply, 0); d.Accept {
		t.Errorf("reply after the change: got %+v", d)
	}
	if d := g.Judge(Egress, &p, 0); d.Reason != MixedService {
		t.Errorf("after the change: got %+v", d)
	}
}
