package kube

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"aclium/translate/policy"
)

func hosts(n int) (out []policy.AddrRange) {
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 15), byte(i >> 7), byte(i << 1)})
		out = append(out, policy.AddrRange{First: a, Last: a})
	}
	return out
}

// TestLargePoliciesAreSplit: the parts are small enough, and together they say
// every peer, port and rule once with each other.
func TestLargePoliciesAreSplit(t *testing.T) {
	tcp := policy.ServiceOf(policy.Bytes(policy.TCP))
	tcp.DestinationPorts = nil
	for i := range 300 {
		tcp.DestinationPorts = append(tcp.DestinationPorts, policy.Range{First: uint16(2*i + 1), Last: uint16(2*i + 1)})
	}
	p := policy.Policy{ACL: "A", Direction: policy.Ingress, Subject: policy.Subject{Name: "workload W"}, Rules: []policy.Rule{
		{Action: policy.Permit, Text: "A 10", Match: policy.Match{Source: policy.Peers{Addresses: hosts(900)}, Destination: policy.Everybody(), Services: []policy.Service{tcp}}},
		{Action: policy.Permit, Text: "A 20", Match: policy.Match{Source: policy.Peers{Addresses: hosts(1)}, Destination: policy.Everybody(), Services: []policy.Service{tcp}}},
	}}
	const limit = 6000
	encode := func(p *policy.Policy) (any, error) { return networkBody(&Object{}, p, nil) }
	parts, err := split(&p, limit, encode)
	if err != nil || len(parts) < 10 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	type pair struct {
		text string
		addr netip.Addr
		port uint16
	}
	said := map[pair]int{}
	for _, part := range parts {
		body, err := encode(part)
		text, _ := json.Marshal(body)
		if err != nil || len(text) > limit {
			t.Errorf("a part of %d bytes, %v", len(text), err)
		}
		for _, r := range part.Rules {
			for _, a := range r.Match.Source.Addresses {
				for _, s := range r.Match.Services {
					for _, port := range s.DestinationPorts {
						said[pair{r.Text, a.First, port.First}]++
					}
				}
			}
		}
	}
	if want := 901 * 300; len(said) != want {
		t.Errorf("%d pairs of address and port, want %d", len(said), want)
	}
	for x, n := range said {
		if n != 1 {
			t.Fatalf("%v is said %d times", x, n)
		}
	}
}

// TestAnnotationsAreCapped: texts stay within the limit, each rule keeps its
// first line.
func TestAnnotationsAreCapped(t *testing.T) {
	rules := make([]policy.Rule, 1000)
	for i := range rules {
		rules[i].Text = "EDGE 10" + strings.Repeat(",20000", 3000)
	}
	text := noted(rules)
	if len(text) > maxNoted || strings.Count(text, ": EDGE 10,") != 1000 || strings.Count(text, "; and more") != 1000 {
		t.Errorf("%d bytes: %.200s", len(text), text)
	}
	if got := noted(rules[:1][:1]); got != "0: "+rules[0].Text {
		t.Errorf("a short annotation is cut: %.100s", got)
	}
}
