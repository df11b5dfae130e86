package kube_test

import (
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// TestDecodedRulesKeepTheirLines: what Cilium denies is known by the line that
// denies it, though the object lists permits first.
func TestDecodedRulesKeepTheirLines(t *testing.T) {
	c := convertLines(t, translate.Cilium, "ip access-list extended T", "10 permit tcp any any eq 80", "20 deny tcp any any eq 23", "30 deny tcp any any eq 25", "40 permit ip any any")
	stack, err := kube.Decode("t.yaml", strings.NewReader(c.text))
	if err != nil {
		t.Fatal(err)
	}
	ports := map[uint16]uint32{23: 20, 25: 30, 443: 40}
	for port, want := range ports {
		p := openingTo(port, policy.TCP, from("192.0.2.9"), 40000)
		if _, id := stack.Judge(policy.Ingress, p); id != (policy.RuleID{ACL: "T", Seq: want}) {
			t.Errorf("port %d: decided by %v, want line %d\n%s", port, id, want, c.text)
		}
	}
}
