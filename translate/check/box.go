package check

import "slices"

// A dimension is one thing that lines look at. A space gives each its width.
type dimension int

// A space is what boxes are parts of: for each dimension the number of bits
// that its values have.
type space struct{ widths []int }

// add gives a further dimension.
func (s *space) add(width int) dimension {
	s.widths = append(s.widths, width)
	return dimension(len(s.widths) - 1)
}

func (s *space) whole(d dimension) *set { return &set{spans: spans{{number{}, ones(s.widths[d])}}} }

// A limit is what a box allows in one dimension.
type limit struct {
	in  dimension
	set *set
}

// A box is a product of sets. It has its limits in the order of the
// dimensions; a dimension without a limit allows everything.
type box []limit

// find gives the place of a dimension's limit.
func (b box) find(d dimension) (int, bool) {
	for i := range b {
		if b[i].in >= d {
			return i, b[i].in == d
		}
	}
	return len(b), false
}

// at gives what the box allows in a dimension.
func (b box) at(d dimension, s *space) *set {
	if i, ok := b.find(d); ok {
		return b[i].set
	}
	return s.whole(d)
}

// with gives the box with another limit in a dimension.
func (b box) with(d dimension, v *set) box {
	i, ok := b.find(d)
	out := make(box, 0, len(b)+1)
	out = append(append(out, b[:i]...), limit{d, v})
	if ok {
		i++
	}
	return append(out, b[i:]...)
}

// overlap tells how a box lies to that of a line: false when they share
// nothing, else in how many dimensions the box reaches out of the line's, and
// in which limit of it last.
func (b box) overlap(c box, w *work) (open, at int, ok bool) {
	i := 0
	for k := range c {
		for i < len(b) && b[i].in < c[k].in {
			i++
		}
		if i == len(b) || b[i].in != c[k].in {
			open, at = open+1, k
			continue
		}
		if b[i].set == c[k].set {
			continue
		}
		switch b[i].set.to(c[k].set, w) {
		case apart:
			return 0, 0, false
		case partly:
			open, at = open+1, k
		}
	}
	return open, at, true
}

// intersect keeps what is in a line's box too; false when that is nothing.
func (b box) intersect(c box, w *work) (box, bool) {
	out := slices.Clone(b)
	for k := range c {
		i, ok := out.find(c[k].in)
		if !ok {
			out = out.with(c[k].in, c[k].set)
			continue
		}
		s := out[i].set.intersect(c[k].set)
		if s.empty(w) {
			return nil, false
		}
		out[i].set = s
	}
	return out, true
}

// A point is one packet: a value for each dimension.
type point []number

func (b box) has(p point) bool {
	for i := range b {
		if !b[i].set.has(p[b[i].in]) {
			return false
		}
	}
	return true
}

// sketchDims are the dimensions that boxes are sketched in: the first ones of
// a space.
const sketchDims = 4

// A sketch says for some dimensions which of 64 parts of it a box touches.
// Boxes overlap only if their sketches share a part in each of them.
type sketch [sketchDims]uint64

// cuts are where the parts of a dimension begin, so that about as many boxes
// begin in each of them.
type cuts [sketchDims][]number

const sketchParts = 64

func newCuts(blocks []block) (c cuts) {
	for d := range sketchDims {
		var starts []number
		for k := range blocks {
			b := blocks[k].box
			if i, ok := b.find(dimension(d)); ok && len(b[i].set.choices) == 0 && len(b[i].set.spans) > 0 {
				starts = append(starts, b[i].set.spans[0].first)
			}
		}
		slices.SortFunc(starts, number.compare)
		starts = slices.Compact(starts)
		for i := range sketchParts {
			if at := (i + 1) * len(starts) / sketchParts; at < len(starts) {
				c[d] = append(c[d], starts[at])
			}
		}
		c[d] = slices.Compact(c[d])
	}
	return c
}

// part gives the part that a number lies in.
func (c *cuts) part(d int, v number) int {
	low, high := 0, len(c[d])
	for low < high {
		if m := (low + high) / 2; v.less(c[d][m]) {
			high = m
		} else {
			low = m + 1
		}
	}
	return min(low, sketchParts-1)
}

func (c *cuts) sketch(b box) (s sketch) {
	for d := range s {
		s[d] = ^uint64(0)
		i, ok := b.find(dimension(d))
		if !ok || len(b[i].set.choices) > 0 {
			continue
		}
		s[d] = 0
		for _, v := range b[i].set.spans {
			from, to := c.part(d, v.first), c.part(d, v.last)
			s[d] |= ^uint64(0) << from & (^uint64(0) >> (sketchParts - 1 - to))
		}
	}
	return s
}

func (c *cuts) sketchPoint(p point) (s sketch) {
	for d := range s {
		s[d] = 1 << c.part(d, p[d])
	}
	return s
}
