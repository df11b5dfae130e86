package enforcer

import (
	"encoding/json"
	"reflect"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Parts that rules share are those that are equal, and no others.
func TestRulesShareEqualServicesAlone(t *testing.T) {
	list := ruleset.New(ruleset.Own, 500, policy.Dual, 1)
	list.Rules[7].Match.Services = nil
	list.Rules[8].Match.Services[0].SourcePorts = nil
	list.Rules[9].Match.Services[0].PortNames = []string{"http"}
	policies := []policy.Policy{*list}
	body, err := json.Marshal(pushBody{Revision: new(uint64), Policies: &policies})
	if err != nil {
		t.Fatal(err)
	}
	var cache ruleCache
	push, _, err := cache.decode(body)
	if err != nil {
		t.Fatal(err)
	}
	var plain pushBody
	if err := json.Unmarshal(body, &plain); err != nil {
		t.Fatal(err)
	}
	got, want := (*push.Policies)[0].Rules, (*plain.Policies)[0].Rules
	if !reflect.DeepEqual(got, want) {
		t.Fatal("the rules are not those of the body")
	}
	shared := 0
	for i := 1; i < len(got); i++ {
		a, b := got[i-1].Match.Services, got[i].Match.Services
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		one := &a[0] == &b[0]
		if equal := reflect.DeepEqual(a, b) && a[0].PortNames == nil; one != equal {
			t.Errorf("rules %d and %d: one service is %v, equal services are %v", i-1, i, one, equal)
		}
		if one {
			shared++
		}
	}
	if shared == 0 {
		t.Error("no services are shared")
	}
}
