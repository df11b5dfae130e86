package translate_test

import (
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/policy"
)

// endsText is a list on what leaves the pods of A; the line stands for %.
const endsText = `object-group network A
 workload namespace n label app=a
object-group network DNS
 workload namespace kube-system label k8s-app=kube-dns
object-group network NAMES
 fqdn api.example.com
 fqdn *.example.org
object-group network KUBE
 entity kube-apiserver
object-group network WORLD
 entity world
object-group network WEST
 workload namespace n label io.cilium.k8s.policy.cluster=west
ip access-list extended X
 permit udp any object-group DNS eq domain
 %
interface workload A
 ip access-group X in
`

// Who is named by a role, by the DNS or by another cluster is said by the
// targets that know such ends, and left out by the others, which name the line.
func TestEndsOfEachTarget(t *testing.T) {
	named := outside("203.0.113.1")
	named.Names = []string{"api.example.com"}
	api := outside("203.0.113.2")
	api.Entity = policy.KubeAPIServer
	west := podAt("n", "x", "10.2.0.1")
	west.Labels["io.cilium.k8s.policy.cluster"] = "west"
	for _, row := range []struct {
		line     string
		to       policy.Endpoint
		port     uint16
		saidBy   string
		deniedTo policy.Endpoint
	}{
		{"permit tcp any object-group NAMES eq 443", named, 443, "cilium cilium-clusterwide enforcer", outside("203.0.113.1")},
		{"permit tcp any object-group KUBE eq 6443", api, 6443, "cilium cilium-clusterwide enforcer", outside("203.0.113.2")},
		{"permit tcp any object-group WORLD eq 443", named, 443, "cilium cilium-clusterwide enforcer", west},
		{"permit tcp any object-group WEST eq 443", west, 443, "cilium cilium-clusterwide enforcer", podAt("n", "x", "10.2.0.1")},
	} {
		_, policies, findings := compiled(t, strings.Replace(endsText, "%", row.line, 1))
		if err := translate.Refused(findings); err != nil {
			t.Fatal(err)
		}
		for _, target := range translate.Targets() {
			stack, more := translate.Order(policies, translate.OrderOptions{Target: target})
			said := strings.Contains(" "+row.saidBy+" ", " "+target.Name+" ")
			p := opens(podAt("n", "a", "10.1.0.1"), row.to, policy.TCP, row.port)
			got, _ := stack.Judge(policy.Egress, p)
			if refused := refusedLine(more, 20); refused == said || translate.Refused(more) != nil || (got == policy.Permit) != said {
				t.Errorf("%s with %s: refused %v, %v: %v", row.line, target.Name, refused, got, more)
			}
			p.Destination = row.deniedTo
			if got, id := stack.Judge(policy.Egress, p); got == policy.Permit {
				t.Errorf("%s with %s permits %+v by %v", row.line, target.Name, p.Destination, id)
			}
		}
	}
}

func refusedLine(findings []policy.Finding, seq uint32) bool {
	for _, f := range findings {
		if f.ID.Seq == seq && f.State == policy.Refused {
			return true
		}
	}
	return false
}

// A deny of names may not be lost: what it denies would pass by the next line.
func TestDenyOfNamesRefusesTheList(t *testing.T) {
	_, policies, _ := compiled(t, strings.Replace(endsText, "%", "deny tcp any object-group NAMES\n permit tcp any any eq 443", 1))
	for _, target := range translate.Targets() {
		stack, findings := translate.Order(policies, translate.OrderOptions{Target: target})
		if translate.Refused(findings) == nil || len(stack.Policies()) > 0 {
			t.Errorf("%s: %v", target.Name, stack)
		}
	}
}
