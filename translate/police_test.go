package translate_test

import (
	"slices"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

// policedZones is a zone-pair whose first class has more lines.
func policedZones(match, lines string) string {
	return `object-group network A
 workload label app=a
object-group network B
 workload label app=b
ip access-list extended WEB
` + match + `class-map type inspect match-any WEB
 match access-group name WEB
class-map type inspect match-any ALL
 match protocol tcp
policy-map type inspect P
 class type inspect WEB
  inspect
` + lines + ` class type inspect ALL
  inspect
zone security INSIDE
zone security OUTSIDE
zone-pair security IN source OUTSIDE destination INSIDE
 service-policy type inspect P
interface workload A
 zone-member security OUTSIDE
interface workload B
 zone-member security INSIDE
`
}

const webLine = " permit tcp any any eq 80\n"

// TestPolice reads rates, and the burst that IOS takes without one.
func TestPolice(t *testing.T) {
	for line, want := range map[string]policy.Police{
		"police rate 8000 bps burst 1000 bytes": {Rate: 8000, Burst: 1000},
		"police rate 8000 burst 2000":           {Rate: 8000, Burst: 2000},
		"police rate 8000":                      {Rate: 8000, Burst: 1500},
		"police rate 1000000 bps":               {Rate: 1_000_000, Burst: 31250},
	} {
		want.Name = "zone-pair IN class type inspect WEB"
		policies, findings, err := translate.Compile(mustParse(t, policedZones(webLine, "  "+line+"\n")))
		if err != nil || translate.Refused(findings) != nil {
			t.Fatal(line, err, findings)
		}
		found := 0
		for _, p := range policies {
			for i := range p.Rules {
				r := &p.Rules[i]
				if r.Police != nil {
					found++
				}
				if limited := r.ID.Seq == 10 && r.ID.ACL == "zone-pair IN"; limited != (r.Police != nil) || limited && *r.Police != want {
					t.Errorf("%s: rule %s %q has %+v, want %+v on class WEB alone", line, r.ID, r.Text, r.Police, want)
				}
			}
			if err := p.Validate(); err != nil {
				t.Error(err)
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing is limited", line)
		}
	}
}

// TestPoliceRefused holds that packets of a class whose limit cannot be kept
// come to no later class.
func TestPoliceRefused(t *testing.T) {
	towards := func(policies []policy.Policy) bool {
		return slices.ContainsFunc(policies, func(p policy.Policy) bool { return p.Subject.Name == "zone INSIDE" && p.Direction == policy.Ingress })
	}
	for name, text := range map[string]string{
		"packets":        policedZones(webLine, "  police rate 100 pps\n"),
		"a rate of zero": policedZones(webLine, "  police rate 0\n"),
		"a line":         policedZones(" permit igmp any any 12\n"+webLine, "  police rate 8000\n"),
	} {
		policies, findings, err := translate.Compile(mustParse(t, text))
		if err != nil || translate.Refused(findings) == nil || towards(policies) {
			t.Errorf("%s: %v %v, refused %v", name, err, findings, translate.Refused(findings))
		}
	}
	policies, _, err := translate.Compile(mustParse(t, policedZones(webLine, "  police rate 8000\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range translate.Targets() {
		stack, findings := translate.Order(policies, translate.OrderOptions{Target: target})
		refused := slices.ContainsFunc(findings, func(f policy.Finding) bool {
			return f.State == policy.Refused && strings.Contains(f.Reason, "police")
		})
		if refused == target.Verbatim || towards(stack.Policies()) != target.Verbatim {
			t.Errorf("%s: %v", target.Name, findings)
		}
	}
}

// TestVerifyComparesPolice tells another rate from the same one.
func TestVerifyComparesPolice(t *testing.T) {
	stack := func(lines string) policy.Stack {
		policies, _, err := translate.Compile(mustParse(t, policedZones(webLine, lines)))
		if err != nil {
			t.Fatal(err)
		}
		return policy.Stack{{Combine: policy.Series, Policies: policies}}
	}
	limited := stack("  police rate 8000\n")
	if r, err := verify.Compare(limited, stack("  police rate 8000 bps burst 1500\n"), nil, verify.Options{}); err != nil || !r.Equal {
		t.Errorf("the same rate: %+v, %v", r, err)
	}
	for _, other := range []string{"", "  police rate 9000\n"} {
		if r, err := verify.Compare(limited, stack(other), nil, verify.Options{}); err == nil {
			t.Errorf("%q: %+v", other, r)
		}
	}
}
