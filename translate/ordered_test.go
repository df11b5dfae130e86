package translate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/policy"
)

func in(key string, values ...string) policy.Term {
	return policy.Term{Key: key, Op: policy.In, Values: values}
}

func pods(terms ...policy.Term) policy.Peers {
	return policy.Peers{Selectors: []policy.Selector{terms}}
}

func hosts(cidr string) policy.Peers {
	return policy.Peers{Addresses: []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix(cidr))}}
}

func tcp(ports policy.Ranges) policy.Service {
	s := policy.ServiceOf(policy.Bytes(policy.TCP))
	s.DestinationPorts = ports
	return s
}

// towards gives a list on the pods "app=w" of the namespace shop.
func towards(d policy.Direction, rules ...policy.Rule) policy.Policy {
	p := policy.Policy{
		ACL: "L", Direction: d, Family: policy.IPv4, Stateful: true, Rules: rules,
		Subject: policy.Subject{Name: "workload W", Selectors: []policy.Selector{{in("app", "w"), in(policy.NamespaceKey, "shop")}}},
	}
	for i := range p.Rules {
		p.Rules[i].ID = policy.RuleID{ACL: "L", Seq: uint32(10 * (i + 1))}
		p.Rules[i].Match.Destination = policy.Everybody()
		if d == policy.Egress {
			p.Rules[i].Match.Source, p.Rules[i].Match.Destination = p.Rules[i].Match.Destination, p.Rules[i].Match.Source
		}
	}
	return p
}

func line(a policy.Action, peers policy.Peers, s ...policy.Service) policy.Rule {
	return policy.Rule{Action: a, Match: policy.Match{Source: peers, Services: s}}
}

func order(t translate.Target, lists ...policy.Policy) (policy.Stack, []policy.Finding) {
	return translate.Order(lists, translate.OrderOptions{Target: t, ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
}

// wantRefused wants that the list is refused as a whole, for the reason.
func wantRefused(t *testing.T, s policy.Stack, findings []policy.Finding, reason string) {
	t.Helper()
	if n := len(s.Policies()); n > 0 {
		t.Errorf("%d policies, want none", n)
	}
	if !slices.ContainsFunc(findings, func(f policy.Finding) bool {
		return f.ID.Seq == 0 && f.State == policy.Refused && strings.Contains(f.Reason, reason)
	}) {
		t.Errorf("findings %+v, want a refusal with %q", findings, reason)
	}
}

// TestClusterNetworkPolicyIsCut: no policy has more than 25 rules, no rule more
// than 25 ranges of ports or 25 peers of 25 networks, and what is cut means the
// same in the same order.
func TestClusterNetworkPolicyIsCut(t *testing.T) {
	var even policy.Ranges
	for p := uint16(2); p < 140; p += 2 {
		even = append(even, policy.Range{First: p, Last: p})
	}
	far := hosts("198.51.100.0/32")
	for i := range 700 {
		a := netip.AddrFrom4([4]byte{100, byte(i / 120), byte(i % 120 * 2), 1})
		far.Addresses = append(far.Addresses, policy.AddrRange{First: a, Last: a})
	}
	rules := []policy.Rule{line(policy.Deny, far, tcp(even))}
	for i := range 60 {
		rules = append(rules, line(policy.Permit, hosts(fmt.Sprintf("203.0.113.%d/32", i)), tcp(policy.AllNumbers())))
	}
	list := towards(policy.Egress, rules...)
	stack, _ := order(translate.ClusterNetworkPolicy, list)
	policies := stack.Policies()
	if len(policies) < 3 {
		t.Fatalf("%d policies, want the list in several", len(policies))
	}
	for _, p := range policies {
		if len(p.Rules) == 0 || len(p.Rules) > 25 || !p.Open {
			t.Errorf("a policy of %d rules, open %v", len(p.Rules), p.Open)
		}
		for _, r := range p.Rules {
			ports := 0
			for _, s := range r.Match.Services {
				ports += len(s.DestinationPorts)
			}
			if ports > 25 || len(r.Match.Destination.Addresses) > 625 {
				t.Errorf("%d ranges of ports, %d networks", ports, len(r.Match.Destination.Addresses))
			}
		}
	}
	subject := policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.9"), Labels: map[string]string{"app": "w", policy.NamespaceKey: "shop"}}
	for _, to := range []string{"100.0.0.1", "100.5.198.1", "203.0.113.0", "203.0.113.59", "203.0.113.60"} {
		for _, port := range []uint16{2, 3, 138, 139} {
			p := policy.Packet{Source: subject, Destination: policy.Endpoint{Addr: netip.MustParseAddr(to)}, Protocol: policy.TCP, DestinationPort: port, Flags: policy.SYN}
			want, _ := list.Eval(&p)
			if got, _ := stack.Judge(policy.Egress, &p); got != want {
				t.Errorf("%s port %d: %v, want %v", to, port, got, want)
			}
		}
	}
}

// TestPrioritiesRunOut: a list that needs more policies than there are
// priorities is refused with the number.
func TestPrioritiesRunOut(t *testing.T) {
	rules := make([]policy.Rule, 25100)
	for i := range rules {
		a := netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)})
		rules[i] = line(policy.Permit, policy.Peers{Addresses: []policy.AddrRange{{First: a, Last: a}}}, tcp(policy.NewRanges(policy.Range{First: 1 + uint16(i), Last: 1 + uint16(i)})))
	}
	stack, findings := order(translate.ClusterNetworkPolicy, towards(policy.Egress, rules...))
	wantRefused(t, stack, findings, "needs 1005 policies of 25 rules, and 1001 of the 1001 priorities are left")
}

