package check

// How a box is found to be covered by the union of other boxes.
//
// A packet that the box holds and the others do not proves that it is not
// covered; most boxes that are not covered have many such packets, and a short
// walk finds one: start anywhere in the box; while some other box holds the
// packet, step out of that one along a dimension in which the box reaches
// further.
//
// When the walk fails, the boxes that overlap are taken away one after another
// from the box. Taking one away leaves one piece for each dimension in which
// the piece before reaches out, so the box is taken first that leaves the
// fewest: none means covered, and one means that the piece shrinks without
// splitting. Pieces are looked at depth first, so that the first one that
// nothing overlaps ends the search. The worst case is exponential in the number
// of dimensions, as the problem is; work bounds it.

// work is a budget. When it is used up, whatever was asked with it is
// undecided.
type work struct {
	left int
	over bool
}

// spend takes n steps; false when the budget is used up.
func (w *work) spend(n int) bool {
	w.left -= n
	w.over = w.over || w.left < 0
	return !w.over
}

// A block is a box of a line.
type block struct {
	box  box
	line int
}

// A plane holds the boxes of a list's lines for one kind of packets.
type plane struct {
	space  *space
	blocks []block // in the order of the lines
	starts []int   // the first block of each line, and the number of blocks
	index  index
	// idle are the blocks of lines that decide nothing in this plane, because
	// lines before them hold all of their packets: the union of the lines up
	// to any place is the same without them.
	idle bitset
}

func newPlane(s *space, lines [][]box) *plane {
	p := &plane{space: s}
	for i, boxes := range lines {
		p.starts = append(p.starts, len(p.blocks))
		for _, b := range boxes {
			p.blocks = append(p.blocks, block{b, i})
		}
	}
	p.starts = append(p.starts, len(p.blocks))
	p.index = newIndex(p.blocks)
	p.idle = newBitset(len(p.blocks))
	return p
}

// idles notes that a line decides nothing.
func (p *plane) idles(line int) {
	for i := p.starts[line]; i < p.starts[line+1]; i++ {
		p.idle.set(i)
	}
}

// boxes gives the boxes of a line.
func (p *plane) boxes(line int) []block { return p.blocks[p.starts[line]:p.starts[line+1]] }

// A selection says which lines of a list are taken: those from first to before
// end that accept takes; nil takes all of them. Working takes none that decide
// nothing.
type selection struct {
	first, end int
	accept     func(line int) bool
	working    bool
}

func (c *selection) has(line int) bool { return c.accept == nil || c.accept(line) }

// each calls do with the blocks of the selected lines that may share packets
// with what has the sketch, in order, until it says stop.
func (p *plane) each(sk sketch, c selection, w *work, do func(i int) (stop bool)) {
	var without bitset
	if c.working {
		without = p.idle
	}
	p.index.each(sk, p.starts[c.first], p.starts[c.end], without, w, func(i int) bool {
		return c.has(p.blocks[i].line) && do(i)
	})
}

// at gives the first block of the selected lines that holds the point, or -1.
func (p *plane) at(pt point, c selection, w *work) int {
	found := -1
	p.each(p.index.cuts.sketchPoint(pt), c, w, func(i int) bool {
		w.spend(1)
		if p.blocks[i].box.has(pt) {
			found = i
		}
		return found >= 0
	})
	return found
}

// meeting gives the blocks of the selected lines that overlap the box. One that
// covers it is given alone unless all are wanted.
func (p *plane) meeting(b box, c selection, all bool, w *work) (out []block) {
	p.each(p.index.cuts.sketch(b), c, w, func(i int) bool {
		w.spend(1 + len(p.blocks[i].box))
		open, _, ok := b.overlap(p.blocks[i].box, w)
		if ok && open == 0 && !all {
			out = append(out[:0], p.blocks[i])
			return true
		}
		if ok {
			out = append(out, p.blocks[i])
		}
		return w.over
	})
	return out
}

// somewhere gives a packet in a box.
func (p *plane) somewhere(b box, w *work) point {
	pt := make(point, len(p.space.widths))
	for d, width := range p.space.widths {
		if width > 1 {
			pt[d] = ones(width)
		}
	}
	for _, l := range b {
		pt[l.in], _ = l.set.first(w)
	}
	return pt
}

// maxSteps is how far the walk goes for a packet.
const maxSteps = 10

