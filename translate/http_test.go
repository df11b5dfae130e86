package translate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// webText is a zone-pair whose class WEB has the HTTP policy-map API, followed
// by a class of all TCP: a request that is reset may not come to that one.
const webText = `object-group network A
 workload namespace n label app=a
object-group network B
 workload namespace n label app=b
parameter-map type regex API
 pattern ^/api/
parameter-map type regex ADMIN
 pattern ^/admin
parameter-map type regex ALL
 pattern .*
parameter-map type regex KEY
 pattern ^secret$
parameter-map type regex SITE
 pattern ^shop\.example$
parameter-map type regex PART
 pattern x
class-map type inspect match-any WEB
 match protocol http
 match protocol dns
class-map type inspect match-any REST
 match protocol tcp
policy-map type inspect P
 class type inspect WEB
  inspect
  service-policy http H
 class type inspect REST
  inspect
zone security A
zone security B
zone-pair security AB source A destination B
 service-policy type inspect P
interface workload A
 zone-member security A
interface workload B
 zone-member security B
`

func webPolicy(policies []policy.Policy) []policy.Policy {
	for _, p := range policies {
		if p.ACL == "zone B" && p.Direction == policy.Ingress {
			return []policy.Policy{p}
		}
	}
	return nil
}

func requestTo(port uint16, r *policy.HTTPRequest) *policy.Packet {
	p := opens(podAt("n", "a", "10.0.0.1"), podAt("n", "b", "10.0.0.2"), policy.TCP, port)
	p.HTTP = r
	return p
}

func matchesOf(p policy.Policy) []policy.HTTPMatch {
	for _, r := range p.Rules {
		if r.Match.HTTP != nil {
			return r.Match.HTTP
		}
	}
	return nil
}

