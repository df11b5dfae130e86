package translate

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"sort"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

/*
From addresses to pods

A list from a legacy network knows workloads by their addresses, an object by
their labels. The inventory joins both, for each family on its own: a pod of
workload W had one of W's addresses, and whoever had one of them is a pod of W.

	clusterCIDRs  |-------------------------------------|
	workloads         |- W -|      |--- V ---|                 |- X -|
	unclaimed     |---|     |------|         |----------|
	outside   ----|                                     |------|     |----

An end of a line is divided along these borders. A workload that is covered
wholly becomes its selector. Unclaimed addresses, covered wholly, become the
pods of no workload, and all of the cluster becomes every pod. What is outside
stays an address. What remains, some of a workload's addresses or some of the
unclaimed ones, stands for pods that nothing tells apart from others: such a
line is in doubt.
*/

// A claim is a workload with its addresses in one family.
type claim struct {
	workload  *inventory.Workload
	pods      podSet
	addresses addrSet
}

// A claimed range belongs to a claim.
type claimedRange struct {
	policy.AddrRange
	claim *claim
}

// identities say who has which address.
type identities struct {
	// given says that there is an inventory: addresses are those of the legacy
	// network then, and not those that pods have.
	given bool
	// ranges are the cluster's own, cluster those and the workloads'.
	ranges, cluster addrSet
	families        map[policy.Family]*familyIdentities
}

// familyIdentities are those of one family.
type familyIdentities struct {
	claims []*claim
	// spans are the claims' ranges, by address.
	spans []claimedRange
	// claimed are the pods of all claims, unclaimed the others; countless says
	// that they are too many sets to write down.
	claimed, unclaimed podSet
	countless          bool
	// free are the addresses of the unclaimed.
	free addrSet
}

func newIdentities(inv *inventory.Inventory, cidrs []netip.Prefix) *identities {
	given := inv != nil
	if !given {
		inv = &inventory.Inventory{}
	}
	ids := &identities{given: given, ranges: prefixSet(slices.Concat(cidrs, inv.ClusterCIDRs)), families: map[policy.Family]*familyIdentities{}}
	ids.cluster = ids.ranges
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		own := newFamilyIdentities(inv, f)
		own.free = ids.ranges.intersect(wholeFamilies(f))
		for _, c := range own.claims {
			own.free, ids.cluster = own.free.minus(c.addresses), ids.cluster.union(c.addresses)
		}
		ids.families[f] = own
	}
	return ids
}

func newFamilyIdentities(inv *inventory.Inventory, f policy.Family) *familyIdentities {
	out := &familyIdentities{unclaimed: everyPod}
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		c := &claim{workload: w, pods: podsOf([]policy.Selector{w.Selector}), addresses: newAddrSet(w.Addresses...).intersect(wholeFamilies(f))}
		if len(c.addresses) == 0 {
			continue
		}
		out.claims = append(out.claims, c)
		out.claimed = append(out.claimed, c.pods...)
		for _, r := range c.addresses {
			out.spans = append(out.spans, claimedRange{r, c})
		}
		if !out.countless {
			out.unclaimed = out.unclaimed.minus(c.pods)
			out.countless = len(out.unclaimed) > maxConjs
		}
	}
	out.claimed = out.claimed.reduced()
	slices.SortFunc(out.spans, func(a, b claimedRange) int { return a.First.Compare(b.First) })
	return out
}

// known reports whether the cluster's ranges are known in every family of f.
func (ids *identities) known(f policy.Family) bool {
	return !slices.ContainsFunc(singly(f), func(one policy.Family) bool { return len(ids.ranges.intersect(wholeFamilies(one))) == 0 })
}

// claims reports whether a workload has addresses in a family of f.
func (ids *identities) claims(f policy.Family) bool {
	return slices.ContainsFunc(singly(f), func(one policy.Family) bool { return len(ids.families[one].claims) > 0 })
}

// podless reports whether no pod has an address of the family: the cluster's
// ranges are of the other one.
func (ids *identities) podless(f policy.Family) bool {
	return len(ids.ranges) > 0 && len(ids.cluster.intersect(wholeFamilies(f))) == 0
}