// outside looks for a packet of the box that none of the selected lines holds:
// it is covered when there is none. Whether w is used up must be asked then.
func (p *plane) outside(b box, c selection, w *work) (point, bool) {
	if pt, ok := p.stroll(b, c, w); ok || w.over {
		return pt, ok && !w.over
	}
	piece, ok := p.left(b, boxesOf(p.meeting(b, c, false, w)), w, func(box) bool { return true })
	if !ok || w.over {
		return nil, false
	}
	return p.somewhere(piece, w), !w.over
}

// covered reports whether the chosen lines hold all of a box.
func (p *plane) covered(b box, c selection, w *work) bool {
	_, out := p.outside(b, c, w)
	return !out && !w.over
}

// stroll is the walk.
func (p *plane) stroll(b box, c selection, w *work) (point, bool) {
	pt := p.somewhere(b, w)
	for step := range maxSteps {
		i := p.at(pt, c, w)
		if i < 0 {
			return pt, true
		}
		if w.over || !p.leave(pt, b, p.blocks[i].box, step, w) {
			return nil, false
		}
	}
	return nil, false
}

// leave moves a packet out of a line's box and stays in b; false when b does
// not reach out of it. Each step tries another dimension first.
func (p *plane) leave(pt point, b, c box, step int, w *work) bool {
	for k := range c {
		l := c[(k+step)%len(c)]
		v, ok := b.at(l.in, p.space).minus(l.set).first(w)
		if ok {
			pt[l.in] = v
			return true
		}
	}
	return false
}

func boxesOf(blocks []block) []box {
	boxes := make([]box, len(blocks))
	for i := range blocks {
		boxes[i] = blocks[i].box
	}
	return boxes
}

// left goes through the pieces of the box that none of the others overlaps,
// which are disjoint, and gives the first one that stop takes.
func (p *plane) left(b box, others []box, w *work, stop func(box) bool) (box, bool) {
	for !w.over {
		var rest []box
		var ok bool
		var best int
		if b, rest, best, ok = p.shrink(b, others, w); !ok {
			return nil, false
		}
		if len(rest) == 0 {
			return b, stop(b)
		}
		if best < 0 {
			others = rest
			continue
		}
		cut := rest[best]
		rest[best] = rest[len(rest)-1]
		others = rest[:len(rest)-1]
		pieces := p.split(b, cut, w)
		if len(pieces) == 0 {
			return nil, false // the line's limits are none
		}
		for _, piece := range pieces[:len(pieces)-1] {
			if out, ok := p.left(piece, others, w, stop); ok {
				return out, true
			}
		}
		b = pieces[len(pieces)-1]
	}
	return nil, false
}

// shrink takes away from a box those of the others that leave one piece of it,
// all at once, and gives the rest of those that overlap it, with the one that
// leaves the fewest pieces; best is -1 when the box has shrunk, so that they
// must be looked at again. It is not ok when nothing of the box is left.
func (p *plane) shrink(b box, others []box, w *work) (out box, rest []box, best int, ok bool) {
	rest = make([]box, 0, len(others))
	var cuts map[dimension][]span
	best = -1
	fewest, shrunk := 0, false
	for _, c := range others {
		w.spend(1 + len(c))
		open, at, ok := b.overlap(c, w)
		switch {
		case !ok:
			continue
		case open == 0:
			return nil, nil, 0, false
		case open == 1 && len(c[at].set.choices) == 0:
			if cuts == nil {
				cuts = map[dimension][]span{}
			}
			cuts[c[at].in] = append(cuts[c[at].in], c[at].set.spans...)
			continue
		case open == 1:
			b, shrunk = b.with(c[at].in, b.at(c[at].in, p.space).minus(c[at].set)), true
			continue
		case best < 0 || open < fewest:
			best, fewest = len(rest), open
		}
		rest = append(rest, c)
	}
	for d, in := range cuts {
		s := b.at(d, p.space).minus(&set{spans: newSpans(in...)})
		w.spend(len(in))
		if s.empty(w) {
			return nil, nil, 0, false
		}
		b, shrunk = b.with(d, s), true
	}
	if shrunk {
		best = -1
	}
	return b, rest, best, true
}

// split gives what a line's box leaves of a box that it overlaps and does not
// cover: disjoint pieces.
func (p *plane) split(b, c box, w *work) (out []box) {
	for _, l := range c {
		have := b.at(l.in, p.space)
		rest := have.minus(l.set)
		if rest.empty(w) {
			continue
		}
		w.spend(len(rest.spans) + len(rest.choices) + len(rest.without))
		out = append(out, b.with(l.in, rest))
		b = b.with(l.in, have.intersect(l.set))
	}
	return out
}
