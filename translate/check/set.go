package check

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
)

// A number is a value of a dimension, up to 128 bits wide.
type number struct{ hi, lo uint64 }

func small(v uint64) number { return number{0, v} }

func (a number) compare(b number) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

func (a number) less(b number) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a number) next() number {
	if a.lo++; a.lo == 0 {
		a.hi++
	}
	return a
}

func (a number) prev() number {
	if a.lo--; a.lo == ^uint64(0) {
		a.hi--
	}
	return a
}

func (a number) or(b number) number     { return number{a.hi | b.hi, a.lo | b.lo} }
func (a number) and(b number) number    { return number{a.hi & b.hi, a.lo & b.lo} }
func (a number) andNot(b number) number { return number{a.hi &^ b.hi, a.lo &^ b.lo} }
func (a number) xor(b number) number    { return number{a.hi ^ b.hi, a.lo ^ b.lo} }

// width is the number of bits from the highest one bit on.
func (a number) width() int {
	if a.hi != 0 {
		return 64 + bits.Len64(a.hi)
	}
	return bits.Len64(a.lo)
}

// ones gives the number of n one bits.
func ones(n int) number {
	switch {
	case n >= 128:
		return number{^uint64(0), ^uint64(0)}
	case n > 64:
		return number{1<<(n-64) - 1, ^uint64(0)}
	case n == 64:
		return number{0, ^uint64(0)}
	}
	return number{0, 1<<n - 1}
}

// A span is an inclusive interval.
type span struct{ first, last number }

// spans is a set of numbers: sorted, disjoint, not adjacent.
type spans []span