// TestDenyThatCannotBeSaid: Calico has no word for addresses under a mask of too
// many prefixes. Such a deny goes when no later permit can meet it.
func TestDenyThatCannotBeSaid(t *testing.T) {
	masked := policy.Peers{Masked: []policy.Masked{{Addr: netip.MustParseAddr("192.0.2.1"), Wildcard: netip.MustParseAddr("170.170.170.0")}}}
	all, web := tcp(policy.AllNumbers()), tcp(policy.NewRanges(policy.Range{First: 80, Last: 80}))
	udp := policy.ServiceOf(policy.Bytes(policy.UDP))
	stack, findings := order(translate.Calico, towards(policy.Egress, line(policy.Deny, masked, udp), line(policy.Permit, hosts("192.0.2.0/24"), web)))
	if len(stack.Policies()) != 1 || slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.State == policy.Refused }) {
		t.Errorf("a deny that no permit meets: %+v", findings)
	}
	stack, findings = order(translate.Calico, towards(policy.Egress, line(policy.Deny, masked, all), line(policy.Permit, policy.Everybody(), web)))
	wantRefused(t, stack, findings, "line 10 cannot be left out: the mask 170.170.170.0 stands for more than 256 prefixes")
}

// TestLabelsWithoutAWord: a NetworkPolicy cannot tell pods apart by their
// service account. As a label it would be another pod's.
func TestLabelsWithoutAWord(t *testing.T) {
	account := pods(in("io.cilium.k8s.policy.serviceaccount", "robot"))
	all := tcp(policy.AllNumbers())
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.ClusterNetworkPolicy} {
		stack, findings := order(target, towards(policy.Egress, line(policy.Permit, account, all), line(policy.Permit, pods(in("app", "web")), all)))
		if len(stack.Policies()) != 1 || !slices.ContainsFunc(findings, func(f policy.Finding) bool {
			return f.ID.Seq == 10 && f.State == policy.Refused && strings.Contains(f.Reason, "service account")
		}) {
			t.Errorf("%s: %+v", target.Name, findings)
		}
		for _, p := range stack.Policies() {
			if text := fmt.Sprint(p.Rules); strings.Contains(text, "robot") {
				t.Errorf("%s: the account is written: %s", target.Name, text)
			}
		}
		stack, findings = order(target, towards(policy.Egress, line(policy.Deny, account, all), line(policy.Permit, policy.Everybody(), all)))
		wantRefused(t, stack, findings, "service account")
		own := towards(policy.Egress, line(policy.Permit, policy.Everybody(), all))
		own.Subject.Selectors[0] = append(own.Subject.Selectors[0], in("io.cilium.k8s.policy.serviceaccount", "robot"))
		stack, findings = order(target, own)
		wantRefused(t, stack, findings, "service account")
	}
	for _, target := range []translate.Target{translate.Calico, translate.Cilium} {
		stack, _ := order(target, towards(policy.Egress, line(policy.Permit, account, all)))
		if len(stack.Policies()) != 1 {
			t.Errorf("%s refuses a service account", target.Name)
		}
	}
}

