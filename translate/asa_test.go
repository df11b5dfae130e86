package translate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate/policy"
)

func asaConfig(t testing.TB, text string) *grammar.Config {
	t.Helper()
	c, _, err := grammar.ParseDialect("fw", strings.NewReader(text), grammar.ASA)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

const asaGroups = `name 10.0.0.6 web
object network H
 host 10.0.0.1
object network S
 subnet 10.0.1.0 255.255.255.0
object network R
 range 10.0.0.3 10.0.0.9
object network X
 subnet 2001:db8::/64
object service OS
 service tcp source gt 1024 destination eq 80
object-group network N1
 network-object object H
 network-object host web
 group-object N2
object-group network N2
 network-object 2001:db8::/126
 network-object object S
object-group network EMPTY
object-group service SVC
 service-object tcp destination eq 443
 service-object udp source eq 53
 service-object icmp echo
 service-object icmp6 echo
 service-object object OS
 service-object tcp-udp destination range 1 3
object-group service PT tcp
 port-object eq 80
 port-object range 1 3
 group-object PT2
object-group service PT2 tcp
 port-object eq 443
object-group service PB tcp-udp
 port-object eq 53
object-group protocol TU
 protocol-object tcp
 protocol-object udp
object-group icmp-type IT
 icmp-object echo
 icmp-object unreachable 3
`

var (
	asaAddresses = []string{
		"any", "any4", "any6", "host 10.0.0.1", "host web", "10.0.0.0 255.255.0.0", "2001:db8::/64", "host 2001:db8::1", "object H", "object S", "object R",
		"object X", "object-group N1", "object-group N2", "object-group EMPTY",
	}
	asaHeads = []struct {
		head string
		// ports are the groups of ports that may follow.
		ports []string
		last  []string
	}{
		{"ip", nil, nil}, {"tcp", []string{"PT", "PT2", "PB"}, nil}, {"udp", []string{"PB"}, nil}, {"object-group TU", []string{"PB"}, nil},
		{"object-group SVC", nil, nil}, {"object OS", nil, nil}, {"gre", nil, nil},
		{"icmp", nil, []string{"", " echo", " 3 3", " object-group IT"}}, {"icmp6", nil, []string{"", " echo", " neighbor-solicitation"}},
	}
)

func randomASALine(r *rand.Rand) string {
	h := asaHeads[r.IntN(len(asaHeads))]
	ports := func() string {
		switch {
		case h.ports == nil || r.IntN(2) == 0:
			return ""
		case r.IntN(2) == 0:
			return " object-group " + h.ports[r.IntN(len(h.ports))]
		}
		return []string{" eq 80", " neq 80", " lt 3", " gt 1024", " range 2 60"}[r.IntN(5)]
	}
	line := "permit " + h.head + " " + asaAddresses[r.IntN(len(asaAddresses))] + ports() + " " + asaAddresses[r.IntN(len(asaAddresses))] + ports()
	if h.last != nil {
		line += h.last[r.IntN(len(h.last))]
	}
	return line
}

func randomASAPacket(r *rand.Rand) *policy.Packet {
	v4 := []string{"10.0.0.1", "10.0.0.3", "10.0.0.6", "10.0.1.9", "10.1.0.1"}
	all := v4
	protocols := []uint8{policy.TCP, policy.UDP, policy.ICMP, 47}
	if r.IntN(3) == 0 {
		all, protocols[2] = []string{"2001:db8::1", "2001:db8::3", "2001:db8::99", "2001:db9::1"}, policy.ICMPv6
	}
	port := func() uint16 { return []uint16{0, 1, 2, 3, 53, 80, 443, 1024, 1025, 65535}[r.IntN(10)] }
	end := func() policy.Endpoint { return policy.Endpoint{Addr: netip.MustParseAddr(all[r.IntN(len(all))])} }
	p := &policy.Packet{Source: end(), Destination: end(), Protocol: protocols[r.IntN(4)]}
	switch p.Protocol {
	case policy.TCP, policy.UDP:
		p.SourcePort, p.DestinationPort = port(), port()
	case policy.ICMP, policy.ICMPv6:
		p.ICMPType, p.ICMPCode = []uint8{0, 3, 8, 128, 135}[r.IntN(5)], uint8(r.IntN(2)*3)
	}
	return p
}

// An asaWalk reads a line as an ASA does: member by member.
type asaWalk struct {
	c *grammar.Config
	p *policy.Packet
}

func (w asaWalk) fits(a *grammar.ACE) bool {
	return !a.Inactive && w.end(a.Source, w.p.Source.Addr) && w.end(a.Destination, w.p.Destination.Addr) && w.service(a) &&
		w.port(a.SourcePorts, w.p.SourcePort) && w.port(a.DestinationPorts, w.p.DestinationPort)
}

func (w asaWalk) end(a grammar.Address, ip netip.Addr) bool {
	switch {
	case a.Kind == grammar.AddressGroup || a.Kind == grammar.AddressObject:
		return w.member(a.Group.Text, ip)
	case !a.Addr.IsValid():
		return true
	}
	return under(a.Addr, a.Wildcard, ip)
}

func under(base, wildcard, ip netip.Addr) bool {
	if base.BitLen() != ip.BitLen() {
		return false
	}
	for i, b := range ip.AsSlice() {
		if (b^base.AsSlice()[i])&^wildcard.AsSlice()[i] != 0 {
			return false
		}
	}
	return true
}

func (w asaWalk) member(group string, ip netip.Addr) bool {
	for _, m := range w.c.ObjectGroup(group).Members {
		var in bool
		switch m.Kind {
		case grammar.HostMember:
			in = m.First == ip
		case grammar.SubnetMember:
			in = under(m.First, m.Wildcard, ip)
		case grammar.RangeMember:
			in = m.First.BitLen() == ip.BitLen() && !ip.Less(m.First) && !m.Last.Less(ip)
		default:
			in = w.member(m.Group.Text, ip)
		}
		if in {
			return true
		}
	}
	return false
}

func (w asaWalk) service(a *grammar.ACE) bool {
	switch {
	case a.ServiceGroup.Text != "":
		return w.inServices(a.ServiceGroup.Text)
	case a.ICMPGroup.Text != "":
		return w.p.Protocol == a.Protocol.Number && w.inServices(a.ICMPGroup.Text)
	}
	return w.says(&grammar.Service{Protocols: []grammar.Protocol{a.Protocol}, ICMP: a.ICMP})
}

func (w asaWalk) inServices(group string) bool {
	for _, m := range w.c.ObjectGroup(group).Members {
		if m.Group.Text != "" && w.inServices(m.Group.Text) || m.Group.Text == "" && w.says(m.Service) {
			return true
		}
	}
	return false
}

func (w asaWalk) says(s *grammar.Service) bool {
	for _, n := range s.Protocols {
		if n.Any || n.Number == w.p.Protocol {
			i := s.ICMP
			return (i == nil || i.Type == w.p.ICMPType && (i.Code < 0 || uint8(i.Code) == w.p.ICMPCode)) &&
				w.port(s.Source, w.p.SourcePort) && w.port(s.Destination, w.p.DestinationPort)
		}
	}
	return false
}

func (w asaWalk) port(c grammar.Compare, port uint16) bool {
	if c.Op == grammar.InGroup {
		for _, m := range w.c.ObjectGroup(c.Group.Text).Members {
			if m.Group.Text != "" && w.port(grammar.Compare{Op: grammar.InGroup, Group: m.Group}, port) || m.Group.Text == "" && w.port(m.Ports, port) {
				return true
			}
		}
		return false
	}
	v := func(i int) uint16 { return uint16(c.Values[i].Number) }
	switch c.Op {
	case grammar.Eq:
		return port == v(0)
	case grammar.Neq:
		return port != v(0)
	case grammar.Lt:
		return port < v(0)
	case grammar.Gt:
		return port > v(0)
	case grammar.Range:
		return v(0) <= port && port <= v(1)
	}
	return true
}

// TestASALinesMeanTheirElements compares the sets of random lines with a walk
// over the members of their groups, for packets of both families.
func TestASALinesMeanTheirElements(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	hits := 0
	for range 600 {
		line := randomASALine(r)
		c := asaConfig(t, asaGroups+"access-list L extended "+line+"\n")
		meaning, ace := MeaningOf(c), c.ACL("L").Entries[0].ACE
		match := meaning.Match(ace)
		if errs := meaning.Mistakes(); len(errs) > 0 {
			t.Fatalf("%s: %v", line, errs)
		}
		p := policy.Policy{Family: policy.Dual, Rules: []policy.Rule{{Action: policy.Permit, Match: match}}}
		for range 200 {
			packet := randomASAPacket(r)
			action, _ := p.Eval(packet)
			want := asaWalk{c, packet}.fits(ace)
			if want {
				hits++
			}
			if got := action == policy.Permit; got != want {
				t.Fatalf("%s: %+v: %v, want %v\n%+v", line, packet, got, want, match)
			}
		}
	}
	if hits < 1000 {
		t.Errorf("only %d packets matched", hits)
	}
}

// TestASARefuses holds lines that no policy can say to the reason, and names
// that are not defined or are of another kind to their error.
func TestASARefuses(t *testing.T) {
	for line, want := range map[string]string{
		"permit ip any interface outside":                "interface outside is not supported",
		"permit ip any object-group-network-service N":   "object-group-network-service N is not supported",
		"permit ip user joe any any":                     "user joe is not supported",
		"permit ip security-group tag 7 any any":         "security groups are not supported",
		"permit ip any object-group-security G any":      "security groups are not supported",
		"permit ip any any time-range T":                 "time-range is not supported",
		"permit ip any object FQDN":                      "fqdn www.example.com has no addresses",
		"permit ip any object-group WITHFQDN":            "fqdn www.example.com has no addresses",
		"permit object-group ICMPTOO any any eq 80":      "ports stand behind a protocol that has none",
		"permit icmp6 any any object-group IT":           "holds types of ICMP, which stand behind another protocol",
		"permit ip any object NOWHERE":                   "object NOWHERE is not defined",
		"permit ip any object HH":                        "did you mean H at",
		"permit ip any object N1":                        "object N1 holds addresses, want one address",
		"permit ip any object-group H":                   "object-group H holds an address, want addresses",
		"permit ip any object-group SVC":                 "object-group SVC holds services, want addresses",
		"permit object-group N1 any any":                 "object-group N1 holds addresses, want services",
		"permit object N1 any any":                       "object N1 holds addresses, want services",
		"permit udp any any object-group PT":             "object-group PT holds ports of another protocol",
		"permit object-group TU any any object-group PT": "object-group PT holds ports of another protocol",
		"permit tcp any any object-group TU":             "object-group TU holds protocols, want ports",
		"permit icmp any any object-group N1":            "object-group N1 holds addresses, want ICMP types",
		"permit object icmp-echo any any":                "object icmp-echo is not defined",
	} {
		const more = "object network FQDN\n fqdn www.example.com\nobject-group network WITHFQDN\n network-object object FQDN\n network-object host 10.0.0.1\n" +
			"object-group protocol ICMPTOO\n protocol-object icmp\n protocol-object tcp\n"
		c := asaConfig(t, asaGroups+more+"access-list L extended "+line+"\naccess-group L in interface outside\n")
		policies, findings, err := Compile(c)
		got := fmt.Sprint(err)
		for _, f := range findings {
			got += "\n" + f.Reason
		}
		if len(policies) > 0 || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestASAListsAreNotApplied: nothing stands behind the interfaces of an ASA, so
// that what is bound there must be refused and not be left out in silence.
func TestASAListsAreNotApplied(t *testing.T) {
	c := asaConfig(t, asaGroups+"access-list L extended permit tcp any any\naccess-list L extended permit ip any any inactive\n"+
		"access-list M extended permit tcp any any\naccess-list U extended permit ip any any\naccess-group L in interface outside\naccess-group M global\n")
	policies, findings, err := Compile(c)
	if err != nil || len(policies) > 0 {
		t.Fatal(policies, err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s %d %s: %s", f.ID.ACL, f.ID.Seq, f.State, f.Reason))
	}
	want := "L 2 no-effect: the line is inactive\n" +
		"U 0 no-effect: not applied: no interface and no zone-pair uses the list\n" +
		"L 0 refused: not applied: no workload stands behind interface outside of an ASA: name the one that it faces (interfaces: in an inventory), or take the list as a router's between everyone (--transit L)\n" +
		"M 0 refused: not applied: no workload stands behind any interface of an ASA: name the one that it faces (interfaces: in an inventory), or take the list as a router's between everyone (--transit M)"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if Refused(findings) == nil {
		t.Error("the lists are pushed to nodes as if they did not exist")
	}
}

// TestASAGroupsThatDouble: groups that hold each other twice over stay small.
func TestASAGroupsThatDouble(t *testing.T) {
	var b strings.Builder
	for _, kind := range []struct{ head, leaf string }{
		{"object-group network N", " network-object host 10.0.0.1\n"}, {"object-group service S", " service-object tcp destination eq 80\n"},
	} {
		name := kind.head[len(kind.head)-1:]
		fmt.Fprintf(&b, "%s0A\n%s%s0B\n%s", kind.head, kind.leaf, kind.head, kind.leaf)
		for i := range 40 {
			for _, half := range "AB" {
				fmt.Fprintf(&b, "%s%d%c\n group-object %s%dA\n group-object %s%dB\n", kind.head, i+1, half, name, i, name, i)
			}
		}
	}
	b.WriteString("access-list L extended permit ip any object-group N40A\naccess-list L extended permit object-group S40A any any\naccess-group L global\n")
	_, _, err := Compile(asaConfig(t, b.String()))
	if err == nil || !strings.Contains(err.Error(), "holds more than 65536 services") {
		t.Errorf("error %v", err)
	}
}