func newSpans(in ...span) spans {
	sorted := slices.IsSortedFunc(in, func(a, b span) int { return a.first.compare(b.first) })
	if !sorted {
		in = slices.Clone(in)
		slices.SortFunc(in, func(a, b span) int { return a.first.compare(b.first) })
	}
	out := make(spans, 0, len(in))
	for _, s := range in {
		if s.last.less(s.first) {
			continue
		}
		if n := len(out); n > 0 && !out[n-1].last.less(s.first) || n > 0 && out[n-1].last.next() == s.first {
			if out[n-1].last.less(s.last) {
				out[n-1].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func (s spans) has(v number) bool {
	if len(s) == 1 {
		return !v.less(s[0].first) && !s[0].last.less(v)
	}
	i := s.reaching(v)
	return i < len(s) && !v.less(s[i].first)
}

// reaching gives the first span that ends at v or later.
func (s spans) reaching(v number) int {
	return sort.Search(len(s), func(i int) bool { return !s[i].last.less(v) })
}

func (s spans) intersect(t spans) spans {
	if len(s) > len(t) {
		s, t = t, s
	}
	out := make(spans, 0, len(s))
	for _, a := range s {
		for i := t.reaching(a.first); i < len(t) && !a.last.less(t[i].first); i++ {
			out = append(out, span{later(a.first, t[i].first), earlier(a.last, t[i].last)})
		}
	}
	return out
}

func (s spans) minus(t spans) spans {
	out := make(spans, 0, len(s)+1)
	for _, a := range s {
		gone := false
		for i := t.reaching(a.first); i < len(t) && !a.last.less(t[i].first); i++ {
			if a.first.less(t[i].first) {
				out = append(out, span{a.first, t[i].first.prev()})
			}
			if !t[i].last.less(a.last) {
				gone = true
				break
			}
			a.first = t[i].last.next()
		}
		if !gone {
			out = append(out, a)
		}
	}
	return out
}

func later(a, b number) number {
	if a.less(b) {
		return b
	}
	return a
}

func earlier(a, b number) number {
	if b.less(a) {
		return b
	}
	return a
}

// relation is how a set lies to another one.
type relation uint8

const (
	apart  relation = iota // they share nothing
	partly                 // they share some of the first set
	inside                 // the first set lies in the second
)

// to tells how s, which is not empty, lies to t.
func (s spans) to(t spans) relation {
	in, out := false, false
	for _, a := range s {
		i := 0
		if len(t) > 1 {
			i = t.reaching(a.first)
		}
		switch {
		case i == len(t) || a.last.less(t[i].first) || t[i].last.less(a.first):
			out = true
		case !a.first.less(t[i].first) && !t[i].last.less(a.last):
			in = true
		default:
			return partly
		}
		if in && out {
			return partly
		}
	}
	if in {
		return inside
	}
	return apart
}

// A cube holds the numbers that equal value outside the bits of free. Bits of
// value under free are zero.
type cube struct{ value, free number }

func (c cube) has(v number) bool { return v.xor(c.value).andNot(c.free) == number{} }

// A choice is the union of its parts.
type choice struct {
	spans spans
	cubes []cube
}

func (c *choice) has(v number) bool {
	return c.spans.has(v) || slices.ContainsFunc(c.cubes, func(u cube) bool { return u.has(v) })
}

// A set is what a box allows in one dimension: the numbers of spans that are in
// every one of choices and in none of the cubes of without. Sets of a line
// have spans only, or all spans and one choice: those are what subtract and
// intersect take as their argument. Cubes are never expanded: a mask with
// twenty free bits stays one cube.
type set struct {
	spans   spans
	choices []choice
	without []cube
}

func (s *set) plain() bool { return len(s.choices) == 0 && len(s.without) == 0 }

func (s *set) has(v number) bool {
	if !s.spans.has(v) {
		return false
	}
	for i := range s.choices {
		if !s.choices[i].has(v) {
			return false
		}
	}
	return !slices.ContainsFunc(s.without, func(u cube) bool { return u.has(v) })
}

// minus takes away a set of a line.
func (s *set) minus(t *set) *set {
	if len(t.choices) == 0 {
		return &set{s.spans.minus(t.spans), s.choices, s.without}
	}
	c := t.choices[0]
	return &set{s.spans.minus(c.spans), s.choices, slices.Concat(s.without, c.cubes)}
}

// intersect keeps what is in a set of a line too.
func (s *set) intersect(t *set) *set {
	return &set{s.spans.intersect(t.spans), slices.Concat(s.choices, t.choices), s.without}
}

// to tells how s, which is not empty, lies to a set of a line.
func (s *set) to(t *set, w *work) relation {
	if s.plain() && len(t.choices) == 0 {
		return s.spans.to(t.spans)
	}
	if s.intersect(t).empty(w) {
		return apart
	}
	if s.minus(t).empty(w) {
		return inside
	}
	return partly
}

func (s *set) empty(w *work) bool {
	if len(s.spans) == 0 {
		return true
	}
	if s.plain() {
		return false
	}
	_, ok := s.first(w)
	return !ok
}

// first gives a number of the set, and false when there is none; it is the
// lowest one when the set has spans only.
func (s *set) first(w *work) (number, bool) {
	switch {
	case len(s.spans) == 0:
		return number{}, false
	case s.plain():
		return s.spans[0].first, true
	}
	return s.solve(cube{free: ones(s.spans[len(s.spans)-1].last.width())}, w)
}

// solve looks for a number of the set in a cube: it takes one that is in the
// cube and the spans, and where that is in the way of a cube of without, or
// outside of a choice, goes on in the parts that are not.
func (s *set) solve(in cube, w *work) (number, bool) {
	v, ok := s.spans.among(in)
	if !ok || !w.spend(1+len(s.choices)+len(s.without)) {
		return v, ok
	}
	for i := range s.choices {
		if !s.choices[i].has(v) {
			return s.choose(i, in, w)
		}
	}
	for _, u := range s.without {
		if u.has(v) {
			return s.avoid(u, in, w)
		}
	}
	return v, true
}

// choose goes on in each part of a choice.
func (s *set) choose(i int, in cube, w *work) (number, bool) {
	c := s.choices[i]
	rest := set{s.spans.intersect(c.spans), slices.Concat(s.choices[:i], s.choices[i+1:]), s.without}
	if v, ok := rest.solve(in, w); ok {
		return v, true
	}
	rest.spans = s.spans
	for _, u := range c.cubes {
		if both, ok := in.intersect(u); ok {
			if v, ok := rest.solve(both, w); ok {
				return v, true
			}
		}
	}
	return number{}, false
}

// avoid goes on in the parts of a cube outside of another one: for each bit
// that u looks at and the cube leaves open, those that differ in it and agree
// in the ones before.
func (s *set) avoid(u, in cube, w *work) (number, bool) {
	for open := in.free.andNot(u.free); open != (number{}); {
		bit := open.highest()
		open = open.andNot(bit)
		in.free = in.free.andNot(bit)
		agrees, differs := in, in
		if u.value.and(bit) == bit {
			agrees.value = in.value.or(bit)
		} else {
			differs.value = in.value.or(bit)
		}
		if v, ok := s.solve(differs, w); ok {
			return v, true
		}
		in = agrees
	}
	return number{}, false
}

// among gives the lowest number that is in the cube too.
func (s spans) among(c cube) (number, bool) {
	for i := 0; i < len(s); {
		v, ok := c.from(s[i].first)
		if !ok {
			return v, false
		}
		if !s[i].last.less(v) {
			return v, true
		}
		i += s[i:].reaching(v)
	}
	return number{}, false
}

// from gives the lowest number of the cube that is not below low.
func (c cube) from(low number) (number, bool) {
	v := c.value.or(low.and(c.free))
	if v == low {
		return v, true
	}
	bit := v.xor(low).highest()
	if v.less(low) {
		// A higher bit must grow: the lowest that is free and zero.
		up := c.free.andNot(v).andNot(bit.or(bit.prev()))
		if up == (number{}) {
			return v, false
		}
		bit = up.lowest()
		v = v.or(bit)
	}
	return v.andNot(c.free.and(bit.prev())), true
}

// intersect gives what two cubes share; false when that is nothing.
func (c cube) intersect(d cube) (cube, bool) {
	return cube{c.value.or(d.value), c.free.and(d.free)}, c.value.xor(d.value).andNot(c.free.or(d.free)) == number{}
}

// highest gives the highest one bit alone.
func (a number) highest() number {
	n := a.width()
	if n > 64 {
		return number{hi: 1 << (n - 65)}
	}
	return number{lo: 1 << (n - 1)}
}

// lowest gives the lowest one bit alone.
func (a number) lowest() number {
	if a.lo != 0 {
		return number{lo: a.lo & -a.lo}
	}
	return number{hi: a.hi & -a.hi}
}
