package check

import "math/bits"

// A bitset is a set of the blocks of a plane.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

// An index finds blocks by their sketches: for each dimension and part it
// knows the blocks that touch it, so that those which touch the parts of a box
// in every dimension are found 64 at a time.
type index struct {
	cuts cuts
	rows [sketchDims][sketchParts]bitset
	// joined is room for the union of rows.
	joined [sketchDims]bitset
}

func newIndex(blocks []block) (x index) {
	x.cuts = newCuts(blocks)
	for d := range x.rows {
		x.joined[d] = newBitset(len(blocks))
		for k := range x.rows[d] {
			x.rows[d][k] = newBitset(len(blocks))
		}
	}
	for i := range blocks {
		for d, parts := range x.cuts.sketch(blocks[i].box) {
			for ; parts != 0; parts &= parts - 1 {
				x.rows[d][bits.TrailingZeros64(parts)].set(i)
			}
		}
	}
	return x
}

// widest is the number of parts above which looking at a dimension costs more
// than it saves.
const widest = 40

// each calls do with the blocks from one to before another, but those without,
// that may share packets with what has the sketch, in order, until it says
// stop.
func (x *index) each(sk sketch, from, to int, without bitset, w *work, do func(i int) (stop bool)) {
	if from >= to {
		return
	}
	first, last := from/64, (to-1)/64
	w.spend((last - first) / 4)
	var rows [sketchDims]bitset
	n := 0
	for d, parts := range sk {
		switch count := bits.OnesCount64(parts); {
		case count == 1:
			rows[n] = x.rows[d][bits.TrailingZeros64(parts)]
			n++
		case count <= widest:
			rows[n] = x.join(d, parts, first, last)
			n++
		}
	}
	for k := first; k <= last; k++ {
		word := ^uint64(0)
		for _, row := range rows[:n] {
			word &= row[k]
		}
		if without != nil {
			word &^= without[k]
		}
		if k == first {
			word &= ^uint64(0) << (from % 64)
		}
		if k == last {
			word &= ^uint64(0) >> (63 - (to-1)%64)
		}
		for ; word != 0; word &= word - 1 {
			if do(k*64 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}

// join gives the blocks that touch one of the parts, for some of the words.
func (x *index) join(d int, parts uint64, first, last int) bitset {
	out := x.joined[d]
	clear(out[first : last+1])
	for ; parts != 0; parts &= parts - 1 {
		row := x.rows[d][bits.TrailingZeros64(parts)]
		for k := first; k <= last; k++ {
			out[k] |= row[k]
		}
	}
	return out
}
