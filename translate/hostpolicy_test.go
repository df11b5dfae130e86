package translate_test

import (
	"net/netip"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

const selfText = `object-group network A
 workload namespace n label app=a
class-map type inspect match-any NTP
 match protocol ntp
policy-map type inspect TO-NODE
 class type inspect NTP
  inspect
zone security A
zone-pair security IN source A destination self
 service-policy type inspect TO-NODE
zone-pair security OUT source self destination A
interface workload A
 zone-member security A
`

// A pair with self stands on the nodes where these can be protected: its
// classes for the members of the zone, and everything for everybody else. A
// direction without a policy has none.
func TestNodesAreProtectedFromZones(t *testing.T) {
	c, _, err := grammar.ParseDialect("f", strings.NewReader(selfText), grammar.IOS)
	if err != nil {
		t.Fatal(err)
	}
	policies, _, err := translate.Options{HostPolicies: true}.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	node := policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.1"), Entity: policy.Host, Node: map[string]string{"kubernetes.io/hostname": "n1"}}
	member, other := podAt("n", "a", "10.1.0.1"), podAt("n", "b", "10.1.0.2")
	clusterwide, _ := translate.TargetNamed("cilium-clusterwide")
	stack, findings := translate.Order(policies, translate.OrderOptions{Target: clusterwide})
	if err := translate.Refused(findings); err != nil {
		t.Error(err)
	}
	for _, row := range []struct {
		want     bool
		from     policy.Endpoint
		protocol uint8
		port     uint16
	}{
		{true, member, policy.UDP, 123}, {false, member, policy.TCP, 10250}, {true, other, policy.TCP, 10250},
		{true, outside("198.51.100.1"), policy.TCP, 6443}, {true, policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.2"), Entity: policy.RemoteNode}, policy.TCP, 10250},
	} {
		p := opens(row.from, node, row.protocol, row.port)
		if got, id := permits(policies, policy.Ingress, p); got != row.want {
			t.Errorf("%+v: %v by %v", p, got, id)
		}
		if got, id := stack.Judge(policy.Ingress, p); (got == policy.Permit) != row.want {
			t.Errorf("%s: %+v: %v by %v", clusterwide.Name, p, got, id)
		}
	}
	for _, p := range policies {
		if p.Subject.Nodes && p.Direction == policy.Egress {
			t.Errorf("self to A has no policy, but %s stands on the nodes", p.ACL)
		}
	}
	without, _, _ := translate.Compile(c)
	for _, p := range without {
		if p.Subject.Nodes {
			t.Errorf("%s stands on the nodes without being asked for", p.ACL)
		}
	}
}
