package grammar

import (
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// placeless leaves out where things stand and how they were typed.
var placeless = cmpopts.IgnoreTypes(Position{})

var addresses = gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestIdentityMapNodes(t *testing.T) {
	c := typed(t, "identity map 10.1.20.9 0.0.0.255 BACKEND; identity map 2001:db8:20::9/64 V6; no identity map 10.9.0.0 0.0.0.255").Config
	want := []*IdentityMap{
		{Addr: netip.MustParseAddr("10.1.20.0"), Wildcard: netip.MustParseAddr("0.0.0.255"), Group: Name{Text: "BACKEND"}, Text: "identity map 10.1.20.9 0.0.0.255 BACKEND"},
		{Addr: netip.MustParseAddr("2001:db8:20::"), Wildcard: netip.MustParseAddr("::ffff:ffff:ffff:ffff"), Group: Name{Text: "V6"}, Text: "identity map 2001:db8:20::9/64 V6"},
	}
	if diff := gocmp.Diff(want, c.IdentityMaps, placeless, addresses); diff != "" {
		t.Error(diff)
	}
	if at := c.IdentityMaps[0].Group.Pos.Column; at != 34 {
		t.Errorf("the group stands at column %d, want 34", at)
	}
}

func TestTrustSecNodes(t *testing.T) {
	c := typed(t, "cts role-based sgt-map workload W sgt 20; cts role-based sgt-map vrf R 10.1.2.3/16 sgt 30; cts role-based sgt-map 2001:db8::1 sgt 2; "+
		"cts role-based permissions from unknown to 20 A B; cts role-based permissions default ipv6 C; cts role-based enforcement").Config
	var got []string
	for _, m := range c.SGTMaps {
		got = append(got, m.Group.Text+"|"+m.Prefix.String()+"|"+m.VRF.Text+"|"+itoa(int(m.SGT)))
	}
	want := []string{"W|invalid Prefix||20", "|10.1.0.0/16|R|30", "|2001:db8::1/128||2"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	permissions := []*RolePermission{
		{From: UnknownSGT, To: 20, Lists: []Name{{Text: "A"}, {Text: "B"}}, Text: "cts role-based permissions from unknown to 20 A B"},
		{Default: true, IPv6: true, Lists: []Name{{Text: "C"}}, Text: "cts role-based permissions default ipv6 C"},
	}
	if diff := gocmp.Diff(permissions, c.RolePermissions, placeless); diff != "" {
		t.Error(diff)
	}
	if len(c.RoleEnforcements) != 1 {
		t.Errorf("%d enforcements", len(c.RoleEnforcements))
	}
}

const httpText = `parameter-map type regex R; pattern a b; class-map type inspect http match-any C; match request method get; match not request uri regex R
match request header X-Key regex R; match request header regex R; match request body length gt 9; policy-map type inspect http P; class type inspect http C
reset; log; policy-map type inspect Q; class type inspect D; inspect; service-policy http P`

func TestHTTPNodes(t *testing.T) {
	c := typed(t, strings.ReplaceAll(httpText, "\n", "; ")).Config
	r := Name{Text: "R"}
	want := []HTTPMatch{
		{Kind: HTTPMethod, Method: Name{Text: "get"}}, {Kind: HTTPURI, Not: true, Regex: r},
		{Kind: HTTPHeader, Header: Name{Text: "x-key"}, Regex: r}, {Kind: HTTPAnyHeader, Regex: r},
	}
	m := c.HTTPClassMap("C")
	if diff := gocmp.Diff(want, m.Matches, placeless, cmpopts.IgnoreFields(HTTPMatch{}, "Text")); diff != "" {
		t.Error(diff)
	}
	if !m.MatchAny || len(m.Other) != 1 || m.Other[0].Harmless || m.Other[0].Words != "match request body length gt 9" {
		t.Errorf("class-map %+v", m)
	}
	if k := c.HTTPPolicyMap("P").Classes[0]; k.Class.Text != "C" || k.Action != HTTPReset || !k.Log || k.Text != "reset" {
		t.Errorf("class %+v", k)
	}
	if p := c.RegexMap("R").Patterns; len(p) != 1 || p[0].Text != "a b" {
		t.Errorf("patterns %v", p)
	}
	if k := c.PolicyMap("Q").Classes[0]; k.HTTPPolicy.Text != "P" || len(k.Other) > 0 {
		t.Errorf("class %+v", k)
	}
}

// TestClonesOfNodesAreApart edits a clone in every way that changes a node in
// place; the original stays as it was.
func TestClonesOfNodesAreApart(t *testing.T) {
	c := typed(t, strings.ReplaceAll(httpText, "\n", "; ")+"; identity map 10.0.0.0 0.0.0.255 A; cts role-based sgt-map workload A sgt 10; "+
		"cts role-based permissions from 10 to 20 A B; cts role-based enforcement").Config
	before := c.text()
	s := NewSession(c.Clone())
	for _, line := range []string{
		"parameter-map type regex R", "no pattern a b", "description x", "class-map type inspect http C", "no match request method get", "description x",
		"no match request body length gt 9", "policy-map type inspect http P", "class type inspect http C", "allow", "no log", "policy-map type inspect Q",
		"class type inspect D", "no service-policy http P", "identity map 10.0.0.0 0.0.0.255 B", "cts role-based sgt-map workload A sgt 11",
		"no cts role-based permissions from 10 to 20 A", "no cts role-based enforcement",
	} {
		if _, err := s.Line(Position{}, line); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.text(); got != before {
		t.Errorf("the original has changed:\n%s", gocmp.Diff(before, got))
	}
	if s.Config.text() == before {
		t.Error("nothing was edited")
	}
}

// TestAnHTTPClassHasOneHeader: a class that is there as match-any is not there
// again as match-all, which would be kept apart from its lines.
func TestAnHTTPClassHasOneHeader(t *testing.T) {
	c, _, err := ParseDialect("f", strings.NewReader("class-map type inspect http match-any C\n match request method get\nclass-map type inspect http match-all C\n match request method put\n"), IOS)
	list, _ := err.(ErrorList)
	if len(list) != 1 || list[0].Pos.Line != 3 {
		t.Errorf("errors %v", err)
	}
	if m := c.HTTPClassMap("C"); len(c.Other) > 0 || !m.MatchAny || len(m.Matches) != 1 {
		t.Errorf("class-map %+v, kept %v", m, c.Other)
	}
}
