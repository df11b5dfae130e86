package translate

import (
	"fmt"
	"net/netip"

	"aclium/translate/policy"
)

/*
Lists for ClusterNetworkPolicy

Its egress rules name pods, and networks, which match pods too: a list is said
line by line. Its ingress rules name pods alone, so that a list becomes two
things:

	for pods     the lines as far as they are about pods, and a last deny of all pods
	for others   a NetworkPolicy that permits all pods, since they are judged above,
	             and the addresses that the list permits

An address that a line permits may be a pod's. With the cluster's ranges known
that is decided; without them a list with both labels and addresses becomes a
NetworkPolicy alone, as for that target.
*/

// What one object may hold (policy.networking.k8s.io/v1alpha2).
const (
	maxClusterRules     = 25
	maxClusterPeers     = 25
	maxClusterNetworks  = 25 // in one peer
	maxClusterProtocols = 25 // one for each range of ports
	maxClusterPolicies  = 1001
)

// fromPods says what the part's list says of pods, and the rest by a
// NetworkPolicy; false when that cannot be.
func (o *orderer) fromPods(p part) (out written, ok bool, bad *refusal) {
	s := &saying{orderer: o, part: p, direction: policy.Ingress, pods: true}
	if !s.podsKnown() || !s.say() {
		return out, false, nil
	}
	s.end()
	w := newWalk(o, p, policy.Ingress)
	w.space = space{identities: newIdentities(nil, nil), byAddress: true} // of pods nothing is asked here
	if bad := w.walkCells(); bad != nil {
		return out, true, bad
	}
	rules := w.rules()
	if !permits(rules) && !permits(s.rules) {
		if bad := w.mute(rules); bad != nil {
			return out, true, bad
		}
		if len(s.left) > 0 {
			return out, true, s.mute()
		}
	}
	if !permitsAll(rules) {
		if !p.pods.inNamespace() {
			return out, true, o.homeless(p, "what comes from outside the cluster needs a NetworkPolicy, which lives in a namespace")
		}
		if onNamespaceLabels(p.pods) {
			return out, true, o.byNamespace(p)
		}
		if n := countPeers(rules); n > budget {
			return out, true, w.tooLarge(n)
		}
		pods := w.rule(policy.Permit, policy.Peers{Selectors: everyPod.selectors()}, []policy.Service{policy.AnyService()}, nil)
		pods.Text = "all pods, which the ClusterNetworkPolicies judge"
		out.union = []policy.Policy{p.policy(policy.Ingress, append(rules, pods))}
	}
	if bad := s.objects(s.rules, &out); bad != nil {
		return out, true, bad
	}
	for _, l := range s.left {
		w.leaveOut(l.rule, l.why)
	}
	w.report()
	return out, true, nil
}

// podsKnown reports whether every line says which pods it is about: some line
// speaks of labels, and addresses are known to be pods' or not.
func (s *saying) podsKnown() bool {
	labels, addresses := false, false
	for _, l := range s.part.lists {
		for i := range l.Rules {
			p := peerEnd(&l.Rules[i], s.direction)
			labels = labels || len(p.Selectors) > 0
			addresses = addresses || len(p.Addresses)+len(p.Masked) > 0
		}
	}
	known := s.ids.known(s.part.families())
	return (labels || known) && (!addresses || known)
}

// permitsAll reports whether rules say that everything passes.
func permitsAll(rules []policy.Rule) bool {
	return len(rules) == 1 && rules[0].Action == policy.Permit && rules[0].Match.Source.Any && plain(&rules[0].Match.Services[0])
}

// homeless refuses a subject that no object can live beside.
func (o *orderer) homeless(p part, why string) *refusal {
	return &refusal{list: p.lists[0], reason: p.subject() + " names no namespace, and " + why + ": name it (workload namespace NAME)"}
}

// byNamespace refuses a subject that a NetworkPolicy cannot select.
func (o *orderer) byNamespace(p part) *refusal {
	return &refusal{list: p.lists[0], reason: p.subject() + " is told apart by labels of its namespace, which a NetworkPolicy cannot do for the pods that it protects"}
}

// mute refuses lists of which nothing is permitted that the target can say.
func (s *saying) mute() *refusal {
	return &refusal{list: s.part.lists[0], reason: s.options.Target.Name + " can say nothing of what the list permits: the object would deny everything"}
}

