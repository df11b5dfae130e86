package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// The limits on one object: etcd takes 1.5 MiB, the API server 256 KiB of
// annotations.
const (
	maxObject = 1 << 20
	maxNoted  = 128 << 10
)

// split divides a policy whose object would be larger than limit bytes.
// Objects on the same pods are a union, and a deny of one beats the permits of
// all: the parts mean together what the policy means.
func split(p *policy.Policy, limit int, encode func(*policy.Policy) (any, error)) ([]*policy.Policy, error) {
	if items(p) < limit/1000 {
		return []*policy.Policy{p}, nil
	}
	body, err := encode(p)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	first, second, some := halvesOf(p)
	if len(text) <= limit || !some {
		return []*policy.Policy{p}, nil
	}
	out, err := split(first, limit, encode)
	if err != nil {
		return nil, err
	}
	more, err := split(second, limit, encode)
	return append(out, more...), err
}

// items counts what makes an object long; each takes less than 1,000 bytes.
func items(p *policy.Policy) (n int) {
	for i := range p.Rules {
		peers := peersOf(&p.Rules[i], p.Direction)
		n += 1 + len(peers.Addresses) + len(peers.Selectors) + len(p.Rules[i].Text)/1000
		for _, s := range p.Rules[i].Match.Services {
			n += 1 + len(s.DestinationPorts)
		}
	}
	return n
}

// halvesOf divides the rules, or the addresses or the ports of the only one;
// false when there is nothing to divide.
func halvesOf(p *policy.Policy) (first, second *policy.Policy, some bool) {
	a, b := *p, *p
	if n := len(p.Rules) / 2; n > 0 {
		a.Rules, b.Rules = p.Rules[:n], p.Rules[n:]
		return &a, &b, true
	}
	if len(p.Rules) == 0 {
		return nil, nil, false
	}
	a.Rules, b.Rules = slices.Clone(p.Rules), slices.Clone(p.Rules)
	x, y := peersOf(&a.Rules[0], p.Direction), peersOf(&b.Rules[0], p.Direction)
	if n := len(x.Addresses) / 2; n > 0 {
		x.Addresses, y.Addresses, y.Selectors = x.Addresses[:n], x.Addresses[n:], nil
		return &a, &b, true
	}
	services := p.Rules[0].Match.Services
	if n := len(services) / 2; n > 0 {
		a.Rules[0].Match.Services, b.Rules[0].Match.Services = services[:n], services[n:]
		return &a, &b, true
	}
	if len(services) == 1 && len(services[0].DestinationPorts) > 1 {
		n := len(services[0].DestinationPorts) / 2
		s, t := services[0], services[0]
		s.DestinationPorts, t.DestinationPorts = s.DestinationPorts[:n], t.DestinationPorts[n:]
		a.Rules[0].Match.Services, b.Rules[0].Match.Services = []policy.Service{s}, []policy.Service{t}
		return &a, &b, true
	}
	return nil, nil, false
}

// noted gives the lines that each rule comes from, in no more bytes than an
// annotation may have: long texts are cut behind some line.
func noted(rules []policy.Rule) string {
	size := 0
	for i := range rules {
		size += len(rules[i].Text) + 8
	}
	share := size
	if size > maxNoted {
		share = maxNoted/len(rules) - 32 // what is left beside number and cut
	}
	if share < 32 && size > maxNoted {
		return fmt.Sprintf("%d rules, too many to name their lines", len(rules))
	}
	lines := make([]string, len(rules))
	for i := range rules {
		lines[i] = fmt.Sprintf("%d: %s", i, cutText(rules[i].Text, share))
	}
	return strings.Join(lines, "\n")
}

// cutText cuts a text such as "102 10,20,30" behind a line.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	at := max(strings.LastIndexByte(text[:limit], ','), strings.LastIndexByte(text[:limit], ';'))
	if at < 0 {
		at = limit
	}
	return text[:at] + "; and more"
}
