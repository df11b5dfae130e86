package translate

import (
	"fmt"

	"aclium/translate/policy"
)

// This file cuts an ordered list into several policies, one behind the other,
// so that none is larger than what an API server stores.

// The weight of a rule counts about 150 bytes of its text. A policy of
// maxWeight has some 450 KiB; all policies of a list have at most maxWeights.
const (
	maxWeight  = 3000
	maxWeights = 100 * maxWeight
	// maxRulePeers is how many prefixes or selectors one rule may have.
	maxRulePeers = 500
)

// byWeight gives the rules as policies that are asked one after the other. Only
// the last one ends the list: those before it leave what no rule decides to it.
func (s *saying) byWeight(rules []policy.Rule, out *written) *refusal {
	var chunk []policy.Rule
	weight, total := 0, 0
	flush := func() {
		if len(chunk) > 0 {
			out.ordered = append(out.ordered, s.part.policy(s.direction, chunk))
			chunk, weight = nil, 0
		}
	}
	for i := range rules {
		for _, r := range s.light(&rules[i]) {
			n := s.weight(&r)
			if total += n; total > maxWeights {
				return &refusal{list: s.part.lists[0], reason: fmt.Sprintf("needs more than %d policies of %d KiB", maxWeights/maxWeight, maxWeight*150/1024)}
			}
			if weight+n > maxWeight {
				flush()
			}
			chunk, weight = append(chunk, r), weight+n
		}
	}
	flush()
	return nil
}

// weight counts what a rule becomes: a rule of the object for each kind of peer
// and each protocol.
func (s *saying) weight(r *policy.Rule) int {
	p := peerEnd(r, s.direction)
	peers := 1 + 2*len(p.Selectors)
	for _, a := range p.Addresses {
		peers += 1 + len(prefixesOf(a))/4
	}
	services := 0
	for i := range r.Match.Services {
		services += serviceWeight(&r.Match.Services[i])
	}
	if r.Log {
		services *= 2
	}
	return peers * services
}

func serviceWeight(s *policy.Service) int {
	switch {
	case plain(s):
		return 1
	case !s.ICMP.All():
		n := 0
		for _, r := range s.ICMP {
			n += 1 + int(r.Last>>8) - int(r.First>>8) + int(r.Last-r.First)&255
		}
		return n
	}
	return s.Protocols.Len() * (1 + (len(s.SourcePorts)+len(s.DestinationPorts))/8)
}

// light divides a rule that is too heavy into rules that do the same.
func (s *saying) light(r *policy.Rule) (out []policy.Rule) {
	if s.weight(r) <= maxWeight/4 {
		return []policy.Rule{*r}
	}
	for _, peers := range cutPeersBy(peerEnd(r, s.direction), maxRulePeers, maxRulePeers) {
		for _, service := range r.Match.Services {
			one := *r
			*peerEnd(&one, s.direction), one.Match.Services = peers, []policy.Service{service}
			out = append(out, one)
		}
	}
	return out
}
