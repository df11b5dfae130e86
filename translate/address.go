package translate

import (
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// addrSet is a set of addresses of both families: sorted, disjoint ranges,
// IPv4 before IPv6, none next to another.
type addrSet []policy.AddrRange

var (
	wholeIPv4 = addrSet{policy.PrefixRange(netip.PrefixFrom(netip.IPv4Unspecified(), 0))}
	wholeIPv6 = addrSet{policy.PrefixRange(netip.PrefixFrom(netip.IPv6Unspecified(), 0))}
)

// wholeFamilies gives every address of the families.
func wholeFamilies(f policy.Family) (out addrSet) {
	if f&policy.IPv4 != 0 {
		out = append(out, wholeIPv4...)
	}
	if f&policy.IPv6 != 0 {
		out = append(out, wholeIPv6...)
	}
	return out
}

func newAddrSet(ranges ...policy.AddrRange) (out addrSet) {
	in := slices.Clone(ranges)
	slices.SortFunc(in, func(a, b policy.AddrRange) int { return a.First.Compare(b.First) })
	for _, r := range in {
		if n := len(out); n > 0 && touches(out[n-1], r) {
			if out[n-1].Last.Less(r.Last) {
				out[n-1].Last = r.Last
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// touches reports whether r starts inside a or right behind it.
func touches(a, r policy.AddrRange) bool {
	if a.First.BitLen() != r.First.BitLen() {
		return false
	}
	next := a.Last.Next()
	return !next.IsValid() || r.First.Compare(next) <= 0
}

func (s addrSet) union(t addrSet) addrSet { return newAddrSet(slices.Concat(s, t)...) }

func (s addrSet) minus(t addrSet) addrSet {
	for _, cut := range t {
		var next addrSet
		for _, r := range s {
			next = append(next, cutRange(r, cut)...)
		}
		s = next
	}
	return s
}

func cutRange(r, cut policy.AddrRange) (out addrSet) {
	if r.First.BitLen() != cut.First.BitLen() || r.Last.Less(cut.First) || cut.Last.Less(r.First) {
		return addrSet{r}
	}
	if r.First.Less(cut.First) {
		out = append(out, policy.AddrRange{First: r.First, Last: cut.First.Prev()})
	}
	if cut.Last.Less(r.Last) {
		out = append(out, policy.AddrRange{First: cut.Last.Next(), Last: r.Last})
	}
	return out
}

func (s addrSet) intersect(t addrSet) (out addrSet) {
	for _, a := range s {
		for _, b := range t {
			if a.First.BitLen() != b.First.BitLen() {
				continue
			}
			first, last := a.First, a.Last
			if first.Less(b.First) {
				first = b.First
			}
			if b.Last.Less(last) {
				last = b.Last
			}
			if first.Compare(last) <= 0 {
				out = append(out, policy.AddrRange{First: first, Last: last})
			}
		}
	}
	return newAddrSet(out...)
}

// maxMasked is how many ranges a discontiguous mask may become.
const maxMasked = 256

// expandMasked gives the ranges that a discontiguous wildcard mask stands for;
// false when they are too many.
func expandMasked(m policy.Masked) (addrSet, bool) {
	addr, wild := m.Addr.AsSlice(), m.Wildcard.AsSlice()
	bits, trailing := len(addr)*8, 0
	bit := func(b []byte, i int) bool { return b[i/8]>>(7-i%8)&1 == 1 }
	for trailing < bits && bit(wild, bits-1-trailing) {
		trailing++
	}
	var free []int
	for i := range bits - trailing {
		if bit(wild, i) {
			free = append(free, i)
		}
	}
	if len(free) > 8 {
		return nil, false
	}
	var out addrSet
	for n := range 1 << len(free) {
		b := slices.Clone(addr)
		for k, i := range free {
			if n>>k&1 == 1 {
				b[i/8] |= 0x80 >> (i % 8)
			}
		}
		a, _ := netip.AddrFromSlice(b)
		out = append(out, policy.PrefixRange(netip.PrefixFrom(a, bits-trailing)))
	}
	return newAddrSet(out...), len(out) <= maxMasked
}
