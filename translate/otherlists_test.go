package translate_test

import (
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// TestOtherListsFilterNoPackets binds lists and uses groups whose meaning is not
// known here: no policy comes of them, and the refusal is told.
func TestOtherListsFilterNoPackets(t *testing.T) {
	const pods = "object-group network W\n workload namespace n label app=w\n!\n"
	for name, text := range map[string]string{
		"role-based":         "ip access-list role-based A\n permit ip\n!\ninterface workload W\n ip access-group A in\n",
		"role-based of IPv6": "ipv6 access-list role-based A\n permit ipv6\n!\ninterface workload W\n ipv6 traffic-filter A in\n",
		"DNS names":          "ip access-list fqdn A\n permit ip any any\n!\ninterface workload W\n ip access-group A in\n",
		"host by its name":   "object-group network H\n host www.example.com\nip access-list extended A\n deny ip object-group H any\n permit ip any any\n!\ninterface workload W\n ip access-group A out\n",
		"geo-group":          "object-group geo H\n country USA\nip access-list extended A\n deny ip geo-group H any\n permit ip any any\n!\ninterface workload W\n ip access-group A out\n",
	} {
		c, _, err := grammar.ParseDialect("f", strings.NewReader(pods+text), grammar.IOS)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		policies, findings, err := translate.Compile(c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		refused := false
		for _, f := range findings {
			refused = refused || f.State == policy.Refused
		}
		if len(policies) != 0 || !refused {
			t.Errorf("%s: %d policies, findings %v", name, len(policies), findings)
		}
	}
}
