package policy

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// A Range is an inclusive interval of 16-bit numbers: ports, or ICMP type and
// code as type<<8|code.
type Range struct{ First, Last uint16 }

// Ranges is a set of 16-bit numbers: sorted, disjoint, not adjacent. The zero
// value is the empty set; AllNumbers() is everything.
type Ranges []Range

// AllNumbers gives the set of all 65,536 values.
func AllNumbers() Ranges { return Ranges{{0, 65535}} }

// NewRanges gives the canonical set that holds the given intervals.
func NewRanges(rs ...Range) Ranges {
	in := slices.Clone(rs)
	slices.SortFunc(in, func(a, b Range) int { return int(a.First) - int(b.First) })
	var out Ranges
	for _, r := range in {
		if r.First > r.Last {
			continue
		}
		if n := len(out); n > 0 && uint32(r.First) <= uint32(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// canonical reports whether the intervals are what NewRanges gives.
func (s Ranges) canonical() bool {
	for i, r := range s {
		if r.First > r.Last || i > 0 && uint32(r.First) <= uint32(s[i-1].Last)+1 {
			return false
		}
	}
	return true
}

// Has reports whether v is in the set.
func (s Ranges) Has(v uint16) bool {
	for _, r := range s {
		if r.First <= v && v <= r.Last {
			return true
		}
	}
	return false
}

// All reports whether the set holds every value.
func (s Ranges) All() bool { return len(s) == 1 && s[0] == Range{0, 65535} }

// Complement gives the values that are not in the set.
func (s Ranges) Complement() Ranges {
	var out Ranges
	next := uint32(0)
	for _, r := range s {
		if uint32(r.First) > next {
			out = append(out, Range{uint16(next), r.First - 1})
		}
		next = uint32(r.Last) + 1
	}
	if next <= 65535 {
		out = append(out, Range{uint16(next), 65535})
	}
	return out
}

// Union gives the values in either set.
func (s Ranges) Union(t Ranges) Ranges { return NewRanges(slices.Concat(s, t)...) }

// Intersect gives the values in both sets.
func (s Ranges) Intersect(t Ranges) Ranges {
	return s.Complement().Union(t.Complement()).Complement()
}

// Minus gives the values of s that are not in t.
func (s Ranges) Minus(t Ranges) Ranges { return s.Intersect(t.Complement()) }

// MarshalText writes "all", "" for the empty set, or "22,80-90".
func (s Ranges) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String gives "all", "" for the empty set, or "22,80-90".
func (s Ranges) String() string {
	if s.All() {
		return "all"
	}
	var parts []string
	for _, r := range s {
		if r.First == r.Last {
			parts = append(parts, strconv.Itoa(int(r.First)))
			continue
		}
		parts = append(parts, fmt.Sprintf("%d-%d", r.First, r.Last))
	}
	return strings.Join(parts, ",")
}

// UnmarshalText reads what MarshalText writes.
func (s *Ranges) UnmarshalText(b []byte) error {
	switch string(b) {
	case "all":
		*s = AllNumbers()
		return nil
	case "":
		*s = nil
		return nil
	}
	var rs []Range
	for part := range strings.SplitSeq(string(b), ",") {
		r, err := parseRange(part)
		if err != nil {
			return err
		}
		rs = append(rs, r)
	}
	*s = NewRanges(rs...)
	return nil
}

func parseRange(text string) (Range, error) {
	first, last, both := strings.Cut(text, "-")
	if !both {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return Range{}, fmt.Errorf("policy: bad range %q, want N or N-M up to 65535", text)
	}
	return Range{uint16(a), uint16(b)}, nil
}

// A ByteSet is a set of 8-bit numbers: protocols, or whole TCP flag bytes.
// The zero value is the empty set.
type ByteSet [4]uint64

// AllBytes gives the set of all 256 values.
func AllBytes() ByteSet { return ByteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)} }

// Bytes gives the set of the given values.
func Bytes(vs ...uint8) (s ByteSet) {
	for _, v := range vs {
		s[v/64] |= 1 << (v % 64)
	}
	return s
}

// BytesWhere gives the set of the values that the predicate accepts.
func BytesWhere(accept func(uint8) bool) (s ByteSet) {
	for v := range 256 {
		if accept(uint8(v)) {
			s[v/64] |= 1 << (v % 64)
		}
	}
	return s
}

// Has reports whether v is in the set.
func (s ByteSet) Has(v uint8) bool { return s[v/64]>>(v%64)&1 == 1 }

// All reports whether the set holds every value.
func (s ByteSet) All() bool { return s[0]&s[1]&s[2]&s[3] == ^uint64(0) }

// Len gives the number of values in the set.
func (s ByteSet) Len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Intersect gives the values in both sets.
func (s ByteSet) Intersect(t ByteSet) (out ByteSet) {
	for i := range s {
		out[i] = s[i] & t[i]
	}
	return out
}

// Union gives the values in either set.
func (s ByteSet) Union(t ByteSet) (out ByteSet) {
	for i := range s {
		out[i] = s[i] | t[i]
	}
	return out
}

// Ranges gives the same set as intervals.
func (s ByteSet) Ranges() Ranges {
	var rs []Range
	for v := range 256 {
		if s.Has(uint8(v)) {
			rs = append(rs, Range{uint16(v), uint16(v)})
		}
	}
	return NewRanges(rs...)
}

// MarshalJSON writes "all" or the intervals, as Ranges does.
func (s ByteSet) MarshalJSON() ([]byte, error) {
	if s.All() {
		return json.Marshal("all")
	}
	return json.Marshal(s.Ranges())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *ByteSet) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("policy: bad byte set %s: %w", b, err)
	}
	if text == "all" {
		*s = AllBytes()
		return nil
	}
	var rs Ranges
	if err := rs.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if len(rs) > 0 && rs[len(rs)-1].Last > 255 {
		return fmt.Errorf("policy: bad byte set %q, want values up to 255", text)
	}
	*s = BytesWhere(func(v uint8) bool { return rs.Has(uint16(v)) })
	return nil
}
