package translate_test

import (
	"net/netip"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// TestPortGroups judges packets to every port around those of a group: the line
// speaks of the group's ports and of no other, and a group without members of
// none.
func TestPortGroups(t *testing.T) {
	const text = `object-group ip port PG
 eq 80
 range 90 95
 gt 65533
object-group ip port NONE
ip access-list extended A
 permit tcp any any portgroup NONE
 deny tcp any any portgroup PG
 deny tcp any portgroup PG any
 permit tcp any any
interface eth0
 ip access-group A in
`
	c, _, err := grammar.ParseDialect("x", strings.NewReader(text), grammar.IOS)
	if err != nil {
		t.Fatal(err)
	}
	policies, findings, err := translate.Compile(c)
	if err != nil || translate.Refused(findings) != nil || len(policies) != 1 {
		t.Fatal(policies, findings, err)
	}
	inGroup := func(port int) bool { return port == 80 || 90 <= port && port <= 95 || port > 65533 }
	ports := []int{0, 1, 79, 80, 81, 89, 90, 91, 95, 96, 65533, 65534, 65535}
	for _, from := range ports {
		for _, to := range ports {
			p := policy.Packet{
				Source: policy.Endpoint{Addr: netip.MustParseAddr("10.0.0.1")}, Destination: policy.Endpoint{Addr: netip.MustParseAddr("10.0.0.2")},
				Protocol: 6, SourcePort: uint16(from), DestinationPort: uint16(to), Flags: 2,
			}
			want := uint32(40)
			switch {
			case inGroup(to):
				want = 20
			case inGroup(from):
				want = 30
			}
			if _, line := policies[0].Eval(&p); policies[0].ID(line).Seq != want {
				t.Errorf("%d to %d: line %d, want %d", from, to, policies[0].ID(line).Seq, want)
			}
		}
	}
}
