package kube_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// ciliumNamed reads toFQDNs by Cilium's documentation ("DNS based"): an
// asterisk in a pattern stands for the letters of one label, alone for every
// name.
func ciliumNamed(n map[string]any, e *policy.Endpoint) bool {
	if !ciliumEntity("world", e) {
		return false
	}
	expression := regexp.QuoteMeta(fmt.Sprint(n["matchName"]))
	if pattern, ok := n["matchPattern"].(string); ok {
		expression = strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, "[-a-zA-Z0-9_]*")
		if pattern == "*" {
			expression = ".*"
		}
	}
	return slices.ContainsFunc(e.Names, regexp.MustCompile("^"+expression+"$").MatchString)
}

// ciliumL7 reads the rules of one item of toPorts: HTTP conditions hold
// together and match the whole value ("Layer 7 examples"). Until there is a
// request the connection passes.
func ciliumL7(t *testing.T, item map[string]any, p *policy.Packet) bool {
	t.Helper()
	rules, ok := item["rules"].(map[string]any)
	if !ok {
		return true
	}
	if dns := list(rules["dns"]); len(dns) > 0 {
		return p.DestinationPort == 53 && dns[0]["matchPattern"] == "*"
	}
	if p.HTTP == nil {
		return true
	}
	return slices.ContainsFunc(list(rules["http"]), func(r map[string]any) bool {
		for field, value := range map[string]string{"method": p.HTTP.Method, "path": p.HTTP.Path, "host": p.HTTP.Host} {
			if want, ok := r[field].(string); ok && !regexp.MustCompile("^(?:"+want+")$").MatchString(value) {
				return false
			}
		}
		headers, _ := r["headers"].([]any)
		for _, h := range headers {
			name, want, exact := strings.Cut(h.(string), ": ")
			if got, ok := p.HTTP.Headers[strings.ToLower(name)]; !ok || exact && got != want {
				return false
			}
		}
		return true
	})
}

var requests = []policy.HTTPMatch{
	{Method: "GET"}, {Path: "/public/.*"}, {Method: "GET|HEAD", Path: "/.*"}, {Host: "api[.]example"},
	{Headers: []policy.HTTPHeader{{Name: "X-Token"}}}, {Method: "POST", Headers: []policy.HTTPHeader{{Name: "X-Token", Value: "1"}}},
}

// specialList is a random list with requests and names on some of its lines.
func specialList(r *rand.Rand, d policy.Direction) policy.Policy {
	p := randomList(r, d)
	for i := range p.Rules {
		m := &p.Rules[i].Match
		switch r.IntN(5) {
		case 0:
			if m.Services[0].Protocols == policy.Bytes(policy.TCP) {
				m.HTTP = []policy.HTTPMatch{requests[r.IntN(len(requests))], requests[r.IntN(len(requests))]}
			}
		case 1:
			if d == policy.Egress {
				m.Destination = policy.Peers{FQDNs: []string{[]string{"www.example", "*.example", "*"}[r.IntN(3)]}}
			}
		}
	}
	return p
}

func specialPacket(r *rand.Rand, d policy.Direction) policy.Packet {
	p := randomPacket(r, d)
	if d == policy.Egress && p.Destination.Labels == nil && r.IntN(2) == 0 {
		p.Destination.Names = [][]string{{"www.example"}, {"api.example", "a.b.example"}, {"example"}}[r.IntN(3)]
	}
	if p.Protocol == policy.TCP && r.IntN(3) > 0 {
		p.HTTP = &policy.HTTPRequest{
			Method: []string{"GET", "POST", "HEAD"}[r.IntN(3)], Path: []string{"/", "/public/a", "/public"}[r.IntN(3)],
			Host: []string{"api.example", "apixexample"}[r.IntN(2)], Headers: map[string]string{"x-token": []string{"1", "2"}[r.IntN(2)]},
		}
		if r.IntN(2) == 0 {
			p.HTTP.Headers = nil
		}
	}
	return p
}

// TestRequestsAndNames: lines on requests and names are never wider in any
// target, and in Cilium's they are narrower only where a finding says so.
func TestRequestsAndNames(t *testing.T) {
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, 4))
			permitted, packets, seen := 0, 0, 0
			for n := range 400 {
				d := policy.Direction(1 + n%2)
				p := specialList(r, d)
				ordered, findings := translate.Order([]policy.Policy{p}, translate.OrderOptions{Target: target, ClusterCIDRs: []netip.Prefix{clusterCIDR}})
				objects, err := kube.Encode(target.Name, ordered)
				if err != nil {
					t.Fatal(err)
				}
				if len(objects) == 0 {
					continue
				}
				text, _ := kube.YAML(objects)
				back, err := kube.Decode("objects.yaml", strings.NewReader(string(text)))
				if err != nil {
					t.Fatal(err)
				}
				seen += strings.Count(string(text), "http:") + strings.Count(string(text), "toFQDNs:")
				allows := reader(t, target.Name, objects, d)
				for range 80 {
					pkt := specialPacket(r, d)
					action, line := p.Eval(&pkt)
					got := allows(&pkt)
					if decoded, _ := back.Judge(d, &pkt); (decoded == policy.Permit) != got {
						t.Fatalf("decoded %v, read %v: %+v %+v\n%s", decoded, got, pkt, pkt.HTTP, text)
					}
					packets++
					if got {
						permitted++
					}
					said := slices.ContainsFunc(findings, func(f policy.Finding) bool {
						bad := f.State == policy.Narrower || f.State == policy.Refused
						return bad && (f.ID == p.ID(line) || isNode(&pkt) && strings.Contains(f.Reason, "match no nodes"))
					})
					if got && action != policy.Permit || !got && action == policy.Permit && !said {
						t.Fatalf("list %d says %v at %d, objects %v: %+v %+v\n%+v\n%s\n%+v", n, action, line, got, pkt, pkt.HTTP, p.Rules, text, findings)
					}
				}
			}
			t.Logf("%d of %d packets permitted; %d rules on requests or names", permitted, packets, seen)
			if permitted*10 < packets*3 || target.HTTP && seen < 50 {
				t.Errorf("too few packets or rules")
			}
		})
	}
}