// objects cuts rules to what objects of the target hold.
func (s *saying) objects(rules []policy.Rule, out *written) *refusal {
	if !s.options.Target.Pass {
		return s.byWeight(rules, out)
	}
	var cut []policy.Rule
	for i := range rules {
		cut = append(cut, cutRule(&rules[i], s.direction)...)
	}
	n := (len(cut) + maxClusterRules - 1) / maxClusterRules
	if s.priorities+n > maxClusterPolicies {
		return &refusal{list: s.part.lists[0], reason: fmt.Sprintf(
			"needs %d policies of %d rules, and %d of the %d priorities are left",
			n, maxClusterRules, maxClusterPolicies-s.priorities, maxClusterPolicies)}
	}
	s.priorities += n
	for ; len(cut) > 0; cut = cut[min(len(cut), maxClusterRules):] {
		chunk := cut[:min(len(cut), maxClusterRules)]
		for i := range chunk {
			if chunk[i].Action == policy.Next {
				chunk[i].Goto = len(chunk)
			}
		}
		p := s.part.policy(s.direction, chunk)
		p.Open = true
		out.ordered = append(out.ordered, p)
	}
	return nil
}

// cutRule divides a rule whose peers or ports are too many for one. The parts
// stand one behind the other and do the same.
func cutRule(r *policy.Rule, d policy.Direction) (out []policy.Rule) {
	for _, peers := range cutPeers(peerEnd(r, d)) {
		for _, services := range cutServices(r.Match.Services) {
			one := *r
			*peerEnd(&one, d), one.Match.Services = peers, services
			out = append(out, one)
		}
	}
	return out
}

func cutPeers(p *policy.Peers) []policy.Peers {
	return cutPeersBy(p, maxClusterPeers, maxClusterPeers*maxClusterNetworks)
}

// cutPeersBy divides peers into lists of at most so many selectors, and of
// prefixes.
func cutPeersBy(p *policy.Peers, selectors, networks int) (out []policy.Peers) {
	if p.Any {
		return []policy.Peers{*p}
	}
	for all := p.Selectors; len(all) > 0; all = all[min(len(all), selectors):] {
		out = append(out, policy.Peers{Selectors: all[:min(len(all), selectors)]})
	}
	var prefixes []policy.AddrRange
	for _, r := range p.Addresses {
		prefixes = append(prefixes, prefixesOf(r)...)
	}
	for ; len(prefixes) > 0; prefixes = prefixes[min(len(prefixes), networks):] {
		out = append(out, policy.Peers{Addresses: prefixes[:min(len(prefixes), networks)]})
	}
	return out
}

// cutServices divides services into lists of at most maxClusterProtocols ranges
// of ports.
func cutServices(services []policy.Service) (out [][]policy.Service) {
	var one []policy.Service
	for i := range services {
		if plain(&services[i]) {
			return [][]policy.Service{{policy.AnyService()}}
		}
		for v := range 256 {
			protocol := uint8(v)
			if !services[i].Protocols.Has(protocol) {
				continue
			}
			for _, ports := range services[i].DestinationPorts {
				s := policy.ServiceOf(policy.Bytes(protocol))
				s.DestinationPorts = policy.Ranges{ports}
				if one = append(one, s); len(one) == maxClusterProtocols {
					out, one = append(out, one), nil
				}
			}
		}
	}
	if len(one) > 0 {
		out = append(out, one)
	}
	return out
}

// prefixesOf gives the prefixes that cover a range exactly, in order.
func prefixesOf(r policy.AddrRange) (out []policy.AddrRange) {
	for first := r.First; ; {
		length := first.BitLen()
		for length > 0 && startsAndFits(netip.PrefixFrom(first, length-1), r) {
			length--
		}
		whole := policy.PrefixRange(netip.PrefixFrom(first, length))
		out = append(out, whole)
		if whole.Last == r.Last {
			return out
		}
		first = whole.Last.Next()
	}
}

// startsAndFits reports whether the prefix starts at its address and ends
// inside the range.
func startsAndFits(p netip.Prefix, r policy.AddrRange) bool {
	return p.Masked() == p && !r.Last.Less(policy.PrefixRange(p).Last)
}
