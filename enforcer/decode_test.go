package enforcer

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// bodies are pushes of every form, and of some that are none.
func bodies(t testing.TB) []string {
	one, two := *ruleset.New(ruleset.Own, 20, policy.IPv4, 1), *ruleset.New(ruleset.ACL1, 5, policy.IPv6, 2)
	two.Rules[0].Text = `quotes " \ and ] } , "rules":[ in a text`
	empty := two
	empty.ACL, empty.Rules = "EMPTY", nil
	var out []string
	for _, policies := range [][]policy.Policy{{}, {one}, {one, two}, {empty, two}} {
		b, err := json.Marshal(client.Desired{Revision: 3, Source: `"policies":[{"rules":[]}]`, Policies: policies})
		if err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, b, "", "\t"); err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b), indented.String())
	}
	rule, _ := json.Marshal(two.Rules[1])
	r := string(rule)
	return append(out, []string{
		"", "{", "null", `[]`, `{"policies":null}`, `{"policies":[null]}`, `{"policies":[5]}`, `{"policies":[{"rules":null}]}`,
		`{"policies":[{"rules":[` + r + `,]}]}`, `{"policies":[{"rules":[` + r + r + `]}]}`, `{"policies":[{"rules":[` + r + `},{}]}]}`,
		`{"policies":[{"rules":[` + r + `],"rules":[]}]}`, `{"policies":[{"rules":[` + r + `],"Rules":[]}]}`,
		`{"policies":[{"Rules":[` + r + `]}]}`, `{"policies":[{"\u0072ules":[` + r + `]}]}`, `{"policies":[{"rule\u017f":[` + r + `]}]}`,
		`{"policies":[{"rules":[` + r + `]}],"policies":[{"acl":"X"}]}`, `{"policies":[{"rules":[` + r + `]}],"Policies":[{"rules":[]}]}`,
		`{"policies":[{"rules":[` + strings.Replace(r, "{", `{"unknown":1,`, 1) + `]}]}`, `{"policies":[{"rules":[` + r + `]}]} {}`,
		`{"policies":[{"rules":[null]}]}`, `{"policies":[{"rules":[[]]}]}`, `{"policies":[{"rules":["` + r + `"]}]}`, `{"policies":[{"rules":[5}]}]}`,
	}...)
}

// sameAsStrict decodes the body in both ways. Which error it is may differ.
func sameAsStrict(t *testing.T, c *ruleCache, body []byte) {
	var want pushBody
	wantErr := decodeStrict(bytes.NewReader(body), &want)
	got, text, err := c.decode(body)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s\ngot error %v, want %v", body, err, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s\ngot %+v, want %+v", body, got, want)
	}
	if text == nil {
		return
	}
	payload, err := encodePayload(record{Desired: client.Desired{Source: got.Source}, encoded: text})
	if err != nil {
		t.Fatal(err)
	}
	var back record
	if err := decodeStrict(bytes.NewReader(bytes.Join(payload, nil)), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*want.Policies, back.Policies) || back.Source != got.Source {
		t.Fatalf("%s\nstored is %+v, want %+v", body, back, want)
	}
}

func TestPushIsReadAsAnyJSON(t *testing.T) {
	var c ruleCache
	quick := 0
	for range 2 { // the second time rules are remembered
		for _, body := range bodies(t) {
			sameAsStrict(t, &c, []byte(body))
			if _, text, _ := c.decode([]byte(body)); text != nil {
				quick++
			}
		}
	}
	if quick < 2*6 {
		t.Errorf("only %d bodies took the quick way", quick)
	}
}

func FuzzPushBody(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add([]byte(body))
	}
	var c ruleCache
	f.Fuzz(func(t *testing.T, body []byte) { sameAsStrict(t, &c, body) })
}
