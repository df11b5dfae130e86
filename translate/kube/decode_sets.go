package kube

import (
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// joined gives the same addresses as sorted ranges that neither meet nor touch.
func joined(ranges []policy.AddrRange) (out []policy.AddrRange) {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b policy.AddrRange) int { return a.First.Compare(b.First) })
	for _, r := range ranges {
		if n := len(out); n > 0 && out[n-1].First.BitLen() == r.First.BitLen() && touches(out[n-1].Last, r.First) {
			if out[n-1].Last.Less(r.Last) {
				out[n-1].Last = r.Last
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// touches reports whether no address lies between the end of a range and the
// beginning of another.
func touches(last, first netip.Addr) bool {
	next := last.Next()
	return !next.IsValid() || first.Compare(next) <= 0
}

// without gives the addresses that do not lie in the hole.
func without(ranges []policy.AddrRange, hole policy.AddrRange) (out []policy.AddrRange) {
	for _, r := range ranges {
		if r.First.BitLen() != hole.First.BitLen() || r.Last.Less(hole.First) || hole.Last.Less(r.First) {
			out = append(out, r)
			continue
		}
		if r.First.Less(hole.First) {
			out = append(out, policy.AddrRange{First: r.First, Last: hole.First.Prev()})
		}
		if hole.Last.Less(r.Last) {
			out = append(out, policy.AddrRange{First: hole.Last.Next(), Last: r.Last})
		}
	}
	return out
}
