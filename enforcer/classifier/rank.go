package classifier

import (
	"math"
	"slices"
)

// edge is where a span begins, or the first address behind one.
type edge struct {
	at   point
	ref  uint32 // number of the span << 1, and 1 where it is behind the span
	rank uint32
}

// rank gives every span and end its ranks. An axis is divided wherever some
// span begins or has ended; the parts are numbered in order, those of IPv4
// first. Inside a part nothing changes, so that its rank says all there is to
// know of an address.
func (c *compiler) rank() {
	for i := range c.ends {
		c.ends[i].rank()
	}
}

func (e *ends) rank() {
	var families [2][]edge
	families[0] = make([]edge, 0, 2*len(e.spans))
	for i, s := range e.spans {
		f, max := 0, point{lo: math.MaxUint32}
		if s.six {
			f, max = 1, point{math.MaxUint64, math.MaxUint64}
		}
		families[f] = append(families[f], edge{at: s.first, ref: uint32(i) << 1})
		if s.last != max {
			families[f] = append(families[f], edge{at: s.last.next(), ref: uint32(i)<<1 | 1})
		}
	}
	first := uint32(0)
	for f, edges := range families {
		sortEdges(edges)
		e.number(f, edges, first)
		first += uint32(len(e.starts[f]))
		e.edges = append(e.edges, edges...)
	}
	e.bound()
}

// noEnd is the last rank of a span that holds the largest address.
const noEnd = math.MaxUint32

// number gives the sorted edges of a family their ranks.
func (e *ends) number(family int, edges []edge, first uint32) {
	starts := make([]point, 1, len(edges)+1)
	for i := range edges {
		x := &edges[i]
		if x.at != starts[len(starts)-1] {
			starts = append(starts, x.at)
		}
		x.rank = first + uint32(len(starts)-1)
		s := &e.spans[x.ref>>1]
		if x.ref&1 == 0 {
			s.from, s.to = x.rank, noEnd
			continue
		}
		s.to = x.rank - 1
	}
	e.starts[family] = starts
	for i := range e.spans {
		s := &e.spans[i]
		if s.six == (family == 1) && s.to == noEnd {
			s.to = first + uint32(len(starts)-1)
		}
	}
}

// bound gives each end the ranks around what it holds.
func (e *ends) bound() {
	for i := range e.list {
		x := &e.list[i]
		if x.any || x.group >= 0 || x.spans.len() == 0 {
			x.first, x.last = 0, math.MaxUint32
			continue
		}
		x.first, x.last = e.spans[x.spans.first].from, e.spans[x.spans.behind-1].to
	}
}

// sortEdges sorts by address.
func sortEdges(edges []edge) {
	if len(edges) < 128 {
		slices.SortFunc(edges, func(a, b edge) int { return a.at.compare(b.at) })
		return
	}
	spare := make([]edge, len(edges))
	from, to := edges, spare
	for _, half := range []func(*edge) uint64{func(e *edge) uint64 { return e.at.lo }, func(e *edge) uint64 { return e.at.hi }} {
		varies := uint64(0)
		for i := range edges {
			varies |= half(&edges[i]) ^ half(&edges[0])
		}
		for shift := 0; shift < 64; shift += radixBits {
			if varies>>shift&(1<<radixBits-1) != 0 {
				scatter(from, to, func(e *edge) uint64 { return half(e) >> shift & (1<<radixBits - 1) })
				from, to = to, from
			}
		}
	}
	if &from[0] != &edges[0] {
		copy(edges, from)
	}
}

const radixBits = 11

// scatter is one pass of a radix sort.
func scatter(from, to []edge, digit func(*edge) uint64) {
	var at [1 << radixBits]uint32
	for i := range from {
		at[digit(&from[i])]++
	}
	sum := uint32(0)
	for d, n := range at {
		at[d] = sum
		sum += n
	}
	for i := range from {
		d := digit(&from[i])
		to[at[d]] = from[i]
		at[d]++
	}
}

// sweep gives, by rank, the shapes that have an entry for it.
func (e *ends) sweep() []uint64 {
	owners := make([]int32, len(e.spans))
	for i := range e.list {
		for s := e.list[i].spans.first; s < e.list[i].spans.behind; s++ {
			owners[s] = int32(i)
		}
	}
	out := make([]uint64, len(e.starts[0])+len(e.starts[1]))
	for f, at := 0, 0; f < 2; f++ {
		var now counted
		n := len(e.starts[0])
		if f == 1 {
			n = len(out)
		}
		edges := e.edges
		for rank := f * len(e.starts[0]); rank < n; rank++ {
			for ; at < len(edges) && edges[at].rank == uint32(rank); at++ {
				shapes := e.list[owners[edges[at].ref>>1]].shapes
				now.add(shapes, edges[at].ref&1 == 0)
			}
			out[rank] = now.set
		}
	}
	return out
}

// counted is a set of shapes of which each may be held many times.
type counted struct {
	set    uint64
	counts [64]int32
}

func (c *counted) add(shapes uint64, hold bool) {
	for ; shapes != 0; shapes &= shapes - 1 {
		i := trailing(shapes)
		if hold {
			c.counts[i]++
		} else {
			c.counts[i]--
		}
		if c.counts[i] > 0 {
			c.set |= 1 << i
		} else {
			c.set &^= 1 << i
		}
	}
}
