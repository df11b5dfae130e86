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
		{Source: "access-list 1 permit any\n", Policies: lists, Logging: policy.Logging{Threshold: 3}},
	} {
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.JSON(); err != nil || string(got) != string(want) {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}
