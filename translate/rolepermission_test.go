package translate_test

import (
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

const pairOfZones = `object-group network A
 workload namespace n label app=a
object-group network B
 workload namespace n label app=b
class-map type inspect match-any WEB
 match protocol http
policy-map type inspect P
 class type inspect WEB
  inspect
  %
zone security A
zone security B
zone-pair security AB source A destination B
 service-policy type inspect P
interface workload A
 zone-member security A
interface workload B
 zone-member security B
`

// TestWhatIsNotSaidIsRefused: a class that looks into HTTP and a permission
// between security groups permit less than what is left of them.
func TestWhatIsNotSaidIsRefused(t *testing.T) {
	const lists = "ip access-list role-based RB\n deny tcp dst eq 22\n"
	for name, test := range map[string]struct {
		text    string
		refused bool
	}{
		"a class":                     {strings.Replace(pairOfZones, "%", "", 1), false},
		"a class with another policy": {strings.Replace(pairOfZones, "%", "service-policy urlfilter U", 1), true},
		"permission":                  {lists + "cts role-based permissions from 10 to 20 RB\ncts role-based enforcement\n", true},
		"default permission":          {lists + "cts role-based permissions default RB\ncts role-based enforcement vlan-list all\n", true},
		"a permission of other words": {lists + "cts role-based permissions from 10 to 20 RB1 RB2 and more ?\ncts role-based enforcement\n", true},
		"abbreviated":                 {lists + "cts  role-based perm from 10 to 20 RB1 ?\ncts role-based enforcement of something\n", true},
		"permission without force":    {lists + "cts role-based permissions from 10 to 20 RB\n", false},
		"force without permission":    {lists + "cts role-based enforcement\n", false},
	} {
		c, _, err := grammar.ParseDialect("f", strings.NewReader(test.text), grammar.IOS)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, findings, err := translate.Compile(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := translate.Refused(findings); (got != nil) != test.refused {
			t.Errorf("%s: %v", name, got)
		}
		if _, err := translate.Withheld(c); (err != nil) != test.refused {
			t.Errorf("%s: withheld: %v", name, err)
		}
	}
}

// TestPermissionsUseTheirLists: such a list is not said to be bound nowhere.
func TestPermissionsUseTheirLists(t *testing.T) {
	const text = "ip access-list role-based RB\n deny tcp dst eq 22\ncts role-based permissions from 10 to 20 RB\n"
	c, _, err := grammar.ParseDialect("f", strings.NewReader(text), grammar.IOS)
	if err != nil {
		t.Fatal(err)
	}
	_, findings, err := translate.Compile(c)
	if err != nil || len(findings) != 1 || findings[0].State != policy.NoEffect || findings[0].Source.Line != 3 {
		t.Errorf("findings %v, %v", findings, err)
	}
}
