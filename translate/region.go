package translate

import (
	"fmt"
	"slices"

	"aclium/translate/policy"
)

// A region is a set of peers: pods by their labels and addresses. With the
// cluster's address ranges known the two are disjoint: addresses are those
// outside. Without them an address may be a pod's, and what would depend on
// that is refused.
type region struct {
	pods  podSet
	addrs addrSet
}

func (r region) empty() bool { return len(r.pods) == 0 && len(r.addrs) == 0 }

func (r region) union(s region) region {
	return region{r.pods.union(s.pods), r.addrs.union(s.addrs)}
}

func (r region) minus(s region) region {
	return region{r.pods.minus(s.pods), r.addrs.minus(s.addrs)}
}

func (r region) intersect(s region) region {
	return region{r.pods.intersect(s.pods), r.addrs.intersect(s.addrs)}
}

func (r region) equal(s region) bool {
	return r.pods.equal(s.pods) && slices.Equal(r.addrs, s.addrs)
}

// space is what regions are parts of.
type space struct {
	cluster addrSet // the pods' addresses; nil when they are not known
	// byAddress says that no line speaks of labels: addresses stand for pods
	// too then, as the NetworkPolicy specification has it.
	byAddress bool
}

// apart reports whether pods and addresses are told apart in every family of f:
// the cluster's ranges are known there, or no line speaks of labels.
func (s space) apart(f policy.Family) bool { return s.byAddress || s.known(f) }

// known reports whether the cluster's ranges are known in every family of f.
func (s space) known(f policy.Family) bool {
	for _, one := range []policy.Family{policy.IPv4, policy.IPv6} {
		if f&one != 0 && len(s.cluster.intersect(wholeFamilies(one))) == 0 {
			return false
		}
	}
	return true
}

// whole gives everybody of a family.
func (s space) whole(f policy.Family) region {
	if s.byAddress {
		return region{addrs: wholeFamilies(f)}
	}
	return region{everyPod, wholeFamilies(f).minus(s.cluster)}
}

// uncertain is why a set of peers cannot be said: its reason.
type uncertain string

// region gives the region of a line's peers. What is uncertain is left out and
// the reason given.
func (s space) region(p *policy.Peers, f policy.Family) (region, uncertain) {
	if p.Any {
		return s.whole(f), ""
	}
	var why uncertain
	addrs := newAddrSet(p.Addresses...)
	for _, m := range p.Masked {
		ranges, ok := expandMasked(m)
		if !ok {
			why = uncertain(fmt.Sprintf("the mask %s stands for more than %d prefixes", m.Wildcard, maxMasked))
		}
		addrs = addrs.union(ranges)
	}
	if len(wholeFamilies(f).minus(addrs)) == 0 {
		return s.whole(f), "" // every packet of the family has such an address
	}
	r := region{podsOf(p.Selectors), addrs.intersect(wholeFamilies(f))}
	if len(p.Entities) > 0 {
		why = "entities cannot be told from other peers here"
	}
	if len(p.FQDNs) > 0 {
		why = "names of the DNS cannot be said here"
	}
	if !s.known(f) || len(r.addrs) == 0 {
		return r, why
	}
	return s.splitCluster(r, f, why)
}

// splitCluster divides addresses into those outside and the pods'.
func (s space) splitCluster(r region, f policy.Family, why uncertain) (region, uncertain) {
	inside := s.cluster.intersect(wholeFamilies(f))
	if pods := r.addrs.intersect(inside); len(pods) > 0 {
		if len(inside.minus(r.addrs)) == 0 {
			r.pods = everyPod
		} else {
			why = "the addresses " + rangesText(pods) + " are pods': name these pods by their labels (workload)"
		}
	}
	r.addrs = r.addrs.minus(s.cluster)
	return r, why
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