// TestSubjectByItsNamespace: labels of a namespace select the pods of objects
// that live in none, and are no labels of the pods.
func TestSubjectByItsNamespace(t *testing.T) {
	p := towards(policy.Ingress, line(policy.Permit, hosts("192.0.2.0/24"), tcp(policy.AllNumbers())), line(policy.Permit, pods(in("app", "web")), policy.AnyService()))
	p.Subject.Selectors = []policy.Selector{{in("app", "w"), in("io.cilium.k8s.namespace.labels.team", "blue"), in(policy.NamespaceKey, "shop")}}
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.ClusterNetworkPolicy} {
		stack, findings := order(target, p)
		wantRefused(t, stack, findings, "labels of its namespace")
	}
	for _, target := range []translate.Target{translate.Calico, translate.CiliumClusterwide, translate.Enforcer} {
		if stack, findings := order(target, p); len(stack.Policies()) != 1 {
			t.Errorf("%s: %+v", target.Name, findings)
		}
	}
}

// TestEnforcerLeavesOut: what a node cannot see is left out, jumps still lead to
// the line that they led to, and a deny of that kind keeps its list out.
func TestEnforcerLeavesOut(t *testing.T) {
	all := tcp(policy.AllNumbers())
	names := policy.Peers{FQDNs: []string{"example.com"}}
	beyond := policy.Peers{Outside: []policy.AddrRange{policy.PrefixRange(netip.MustParsePrefix("203.0.113.0/24"))}}
	list := towards(policy.Egress,
		line(policy.Next, hosts("192.0.2.0/24"), all), line(policy.Permit, beyond, all), line(policy.Deny, policy.Everybody(), all), line(policy.Permit, hosts("192.0.2.0/24"), all))
	list.Rules[0].Goto = 3
	stack, findings := order(translate.Enforcer, list)
	if len(stack.Policies()) != 1 || len(stack.Policies()[0].Rules) != 3 || stack.Policies()[0].Rules[0].Goto != 2 {
		t.Fatalf("stack %+v, findings %+v", stack, findings)
	}
	if !slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.ID.Seq == 20 && f.State == policy.Refused }) {
		t.Errorf("line 20 is lost in silence: %+v", findings)
	}
	stack, findings = order(translate.Enforcer, towards(policy.Egress, line(policy.Deny, names, all), line(policy.Permit, policy.Everybody(), all)))
	wantRefused(t, stack, findings, "sees no fqdn in a line that does not permit")
	stack, findings = order(translate.Enforcer, towards(policy.Egress, line(policy.Permit, beyond, all)))
	wantRefused(t, stack, findings, "would deny everything")
	node := towards(policy.Egress, line(policy.Permit, names, all))
	if stack, findings = order(translate.Enforcer, node); len(stack.Policies()) != 1 {
		t.Errorf("a permit by a name: stack %+v, findings %+v", stack, findings)
	}
	node.Subject = policy.Subject{Name: "eth0", Interface: "eth0"}
	stack, findings = order(translate.Enforcer, node)
	wantRefused(t, stack, findings, "would deny everything")
	if !slices.ContainsFunc(findings, func(f policy.Finding) bool {
		return strings.Contains(f.Reason, "learns names on the ports of pods alone")
	}) {
		t.Errorf("a node's own interface: %+v", findings)
	}
}

// TestNodesAsSubject: host policies exist in Cilium alone, and their selectors
// never mix with those of pods.
func TestNodesAsSubject(t *testing.T) {
	node := towards(policy.Ingress, line(policy.Permit, hosts("192.0.2.0/24"), tcp(policy.AllNumbers())))
	node.ACL, node.Subject = "SELF", policy.Subject{Name: "zone self", Nodes: true, Selectors: []policy.Selector{{}}}
	node.Rules[0].ID.ACL = "SELF"
	pod := towards(policy.Ingress, line(policy.Permit, hosts("198.51.100.0/24"), tcp(policy.AllNumbers())))
	stack, findings := order(translate.CiliumClusterwide, node, pod)
	if all := stack.Policies(); len(all) != 2 || all[0].Subject.Nodes == all[1].Subject.Nodes || all[0].ACL == all[1].ACL {
		t.Fatalf("stack %+v, findings %+v", stack, findings)
	}
	for _, target := range []translate.Target{translate.NetworkPolicy, translate.Cilium, translate.Calico, translate.ClusterNetworkPolicy} {
		stack, findings := order(target, node)
		wantRefused(t, stack, findings, "a node is the subject")
	}
}

