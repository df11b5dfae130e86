package classifier

import (
	"math"
	"slices"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// isPlain reports whether all that packets are looked up by stands in them:
// the list governs IPv4 alone and asks for no identity.
func (c *compiler) isPlain() bool {
	six := func(e *ends) bool { return slices.ContainsFunc(e.spans, func(s span) bool { return s.six }) }
	return c.policy.Family == policy.IPv4 && !c.identities.uses() && !six(&c.ends[0]) && !six(&c.ends[1])
}

const lookupsCountShift = int(bpf.AcliumTableConstLOOKUPS_COUNT_SHIFT)

// pairOf gives addresses of IPv4, or bits of them, as one word.
func pairOf(source, destination uint64) uint64 { return source | destination<<32 }

// pair gives the bits of both addresses that a mask asks for.
func (k *key) pair() uint64 {
	return pairOf(k[bpf.AcliumKeyWordKEY_SOURCE_LOW], k[bpf.AcliumKeyWordKEY_DESTINATION_LOW])
}

// number gives addresses of IPv4 themselves as ranks.
func (e *ends) number() {
	e.ranks = take[limits](e.work, len(e.spans))
	for i := range e.spans {
		e.ranks[i] = limits{uint32(e.spans[i].first.lo), uint32(e.spans[i].last.lo)}
	}
	for i := range e.list {
		x := &e.list[i]
		x.first, x.last = 0, math.MaxUint32
		if !x.any && x.spans.len() > 0 {
			x.first, x.last = e.ranks[x.spans.first].first, e.ranks[x.spans.behind-1].last
		}
	}
}
