package classifier

import (
	"math"
	"slices"
)

// edge is where a span of IPv6 begins, or the first address behind one. The
// edge of an IPv4 span is one number, address << 32 | ref.
type edge struct {
	at  point
	ref uint32 // number of the span << 1, and 1 where it is behind the span
}

// rank gives every span and end its ranks. An axis is divided wherever some
// span begins or has ended; the parts are numbered in order, those of IPv4
// first. Inside a part nothing changes, so that its rank says all there is to
// know of an address.
//
// In a direct table every address is a rank.
func (c *compiler) rank() {
	both(func(side int) {
		if c.direct {
			c.ends[side].number()
		} else {
			c.ends[side].rank()
		}
	})
}

func (e *ends) rank() {
	e.mark()
	e.four = sort4(e.four, take[uint64](e.work, len(e.four)))
	e.six = sort6(e.six)
	e.ranks = take[limits](e.work, len(e.spans))
	e.starts4 = append(take[uint32](e.work, len(e.four)+1)[:0], 0)
	for _, x := range e.four {
		if at := uint32(x >> 32); at != e.starts4[len(e.starts4)-1] {
			e.starts4 = append(e.starts4, at)
		}
		e.note(uint32(x), uint32(len(e.starts4)-1))
	}
	e.starts6 = append(take[point](e.work, len(e.six)+1)[:0], point{})
	for i := range e.six {
		if at := e.six[i].at; at != e.starts6[len(e.starts6)-1] {
			e.starts6 = append(e.starts6, at)
		}
		e.note(e.six[i].ref, uint32(e.size()-1))
	}
	e.bound()
}

// mark makes the edges of all spans.
func (e *ends) mark() {
	e.four = take[uint64](e.work, 2*len(e.spans))[:0]
	for i := range e.spans {
		s, ref := &e.spans[i], uint32(i)<<1
		if s.six {
			e.six = append(e.six, edge{s.first, ref})
			if s.last != (point{math.MaxUint64, math.MaxUint64}) {
				e.six = append(e.six, edge{s.last.next(), ref | 1})
			}
			continue
		}
		e.four = append(e.four, s.first.lo<<32|uint64(ref))
		if s.last.lo != math.MaxUint32 {
			e.four = append(e.four, (s.last.lo+1)<<32|uint64(ref|1))
		}
	}
}

// note gives a span one of its ranks. The ranks of a span that holds its
// family's largest address have no last one yet.
func (e *ends) note(ref, rank uint32) {
	r := &e.ranks[ref>>1]
	if ref&1 == 0 {
		*r = limits{rank, math.MaxUint32}
	} else {
		r.last = rank - 1
	}
}

// bound ends what reaches to the end of its family, and gives each end the
// ranks around what it holds.
func (e *ends) bound() {
	for i := range e.ranks {
		if r := &e.ranks[i]; r.last == math.MaxUint32 {
			r.last = uint32(e.size() - 1)
			if !e.spans[i].six {
				r.last = uint32(len(e.starts4) - 1)
			}
		}
	}
	for i := range e.list {
		x := &e.list[i]
		if x.any || x.group >= 0 || x.spans.len() == 0 {
			x.first, x.last = 0, math.MaxUint32
			continue
		}
		x.first, x.last = e.ranks[x.spans.first].first, e.ranks[x.spans.behind-1].last
	}
}

const radixBits = 11

// fewEdges are sorted sooner by comparing them.
const fewEdges = 256

// sort4 sorts by address. What it gives may lie in either of the two.
func sort4(list, spare []uint64) []uint64 {
	if len(list) < fewEdges {
		slices.Sort(list)
		return list
	}
	for shift := 32; shift < 64; shift += radixBits {
		var at [1 << radixBits]uint32
		for _, x := range list {
			at[x>>shift&(1<<radixBits-1)]++
		}
		sums(&at)
		for _, x := range list {
			d := &at[x>>shift&(1<<radixBits-1)]
			spare[*d] = x
			*d++
		}
		list, spare = spare, list
	}
	return list
}

// sums makes counts the numbers of all that come before.
func sums(counts *[1 << radixBits]uint32) {
	sum := uint32(0)
	for d, n := range counts {
		counts[d] = sum
		sum += n
	}
}

// sort6 sorts by address.
func sort6(list []edge) []edge {
	if len(list) < fewEdges {
		slices.SortFunc(list, func(a, b edge) int { return a.at.compare(b.at) })
		return list
	}
	spare := make([]edge, len(list))
	for _, half := range []func(*edge) uint64{func(e *edge) uint64 { return e.at.lo }, func(e *edge) uint64 { return e.at.hi }} {
		varies := uint64(0)
		for i := range list {
			varies |= half(&list[i]) ^ half(&list[0])
		}
		for shift := 0; shift < 64; shift += radixBits {
			if varies>>shift&(1<<radixBits-1) != 0 {
				scatter(list, spare, func(e *edge) uint64 { return half(e) >> shift & (1<<radixBits - 1) })
				list, spare = spare, list
			}
		}
	}
	return list
}

// scatter is one pass of a radix sort.
func scatter(from, to []edge, digit func(*edge) uint64) {
	var at [1 << radixBits]uint32
	for i := range from {
		at[digit(&from[i])]++
	}
	sums(&at)
	for i := range from {
		d := &at[digit(&from[i])]
		to[*d] = from[i]
		*d++
	}
}

// sweep gives, by rank, the shapes that have an entry for it.
func (e *ends) sweep() []uint64 {
	shapes := take[uint64](e.work, len(e.spans))
	for i := range e.list {
		for s := e.list[i].spans.first; s < e.list[i].spans.behind; s++ {
			shapes[s] = e.shapes[i]
		}
	}
	out := take[uint64](e.work, e.size())
	now, rank := counted{}, 0
	for _, x := range e.four {
		for ; rank+1 < len(e.starts4) && e.starts4[rank+1] <= uint32(x>>32); rank++ {
			out[rank] = now.set
		}
		now.add(shapes[uint32(x)>>1], x&1 == 0)
	}
	out[rank] = now.set
	now, rank = counted{}, 0
	six := out[len(e.starts4):]
	for i := range e.six {
		x := &e.six[i]
		for ; rank+1 < len(e.starts6) && e.starts6[rank+1].compare(x.at) <= 0; rank++ {
			six[rank] = now.set
		}
		now.add(shapes[x.ref>>1], x.ref&1 == 0)
	}
	six[rank] = now.set
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