// hidden reports whether some of the pods may have addresses that nobody
// knows.
func (ids *identities) hidden(pods podSet, f policy.Family) bool {
	return slices.ContainsFunc(singly(f), func(one policy.Family) bool { return !pods.within(ids.families[one].claimed) })
}

// singly gives the families of f one by one.
func singly(f policy.Family) (out []policy.Family) {
	for _, one := range []policy.Family{policy.IPv4, policy.IPv6} {
		if f&one != 0 {
			out = append(out, one)
		}
	}
	return out
}

// owners gives the claims that have one of the addresses.
func (own *familyIdentities) owners(addrs addrSet) (out []*claim) {
	for _, r := range addrs {
		from := sort.Search(len(own.spans), func(i int) bool { return own.spans[i].Last.Compare(r.First) >= 0 })
		for _, s := range own.spans[from:] {
			if s.First.Compare(r.Last) > 0 {
				break
			}
			if !slices.Contains(out, s.claim) {
				out = append(out, s.claim)
			}
		}
	}
	return out
}

// unclaimedPods gives the pods of no workload, or more.
func (own *familyIdentities) unclaimedPods() podSet {
	if own.countless {
		return everyPod
	}
	return own.unclaimed
}

// identify gives the policies with pods in the place of their addresses. A
// policy of both families becomes one for each, where an address says that
// they differ.
func (o *orderer) identify(policies []policy.Policy) (out []policy.Policy) {
	for i := range policies {
		p := &policies[i]
		switch {
		case len(p.Subject.Selectors) == 0:
			out = append(out, *p)
		case p.Family != policy.Dual || !o.needsFamilies(p):
			out = append(out, o.ids.identified(p, p.Family))
		default:
			out = append(out, o.ids.identified(p, policy.IPv4), o.ids.identified(p, policy.IPv6))
		}
	}
	return out
}

// needsFamilies reports whether addresses stand for pods, which they do in one
// family alone.
func (o *orderer) needsFamilies(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
		own, peer := ownEnd(&r, p.Direction), peerEnd(&r, p.Direction)
		return len(own.Addresses)+len(own.Masked) > 0 || o.ids.given && len(peer.Addresses)+len(peer.Masked) > 0
	})
}

func (ids *identities) identified(p *policy.Policy, f policy.Family) policy.Policy {
	out := *p
	out.Family, out.Rules = f, slices.Clone(p.Rules)
	if f == policy.Dual {
		return out
	}
	for i := range out.Rules {
		r := &out.Rules[i]
		peer := peerEnd(r, p.Direction)
		*peer = ids.peers(peer, f)
		if own := ownEnd(r, p.Direction); !p.Subject.Nodes {
			*own = ids.peers(own, f)
		}
	}
	return out
}

// addresses gives the addresses of an end, in one family. False when a mask
// stands for too many.
func addresses(p *policy.Peers, f policy.Family) (addrSet, bool) {
	addrs := newAddrSet(p.Addresses...)
	for _, m := range p.Masked {
		ranges, ok := expandMasked(m)
		if !ok {
			return nil, false
		}
		addrs = addrs.union(ranges)
	}
	return addrs.intersect(wholeFamilies(f)), true
}

// peers gives the same end with pods in the place of their addresses.
func (ids *identities) peers(p *policy.Peers, f policy.Family) policy.Peers {
	if p.Any || len(p.Addresses)+len(p.Masked) == 0 {
		return *p
	}
	addrs, ok := addresses(p, f)
	switch {
	case !ok:
		return *p
	case len(wholeFamilies(f).minus(addrs)) == 0:
		return policy.Everybody() // every packet of the family has such an address
	}
	out := *p
	out.Masked = nil
	out.Selectors, out.Addresses = ids.selectors(addrs, f)
	out.Selectors = slices.Concat(p.Selectors, out.Selectors)
	return out
}