// TestFamiliesOfCalico: the family that no list governs passes, lists of both
// families stand one behind the other, and nothing is narrower.
func TestFamiliesOfCalico(t *testing.T) {
	all := tcp(policy.AllNumbers())
	four := towards(policy.Ingress, line(policy.Deny, pods(in("app", "web")), all), line(policy.Permit, policy.Everybody(), all))
	six := towards(policy.Ingress, line(policy.Permit, pods(in("app", "web")), all))
	six.ACL, six.Family = "SIX", policy.IPv6
	packet := func(from string, labels map[string]string) *policy.Packet {
		to := "10.1.0.9"
		if strings.Contains(from, ":") {
			to = "fd00::9"
		}
		return &policy.Packet{
			Source:      policy.Endpoint{Addr: netip.MustParseAddr(from), Labels: labels},
			Destination: policy.Endpoint{Addr: netip.MustParseAddr(to), Labels: map[string]string{"app": "w", policy.NamespaceKey: "shop"}},
			Protocol:    policy.TCP, DestinationPort: 80, Flags: policy.SYN,
		}
	}
	web := map[string]string{"app": "web", policy.NamespaceKey: "shop"}
	for _, c := range []struct {
		lists  []policy.Policy
		packet *policy.Packet
		want   policy.Action
	}{
		{[]policy.Policy{four}, packet("10.1.0.1", web), policy.Deny},
		{[]policy.Policy{four}, packet("192.0.2.1", nil), policy.Permit},
		{[]policy.Policy{four}, packet("fd00::1", web), policy.Permit},
		{[]policy.Policy{four, six}, packet("10.1.0.1", web), policy.Deny},
		{[]policy.Policy{four, six}, packet("fd00::1", web), policy.Permit},
		{[]policy.Policy{four, six}, packet("2001:db8::1", nil), policy.Deny},
	} {
		stack, findings := order(translate.Calico, c.lists...)
		if got, _ := stack.Judge(policy.Ingress, c.packet); got != c.want {
			t.Errorf("%d lists, from %v: %v, want %v", len(c.lists), c.packet.Source, got, c.want)
		}
		if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.State != policy.NoEffect }) {
			t.Errorf("%d lists: %+v", len(c.lists), findings)
		}
	}
}

// TestCarrier names the first target that carries what is lacking.
func TestCarrier(t *testing.T) {
	fromDNS := policy.ServiceOf(policy.Bytes(policy.UDP))
	fromDNS.SourcePorts = policy.NewRanges(policy.Range{First: 53, Last: 53})
	list := towards(policy.Ingress, line(policy.Deny, policy.Everybody(), fromDNS), line(policy.Permit, policy.Everybody(), policy.AnyService()))
	o := translate.OrderOptions{Target: translate.NetworkPolicy}
	_, findings := translate.Order([]policy.Policy{list}, o)
	advice := translate.Advise([]policy.Policy{list}, o, findings)
	for _, f := range findings {
		if other, ok := advice.Carrier(f); f.State == policy.Refused && (!ok || other.Name != "calico") {
			t.Errorf("%+v: %q, want calico", f, other.Name)
		}
	}
}

// TestCalicoIsCut: a list that is too long for one object becomes several, which
// decide in its order.
func TestCalicoIsCut(t *testing.T) {
	var rules []policy.Rule
	for i := range 6000 {
		a := line(policy.Permit, hosts(fmt.Sprintf("100.%d.%d.0/25", i>>8, i&255)), tcp(policy.AllNumbers()))
		if i%2 == 0 {
			a.Action = policy.Deny
		}
		rules = append(rules, a)
	}
	list := towards(policy.Egress, append(rules, line(policy.Permit, hosts("100.0.0.0/8"), tcp(policy.AllNumbers())))...)
	stack, findings := order(translate.Calico, list)
	if n := len(stack.Policies()); n < 3 || n > 10 {
		t.Fatalf("%d policies, %+v", n, findings)
	}
	for _, to := range []string{"100.0.0.1", "100.0.0.200", "100.0.1.1", "100.23.110.1", "100.23.111.1", "101.0.0.1"} {
		p := policy.Packet{
			Source:      policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.9"), Labels: map[string]string{"app": "w", policy.NamespaceKey: "shop"}},
			Destination: policy.Endpoint{Addr: netip.MustParseAddr(to)}, Protocol: policy.TCP, DestinationPort: 1, Flags: policy.SYN,
		}
		want, _ := list.Eval(&p)
		if got, _ := stack.Judge(policy.Egress, &p); got != want {
			t.Errorf("%s: %v, want %v", to, got, want)
		}
	}
}
