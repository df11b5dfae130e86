package kube

import (
	"net/netip"

	"aclium/translate/policy"
)

// prefixes covers a range exactly with the fewest prefixes and no exceptions.
func prefixes(r policy.AddrRange) (out []string) {
	for first := r.First; ; {
		length := first.BitLen()
		for length > 0 && startsAndFits(netip.PrefixFrom(first, length-1), r) {
			length--
		}
		p := netip.PrefixFrom(first, length)
		out = append(out, p.String())
		last := policy.PrefixRange(p).Last
		if last == r.Last {
			return out
		}
		first = last.Next()
	}
}

// startsAndFits reports whether the prefix starts at its address and ends
// inside the range.
func startsAndFits(p netip.Prefix, r policy.AddrRange) bool {
	return p.Masked() == p && !r.Last.Less(policy.PrefixRange(p).Last)
}
