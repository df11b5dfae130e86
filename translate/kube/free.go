package kube

import (
	"reflect"
	"slices"

	"aclium/translate/policy"
)

// This file leaves out of a rule what a broader one permits anyway: objects are
// unions, so that a rule on ports need not say again which peers may do
// everything, and its prefixes may reach over them.

// A broad rule permits its peers every packet of some protocols.
type broad struct {
	protocols policy.ByteSet
	peers     *policy.Peers
}

// broadRules gives the broad rules of a policy, by their index.
func broadRules(p *policy.Policy) map[int]broad {
	out := map[int]broad{}
	for i := range p.Rules {
		r := &p.Rules[i]
		m := r.Match
		m.Source, m.Destination, m.Services = policy.Peers{}, policy.Peers{}, nil
		if r.Action != policy.Permit || !reflect.ValueOf(m).IsZero() {
			continue
		}
		b := broad{peers: peersOf(r, p.Direction)}
		for _, s := range r.Match.Services {
			if !s.LooksAtL4() {
				b.protocols = b.protocols.Union(s.Protocols)
			}
		}
		if b.protocols != (policy.ByteSet{}) {
			out[i] = b
		}
	}
	return out
}

// lean gives the policy without what rules say that earlier ones permit anyway.
// No rule loses its last peer.
func lean(p *policy.Policy) *policy.Policy {
	rules := broadRules(p)
	if len(rules) == 0 {
		return p
	}
	out := *p
	out.Rules = slices.Clone(p.Rules)
	for i := range out.Rules {
		peers := peersOf(&out.Rules[i], p.Direction)
		if less := beyond(p, i, rules); !less.Empty() {
			*peers = less
		}
	}
	return &out
}

// beyond gives the peers of rule i beyond those that earlier rules permit all
// of its packets.
func beyond(p *policy.Policy, i int, rules map[int]broad) policy.Peers {
	peers := *peersOf(&p.Rules[i], p.Direction)
	if p.Rules[i].Action != policy.Permit {
		return peers
	}
	var protocols policy.ByteSet
	for _, s := range p.Rules[i].Match.Services {
		protocols = protocols.Union(s.Protocols)
	}
	var free, outside []policy.AddrRange
	for k := range i {
		b, ok := rules[k]
		if !ok || protocols.Intersect(b.protocols) != protocols {
			continue
		}
		free, outside = append(free, b.peers.Addresses...), append(outside, b.peers.Outside...)
		peers.Selectors = slices.DeleteFunc(slices.Clone(peers.Selectors), func(s policy.Selector) bool {
			return slices.ContainsFunc(b.peers.Selectors, func(t policy.Selector) bool { return reflect.DeepEqual(s, t) })
		})
	}
	if len(free) > 0 {
		peers.Addresses = reaching(peers.Addresses, free)
	}
	if len(outside) > 0 {
		peers.Outside = reaching(peers.Outside, outside)
	}
	return peers
}
