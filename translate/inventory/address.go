package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// wantAddress is what an address of a workload looks like.
const wantAddress = "want an address, a prefix such as 10.1.20.0/24 or a range such as 10.1.20.5-10.1.20.9"

// parseRange reads a host, a prefix or a range from first to last.
func parseRange(text string) (policy.AddrRange, error) {
	if strings.Contains(text, "/") {
		p, err := parsePrefix(text)
		if err != nil {
			return policy.AddrRange{}, err
		}
		return policy.PrefixRange(p), nil
	}
	first, last, both := strings.Cut(text, "-")
	a, err := parseAddr(first)
	if err != nil || !both {
		return policy.AddrRange{First: a, Last: a}, err
	}
	b, err := parseAddr(last)
	switch {
	case err != nil:
		return policy.AddrRange{}, err
	case a.BitLen() != b.BitLen():
		return policy.AddrRange{}, fmt.Errorf("%q goes from one family to the other, %s", text, wantAddress)
	case b.Less(a):
		return policy.AddrRange{}, fmt.Errorf("%q ends before it starts, %s", text, wantAddress)
	}
	return policy.AddrRange{First: a, Last: b}, nil
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, fmt.Errorf("bad address %q, %s", text, wantAddress)
	}
	return a, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(text))
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, fmt.Errorf("bad prefix %q, want one such as 10.1.20.0/24", text)
	case p != p.Masked():
		return p, fmt.Errorf("%q has bits beyond its length, want %s or one address", text, p.Masked())
	}
	return p, nil
}

// canonicalRanges gives the ranges sorted, disjoint and not adjacent.
func canonicalRanges(in []policy.AddrRange) (out []policy.AddrRange) {
	in = slices.Clone(in)
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

// RangeText gives the shortest text of a range, as an inventory file has it: a
// host, a prefix, or both ends.
func RangeText(r policy.AddrRange) string {
	if r.First == r.Last {
		return r.First.String()
	}
	for bits := r.First.BitLen(); bits >= 0; bits-- {
		if p := netip.PrefixFrom(r.First, bits); p == p.Masked() && policy.PrefixRange(p) == r {
			return p.String()
		}
	}
	return r.First.String() + "-" + r.Last.String()
}
