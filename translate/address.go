package translate

import (
	"net/netip"
	"slices"
	"sort"

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
		from, to := s.overlap(cut)
		if from == to {
			continue
		}
		next := make(addrSet, 0, len(s)+1)
		next = append(next, s[:from]...)
		for _, r := range s[from:to] {
			next = append(next, cutRange(r, cut)...)
		}
		s = append(next, s[to:]...)
	}
	return s
}

// overlap gives the ranges of s that share an address with r, as s[from:to].
func (s addrSet) overlap(r policy.AddrRange) (from, to int) {
	from = sort.Search(len(s), func(i int) bool { return s[i].Last.Compare(r.First) >= 0 })
	to = sort.Search(len(s), func(i int) bool { return s[i].First.Compare(r.Last) > 0 })
	return from, max(from, to)
}

// cutRange gives what an overlapping range leaves of r.
func cutRange(r, cut policy.AddrRange) (out addrSet) {
	if r.First.Less(cut.First) {
		out = append(out, policy.AddrRange{First: r.First, Last: cut.First.Prev()})
	}
	if cut.Last.Less(r.Last) {
		out = append(out, policy.AddrRange{First: cut.Last.Next(), Last: r.Last})
	}
	return out
}

func (s addrSet) intersect(t addrSet) (out addrSet) {
	if len(s) < len(t) {
		s, t = t, s
	}
	at := 0
	for _, b := range t {
		// A large set is searched for the few of a small one; sets of one size
		// are walked side by side.
		if len(s) > 16*len(t) {
			at, _ = s.overlap(b)
		}
		for at < len(s) && s[at].Last.Less(b.First) {
			at++
		}
		for i := at; i < len(s) && !b.Last.Less(s[i].First); i++ {
			a := s[i]
			if a.First.Less(b.First) {
				a.First = b.First
			}
			if b.Last.Less(a.Last) {
				a.Last = b.Last
			}
			out = append(out, a)
		}
	}
	return out
}

// beyond counts the ranges of s that are not wholly in t.
func (s addrSet) beyond(t addrSet) (n int) {
	at := 0
	for _, r := range s {
		for at < len(t) && t[at].Last.Less(r.Last) {
			at++
		}
		if at == len(t) || r.First.Less(t[at].First) {
			n++
		}
	}
	return n
}

// key is the same for equal sets, and for no others.
func (s addrSet) key() string {
	text := make([]byte, 0, len(s)*34)
	for _, r := range s {
		for _, a := range []netip.Addr{r.First, r.Last} {
			bytes := a.As16()
			text = append(append(text, byte(a.BitLen())), bytes[:]...)
		}
	}
	return string(text)
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
