package client

import (
	"encoding/json"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Desired has one text, whoever writes it, even where its source holds what
// looks like a part of it.
func TestDesiredJSON(t *testing.T) {
	lists := []policy.Policy{*ruleset.New(ruleset.Own, 50, policy.IPv4, 1)}
	for _, d := range []Desired{
		{}, {Policies: []policy.Policy{}}, {Revision: 7, Source: `{"policies":null}`, Policies: lists},
		{Policies: []policy.Policy{*ruleset.New(ruleset.Own, 4096, policy.IPv4, 1), *ruleset.New(ruleset.FW1, 4099, policy.IPv6, 1), lists[0]}},
		{Source: "access-list 1 permit any\n", Policies: lists, Logging: policy.Logging{Threshold: 3}},
	} {
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.JSON(); err != nil || string(got) != string(want) {
			t.Errorf("%v, %d bytes: %.200s, want %d: %.200s", err, len(got), got, len(want), want)
		}
	}
}
