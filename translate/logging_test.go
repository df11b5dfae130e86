package translate

import (
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate/policy"
)

func TestLoggingSettings(t *testing.T) {
	for text, want := range map[string]policy.Logging{
		"": {},
		"ip access-list log-update threshold 5\nip access-list logging interval 9\n":        {Threshold: 5, Spacing: 9},
		"ipv6 access-list log-update threshold 3\nip access-list log-update threshold 5\n":  {Threshold: 3},
		"ip access-list log-update threshold 5\nno ip access-list log-update threshold 5\n": {},
		"ip access-list log-update threshold 5\nno ip access-list log-update threshold\n":   {},
		"ip access-list logging interval 9\nip access-list logging hash-generation\n":       {Spacing: 9},
		"ip access-list logging interval 9\nno ip access-list logging interval\n":           {},
		"logging rate-limit 10\n":                                      {Rate: 10},
		"logging rate-limit all 10000 except warnings\n":               {Rate: 10000},
		"logging rate-limit 10 except 5\n":                             {Rate: 10},
		"logging rate-limit 10 except informational\n":                 {},
		"logging rate-limit all 10 except 7\n":                         {},
		"logging rate-limit console 10\n":                              {},
		"logging rate-limit console all 10 except errors\n":            {},
		"logging rate-limit 10\nno logging rate-limit\n":               {},
		"logging rate-limit 10\nlogging rate-limit 20\n":               {Rate: 20},
		"ip acc log-up thr 7\nip access-list log-update threshold 8\n": {Threshold: 8},
	} {
		c, _, err := grammar.ParseDialect("test", strings.NewReader("!\nip access-list extended X\n"+text), grammar.IOS)
		if err != nil {
			t.Fatal(err)
		}
		if got := Logging(c); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

func TestLogFormOfLines(t *testing.T) {
	c, _, err := grammar.ParseDialect("test", strings.NewReader("access-list 1 deny any log\naccess-list 101 permit tcp any any log-input COOKIE\naccess-list 101 deny ip any any log\n"+
		"interface eth0\n ip access-group 1 in\ninterface eth1\n ip access-group 101 in\n"), grammar.IOS)
	if err != nil {
		t.Fatal(err)
	}
	policies, _, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	got := map[policy.RuleID]string{}
	for _, p := range policies {
		for _, r := range p.Rules {
			if r.Log {
				got[r.ID] = []string{"flow", "input", "source"}[r.LogForm] + r.LogCookie
			}
		}
	}
	for id, want := range map[policy.RuleID]string{{ACL: "1", Seq: 10}: "source", {ACL: "101", Seq: 10}: "inputCOOKIE", {ACL: "101", Seq: 20}: "flow"} {
		if got[id] != want {
			t.Errorf("%s: got %q, want %q", id, got[id], want)
		}
	}
}