// What no class resets goes on, so that an allow list ends in a class that
// resets everything.
func TestRequestsThatGoOn(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want []policy.HTTPMatch
	}{
		"allow list": {`class-map type inspect http match-all READ
 match request method get
 match request uri regex API
class-map type inspect http match-all WRITE
 match request method put
 match request uri regex ADMIN
 match request header x-key regex KEY
 match request header host regex SITE
class-map type inspect http ANY
 match request uri regex ALL
policy-map type inspect http H
 class type inspect http READ
  allow
 class type inspect http WRITE
  allow
 class type inspect http ANY
  reset
`, []policy.HTTPMatch{
			{Method: "PUT", Path: "/admin.*", Host: `shop\.example`, Headers: []policy.HTTPHeader{{Name: "x-key", Value: "secret"}}},
			{Method: "GET", Path: "/api/.*"},
		}},
		"reset of what is not": {`class-map type inspect http match-any BAD
 match not request method get
 match not request uri regex API
policy-map type inspect http H
 class type inspect http BAD
  reset
`, []policy.HTTPMatch{{Method: "GET", Path: "/api/.*"}}},
		"reset of methods": {`class-map type inspect http match-any BAD
 match request method put
policy-map type inspect http H
 class type inspect http BAD
  reset
`, []policy.HTTPMatch{{Method: "(?:[^P].*|P(?:[^U].*|U(?:[^T].*|T.+)?)?)?"}}},
		"a header that is there": {`class-map type inspect http BAD
 match not request header x-key regex ALL
policy-map type inspect http H
 class type inspect http BAD
  reset
`, []policy.HTTPMatch{{Headers: []policy.HTTPHeader{{Name: "x-key"}}}}},
	} {
		_, policies, findings := compiled(t, webText+row.text)
		if err := translate.Refused(findings); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row.want, matchesOf(webPolicy(policies)[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A request that is reset is denied by its class and comes to no other; what is
// not HTTP passes as before.
func TestRequestsAreDeniedByTheirClass(t *testing.T) {
	_, policies, _ := compiled(t, webText+`class-map type inspect http BAD
 match not request method get
policy-map type inspect http H
 class type inspect http BAD
  reset
`)
	web := webPolicy(policies)
	dns := requestTo(53, nil)
	dns.Protocol, dns.Flags = policy.UDP, 0
	for _, row := range []struct {
		want   bool
		packet *policy.Packet
		seq    uint32
	}{
		{true, requestTo(80, nil), 10},
		{true, requestTo(80, &policy.HTTPRequest{Method: "GET"}), 10},
		{false, requestTo(80, &policy.HTTPRequest{Method: "PUT"}), 10},
		{true, requestTo(81, &policy.HTTPRequest{Method: "PUT"}), 20},
		{true, dns, 10},
	} {
		if got, id := permits(web, policy.Ingress, row.packet); got != row.want || id.Seq != row.seq {
			t.Errorf("%+v: %v by %v, want %v by %d", row.packet, got, id, row.want, row.seq)
		}
	}
}

// What a policy cannot say refuses the zone-pair, and says why.
func TestRequestsThatCannotBeSaid(t *testing.T) {
	class := func(lines string) string {
		return "class-map type inspect http C\n " + lines + "\npolicy-map type inspect http H\n class type inspect http C\n  reset\n"
	}
	for name, row := range map[string]struct{ text, want string }{
		"a uri to deny":     {class("match request uri regex API"), "would have to be denied"},
		"two uris":          {"class-map type inspect http match-any C\n match not request uri regex API\n match not request uri regex ADMIN\npolicy-map type inspect http H\n class type inspect http C\n  reset\n", "room for one"},
		"part of a header":  {class("match not request header x-key regex PART"), "whole values"},
		"any header":        {class("match not request header regex PART"), "by their names"},
		"everything":        {class("match request uri regex ALL"), "every request is reset"},
		"another condition": {class("match request uri length gt 5"), "is not supported"},
		"a pattern of RE2":  {"parameter-map type regex D\n pattern \\d\n" + class("match not request uri regex D"), `\d is not supported`},
		"no pattern":        {"parameter-map type regex D\n" + class("match not request uri regex D"), "has no pattern"},
	} {
		_, _, findings := compiled(t, webText+row.text)
		if err := translate.Refused(findings); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}

// Names of HTTP maps have to exist.
func TestMistakesInHTTPMaps(t *testing.T) {
	for text, want := range map[string]string{
		"": "http policy-map H is not defined",
		"policy-map type inspect http H\n class type inspect http C\n  reset\n":                                                              "http class-map C is not defined",
		"class-map type inspect http C\n match request uri regex APX\npolicy-map type inspect http H\n class type inspect http C\n  reset\n": "parameter-map type regex APX is not defined (did you mean API",
	} {
		c, _, err := grammar.ParseDialect("f", strings.NewReader(webText+text), grammar.IOS)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := translate.Compile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestRequestsAsWalked holds random HTTP policy-maps against a walk over them.
func TestRequestsAsWalked(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 3))
	compared, permitted, refused := 0, 0, 0
	for range 400 {
		text := webText + randomHTTP(r)
		c, policies, findings := compiled(t, text)
		if translate.Refused(findings) != nil {
			refused++
			continue
		}
		web := webPolicy(policies)
		for range 40 {
			request := randomRequest(r)
			want := linewalk.Request(c, "H", request)
			got, id := permits(web, policy.Ingress, requestTo(80, request))
			if got != want {
				t.Fatalf("%s%+v: %v by %v, want %v; %+v", text, request, got, id, want, matchesOf(web[0]))
			}
			if compared++; got {
				permitted++
			}
		}
	}
	if compared < 4000 || permitted*10 < compared*2 || permitted == compared {
		t.Errorf("%d requests compared, %d permitted, %d maps refused", compared, permitted, refused)
	}
}

func randomRequest(r *rand.Rand) *policy.HTTPRequest {
	q := &policy.HTTPRequest{
		Method: []string{"GET", "PUT", "POST", "GETX", "PU", "get"}[r.IntN(6)],
		Path:   []string{"/", "/api/1", "/admin", "/x/api/"}[r.IntN(4)],
		Host:   []string{"shop.example", "shopxexample", "x"}[r.IntN(3)], Headers: map[string]string{},
	}
	if r.IntN(2) == 0 {
		q.Headers["x-key"] = []string{"secret", "secrets"}[r.IntN(2)]
	}
	return q
}

func randomHTTP(r *rand.Rand) string {
	var b strings.Builder
	classes := 1 + r.IntN(3)
	for i := range classes {
		fmt.Fprintf(&b, "class-map type inspect http %s C%d\n", []string{"match-any", "match-all"}[r.IntN(2)], i)
		for range 1 + r.IntN(3) {
			match := []string{"method get", "method put", "method post", "uri regex API", "uri regex ADMIN", "uri regex ALL", "header x-key regex KEY", "header x-key regex ALL", "header host regex SITE"}[r.IntN(9)]
			fmt.Fprintf(&b, " match %srequest %s\n", []string{"", "not "}[r.IntN(2)], match)
		}
	}
	b.WriteString("policy-map type inspect http H\n")
	for i := range classes {
		fmt.Fprintf(&b, " class type inspect http C%d\n  %s\n", i, []string{"allow", "reset", "log", "reset"}[r.IntN(4)])
	}
	return b.String()
}

// TestRequestsInEveryTarget: no target permits a request that the text resets,
// and Cilium's permit all that go on.
func TestRequestsInEveryTarget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	said := 0
	for range 40 {
		text := webText + randomHTTP(r)
		c, policies, findings := compiled(t, text)
		if translate.Refused(findings) != nil {
			continue
		}
		said++
		for _, target := range translate.Targets() {
			stack, more := translate.Order(policies, translate.OrderOptions{Target: target})
			if target.HTTP && translate.Refused(more) != nil {
				t.Errorf("%s: %v", target.Name, translate.Refused(more))
			}
			for range 20 {
				q := requestTo(80, randomRequest(r))
				want := linewalk.Request(c, "H", q.HTTP)
				got, id := stack.Judge(policy.Ingress, q)
				if refused := translate.Refused(more) != nil; !refused && (got == policy.Permit) != want && (target.HTTP || !want) {
					t.Fatalf("%s%s: %+v: %v by %v, want %v", text, target.Name, q.HTTP, got, id, want)
				}
			}
		}
	}
	if said < 5 {
		t.Errorf("%d maps are said", said)
	}
}