// selectors gives the pods that addresses stand for, and the other addresses.
func (ids *identities) selectors(addrs addrSet, f policy.Family) ([]policy.Selector, addrSet) {
	own := ids.families[f]
	inside := ids.cluster.intersect(wholeFamilies(f))
	if ids.known(f) && len(inside.minus(addrs)) == 0 {
		return everyPod.selectors(), addrs.minus(inside)
	}
	var pods podSet
	for _, c := range own.owners(addrs) {
		if len(c.addresses.minus(addrs)) == 0 {
			pods, addrs = append(pods, c.pods...), addrs.minus(c.addresses)
		}
	}
	if len(own.free) > 0 && !own.countless && len(own.free.minus(addrs)) == 0 {
		pods, addrs = append(pods, own.unclaimed...), addrs.minus(own.free)
	}
	return pods.reduced().selectors(), addrs
}

// doubt gives the pods that some of the addresses may be those of, and why
// nobody knows.
func (ids *identities) doubt(addrs addrSet, f policy.Family) (pods podSet, why uncertain) {
	for _, one := range singly(f) {
		more, reason := ids.doubtIn(addrs.intersect(wholeFamilies(one)), one)
		if pods = pods.union(more); why == "" {
			why = reason
		}
	}
	return pods, why
}

func (ids *identities) doubtIn(addrs addrSet, f policy.Family) (pods podSet, why uncertain) {
	own := ids.families[f]
	because := func(reason uncertain) {
		if why == "" {
			why = reason
		}
	}
	for _, c := range own.owners(addrs) {
		because(c.subset(addrs.intersect(c.addresses)))
		pods, addrs = pods.union(c.pods), addrs.minus(c.addresses)
	}
	switch free := addrs.intersect(own.free); {
	case len(free) > 0 && own.countless:
		because("the addresses " + rangesText(free) + " are those of the pods of no workload, which are too many sets to name")
	case len(free) > 0 && len(own.claims) > 0:
		because("the addresses " + rangesText(free) + " are pods' of no workload in the inventory: map them as a workload")
	case len(free) > 0:
		because("the addresses " + rangesText(free) + " are pods': name these pods by their labels (workload), or say in an inventory whose they are (--inventory)")
	case !ids.known(f) && len(addrs) > 0:
		because("nothing says whether " + rangesText(addrs) + " are addresses of pods: give the cluster's ranges (clusterCIDRs in the inventory, or --cluster-cidr)")
	default:
		return pods, why
	}
	return pods.union(own.unclaimedPods()), why
}

// ownDoubt gives the pods that an end on the subject's side may be about beside
// those that it names.
func (ids *identities) ownDoubt(p *policy.Peers, f policy.Family) (podSet, uncertain) {
	if p.Any || len(p.Addresses)+len(p.Masked) == 0 {
		return nil, ""
	}
	addrs, ok := addresses(p, f)
	if !ok {
		return everyPod, maskText(p)
	}
	return ids.doubt(addrs, f)
}

func maskText(p *policy.Peers) uncertain {
	return uncertain(fmt.Sprintf("the mask %s stands for more than %d prefixes", p.Masked[0].Wildcard, maxMasked))
}

// subset says that addresses are not all of the workload's.
func (c *claim) subset(addrs addrSet) uncertain {
	n, all := count(addrs), count(c.addresses)
	text := fmt.Sprintf("%s are %s", rangesText(addrs), n)
	if n.IsInt64() && n.Int64() == 1 {
		text = string(rangesText(addrs)) + " is one"
	}
	text += fmt.Sprintf(" of the %s addresses of workload %s", all, c.workload.Name)
	if c.workload.Source != (policy.Source{}) {
		text += " (" + c.workload.Source.String() + ")"
	}
	return uncertain(text + ", which its selector cannot tell apart: map it as a workload of its own")
}

// count gives how many addresses a set holds.
func count(s addrSet) *big.Int {
	n := new(big.Int)
	for _, r := range s {
		first, last := new(big.Int).SetBytes(r.First.AsSlice()), new(big.Int).SetBytes(r.Last.AsSlice())
		n.Add(n, last.Sub(last, first)).Add(n, big.NewInt(1))
	}
	return n
}
