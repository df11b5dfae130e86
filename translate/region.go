package translate

import (
	"slices"

	"aclium/translate/policy"
)

// A region is a set of peers: pods by their labels, addresses, and ends that
// are known by their role. With the cluster's address ranges known pods and
// addresses are disjoint: addresses are those outside. Without them an address
// may be a pod's, and what would depend on that is refused.
type region struct {
	pods  podSet
	addrs addrSet
	roles roleSet
}

func (r region) empty() bool { return len(r.pods) == 0 && len(r.addrs) == 0 && r.roles == 0 }

func (r region) union(s region) region {
	return region{r.pods.union(s.pods), r.addrs.union(s.addrs), r.roles | s.roles}
}

func (r region) minus(s region) region {
	return region{r.pods.minus(s.pods), r.addrs.minus(s.addrs), r.roles &^ s.roles}
}

func (r region) intersect(s region) region {
	return region{r.pods.intersect(s.pods), r.addrs.intersect(s.addrs), r.roles & s.roles}
}

func (r region) equal(s region) bool {
	return r.roles == s.roles && r.pods.equal(s.pods) && slices.Equal(r.addrs, s.addrs)
}

// space is what regions are parts of.
type space struct {
	*identities
	// byAddress says that no line speaks of labels and nothing is known of the
	// pods' addresses: addresses stand for pods too then, as the NetworkPolicy
	// specification has it.
	byAddress bool
	// noPods says that the target's addresses match no pods.
	noPods bool
	// entities says that the target names ends by their role.
	entities bool
	// names says that the target names ends by DNS names.
	names bool
}

// apart reports whether pods and addresses are told apart in every family of f:
// the cluster's ranges are known there, or no line speaks of labels.
func (s space) apart(f policy.Family) bool { return s.byAddress || s.known(f) }

// whole gives everybody of a family.
func (s space) whole(f policy.Family) region {
	if s.byAddress {
		return region{addrs: wholeFamilies(f)}
	}
	return region{everyPod, s.outside(f), s.allRoles()}
}

// uncertain is why a set of peers cannot be said: its reason.
type uncertain string

// region gives the region of a line's peers. What is uncertain is left out and
// the reason given.
func (s space) region(p *policy.Peers, f policy.Family) (region, uncertain) {
	if p.Any {
		return s.whole(f), ""
	}
	addrs, ok := addresses(p, f)
	if len(wholeFamilies(f).minus(addrs)) == 0 {
		return s.whole(f), "" // every packet of the family has such an address
	}
	r := region{pods: podsOf(p.Selectors), addrs: addrs.minus(s.cluster)}
	if s.entities {
		r = s.addEntities(r, p.Entities, f)
	}
	doubtful, why := s.peerDoubt(addrs, f)
	if why != "" {
		r.addrs = r.addrs.minus(doubtful.addrs)
	}
	switch {
	case !ok:
		return r, maskText(p)
	case len(p.Entities) > 0 && !s.entities:
		return r, "entities cannot be told from other peers here"
	case len(p.FQDNs) > 0 && !s.names:
		return r, "names of the DNS cannot be said here"
	case why != "":
		return r, why
	}
	return r, ""
}

// peerDoubt gives whom addresses may stand for in doubt. Where no workload and
// no range is known, an address may be a pod's without being in doubt.
func (s space) peerDoubt(addrs addrSet, f policy.Family) (region, uncertain) {
	inside := addrs.intersect(s.cluster)
	if s.known(f) || !s.given || s.podless(f) || s.noPods {
		pods, why := s.doubt(inside, f)
		return region{pods: pods}, why
	}
	pods, why := s.doubt(addrs, f)
	return region{pods: pods, addrs: addrs.minus(s.cluster)}, why
}

// unseen gives the part of a region in which a pod may stand behind an address
// or an address for a pod that nobody knows.
func (s space) unseen(r region, f policy.Family) region {
	if !s.hidden(r.pods, f) && !s.blind(f) {
		r.pods = nil
	}
	return r
}

// blind reports whether an address of an object may be any pod's: lists speak
// of those that pods had, and nobody knows which they have.
func (s space) blind(f policy.Family) bool {
	return s.given && !s.noPods && slices.ContainsFunc(singly(f), func(one policy.Family) bool { return !s.known(one) && !s.podless(one) })
}

// doubtful gives everybody that a line's peers may stand for.
func (s space) doubtful(p *policy.Peers, f policy.Family) region {
	addrs, ok := addresses(p, f)
	if p.Any || !ok || !s.entities && len(p.Entities)+len(p.FQDNs) > 0 {
		return s.whole(f)
	}
	doubt, _ := s.peerDoubt(addrs, f)
	out := s.addEntities(doubt.union(region{pods: podsOf(p.Selectors), addrs: addrs.minus(s.cluster)}), p.Entities, f)
	if slices.Contains(p.Entities, policy.KubeAPIServer) || len(p.FQDNs) > 0 {
		out = s.addEntities(out, []policy.Entity{policy.World}, f)
	}
	return out
}

func rangesText(s addrSet) uncertain {
	text := ""
	for i, r := range s {
		if i == 3 {
			return uncertain(text + ", ...")
		}
		if i > 0 {
			text += ", "
		}
		if text += r.First.String(); r.First != r.Last {
			text += "-" + r.Last.String()
		}
	}
	return uncertain(text)
}
