package translate_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// TestTypeZero: Cilium reads ICMP type 0 as every type, so no rule names it
// without all others, and what is left out is reported.
func TestTypeZero(t *testing.T) {
	for _, c := range []struct {
		lines    string
		narrower bool // type 0 is left out and reported
	}{
		{"permit icmp any any", false},
		{"permit ip any any", false},
		{"permit tcp any any\n permit icmp any any echo-reply", true},
		{"permit icmp any any echo\n permit icmp any any echo-reply", true},
		{"deny icmp any any echo-reply\n permit icmp any any", false},
		{"deny icmp any any unreachable\n permit icmp any any", false},
		{"permit icmp 192.0.2.0 0.0.0.255 any echo\n permit icmp 192.0.2.0 0.0.0.127 any", false},
		{"deny icmp any any echo\n permit icmp host 192.0.2.1 any echo-reply\n permit tcp any any", true},
		{"deny tcp any any eq 23\n deny icmp any any echo-reply\n permit ip any any", false},
	} {
		config := "object-group network W\n workload namespace dev label app=w\nip access-list extended L\n " + c.lines + "\ninterface workload W\n ip access-group L out\n"
		tree, _, err := grammar.ParseFile("in.cfg", strings.NewReader(config))
		if err != nil {
			t.Fatal(err)
		}
		policies, _, err := translate.Compile(tree)
		if err != nil {
			t.Fatal(err)
		}
		stack, findings := translate.Order(policies, translate.OrderOptions{Target: translate.Cilium})
		lists := policy.Stack{{Combine: policy.Series, Policies: policies}}
		for _, p := range stack.Policies() {
			namesZeroAlone(t, c.lines, &p)
		}
		if len(stack.Policies()) == 0 {
			t.Errorf("%q: no object", c.lines)
		}
		reported := slices.ContainsFunc(findings, func(f policy.Finding) bool { return strings.Contains(f.Reason, "type 0") })
		lost := false
		for icmp := range 256 {
			p := messageTo(uint8(icmp))
			want, _ := lists.Judge(policy.Ingress, &p)
			got, _ := stack.Judge(policy.Ingress, &p)
			lost = lost || want == policy.Permit && got != policy.Permit && icmp == 0
			if want != got && (icmp != 0 || got == policy.Permit) {
				t.Errorf("%q: type %d: list %v, objects %v", c.lines, icmp, want, got)
			}
		}
		if lost && !reported {
			t.Errorf("%q: type 0 is left out in silence", c.lines)
		}
		if reported != c.narrower {
			t.Errorf("%q: reported %v, want %v: %v", c.lines, reported, c.narrower, findings)
		}
	}
}

func messageTo(icmp uint8) policy.Packet {
	return policy.Packet{
		Source:      policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.1")},
		Destination: policy.Endpoint{Addr: netip.MustParseAddr("10.1.0.1"), Labels: map[string]string{"app": "w", policy.NamespaceKey: "dev"}},
		Protocol:    policy.ICMP, ICMPType: icmp,
	}
}

func namesZeroAlone(t *testing.T, lines string, p *policy.Policy) {
	t.Helper()
	for _, r := range p.Rules {
		for _, s := range r.Match.Services {
			if !s.Protocols.All() && s.Protocols.Has(policy.ICMP) && s.ICMP.Has(0) && !s.ICMP.All() {
				t.Errorf("%q: a rule names type 0 with only %v", lines, s.ICMP)
			}
		}
	}
}
