package classifier

import (
	"math"
	"math/bits"
	"slices"

	"aclium/enforcer/bpf"
)

const (
	indexNode   = uint32(1) << 31
	countShift  = uint32(bpf.AcliumTableConstINDEX_COUNT_SHIFT)
	maxCount    = int(bpf.AcliumTableConstINDEX_AHEAD) // starts inside a cell
	maxCellBits = 16                                   // cells of one node
	nodeHeader  = 16                                   // bytes before the cells
)

// node writes the index of starts[first:behind] and what is below it. Keys
// below them all have the rank first-1. All bounds are inclusive, so that the
// largest key needs no carry.
func node[T uint32 | uint64](b *blob, starts []T, first, behind int) uint32 {
	b.align()
	if first == behind {
		at := b.size()
		b.u64(0)
		b.u32(63)
		b.u32(0)
		b.u32(uint32(first - 1))
		b.align()
		return at
	}
	n := behind - first
	base := uint64(starts[first]) - 1
	span := uint64(starts[behind-1]) - base
	shift := min(max(0, bits.Len64(span)-cellBits(n)), 63)
	last := span >> shift
	b.keepTogether(nodeHeader + 4*int(last+1))
	at := b.size()
	b.u64(base)
	b.u32(uint32(shift))
	b.u32(uint32(last))
	b.skip(4 * int(last+1))
	at0 := at + nodeHeader
	for cell, i := uint64(0), first; cell <= last; cell++ {
		from := base + cell<<shift
		for i < behind && uint64(starts[i]) <= from {
			i++
		}
		j := i
		for j < behind && uint64(starts[j])-from < 1<<shift {
			j++
		}
		content := uint32(i-1) | uint32(j-i)<<countShift
		if j-i > maxCount {
			content = indexNode | node(b, starts, i, j)>>3
		}
		native.PutUint32(b.bytes[at0+4*uint32(cell):], content)
		i = j
	}
	b.align()
	return at
}

// cellBits gives how many bits of a key choose among the cells of n starts.
func cellBits(n int) int {
	if n <= maxCount {
		return 0
	}
	return min(max(bits.Len(uint(n))-1, 3), maxCellBits)
}

// index writes the index of starts, which begin with 0.
func (b *blob) index(starts []uint32) bpf.AcliumTableIndex {
	before := make([]uint32, len(starts), len(starts)+maxCount)
	for i, start := range starts {
		before[i] = start - 1
	}
	for range maxCount {
		before = append(before, math.MaxUint32)
	}
	return bpf.AcliumTableIndex{Root: node(b, starts, 1, len(starts)), Starts: putAll(b, before)}
}

// encodeEnd writes one end's indexes.
func (c *compiler) encodeEnd(b *blob, side int, h *bpf.AcliumTableEnd) {
	e := &c.ends[side]
	h.Ipv4 = node(b, e.starts4, 1, len(e.starts4))
	h.First6 = uint32(len(e.starts4))
	b.encodeIPv6(e.starts6, h)
	b.encodeRanks(e, h)
	c.encodeIdentities(b, side, h)
}

// encodeRanks writes what the table says of each rank. Few sets of shapes
// differ, so that they stand apart.
func (b *blob) encodeRanks(e *ends, h *bpf.AcliumTableEnd) {
	any := uint64(0)
	for i := range e.list {
		if e.list[i].any {
			any |= e.shapes[i]
		}
	}
	known, sets := map[uint64]uint32{}, []uint64{}
	ranks := make([]bpf.AcliumTableRank, e.size()+maxCount)
	for i := range ranks {
		ranks[i].Before = math.MaxUint32
	}
	for i, start := range e.starts4 {
		ranks[i].Before = start - 1
	}
	for i, shapes := range e.sweep() {
		set, ok := known[shapes|any]
		if !ok {
			set = uint32(len(sets))
			known[shapes|any], sets = set, append(sets, shapes|any)
		}
		ranks[i].Set = set
	}
	b.keepTogether(line)
	h.Ranks = putAll(b, ranks)
	h.Sets = putAll(b, sets)
}

// encodeIPv6 writes the index of high halves, and those of the low halves
// behind a high one that some start divides.
func (b *blob) encodeIPv6(starts []point, h *bpf.AcliumTableEnd) {
	lows := make([]uint64, len(starts))
	for i, p := range starts {
		lows[i] = p.lo
	}
	var highs []uint64
	var ranks []uint32
	add := func(high uint64, rank int, node uint32) {
		highs = append(highs, high)
		ranks = append(ranks, h.First6+uint32(rank), node)
	}
	for i := 0; i < len(starts); {
		high := starts[i].hi
		rank, first := i, i+1
		if starts[i].lo != 0 {
			rank, first = i-1, i
		}
		behind := first
		for behind < len(starts) && starts[behind].hi == high {
			behind++
		}
		if first == behind {
			add(high, rank, 0)
		} else {
			add(high, rank, node(b, lows, first, behind))
			if high != math.MaxUint64 && (behind == len(starts) || starts[behind] != point{hi: high + 1}) {
				add(high+1, behind-1, 0)
			}
		}
		i = behind
	}
	// A half that follows a divided one may be divided itself.
	highs, ranks = joinHalves(highs, ranks)
	h.Ipv6 = bpf.AcliumTableIndex{Root: node(b, highs, 1, len(highs)), Starts: putAll(b, highs)}
	h.Halves, h.Lows = putAll(b, ranks), putAll(b, lows)
}

// joinHalves keeps the last one of equal high halves.
func joinHalves(highs []uint64, ranks []uint32) (h []uint64, r []uint32) {
	for i := range highs {
		if i+1 < len(highs) && highs[i+1] == highs[i] {
			continue
		}
		h, r = append(h, highs[i]), append(r, ranks[2*i], ranks[2*i+1])
	}
	return h, r
}

// encodeIdentities writes the classes of identities and their shapes.
func (c *compiler) encodeIdentities(b *blob, side int, h *bpf.AcliumTableEnd) {
	d := c.identities
	starts, classes := []uint32{0}, []uint32{0}
	put := func(start, class uint32) {
		if starts[len(starts)-1] == start {
			classes[len(classes)-1] = class
		} else if classes[len(classes)-1] != class {
			starts, classes = append(starts, start), append(classes, class)
		}
	}
	for i, id := range d.list {
		if d.class[i] == 0 {
			continue
		}
		put(id.ID, d.class[i])
		if id.ID != math.MaxUint32 {
			put(id.ID+1, 0)
		}
	}
	shapes := make([]uint64, d.count)
	for i := range c.ends[side].list {
		if group := c.ends[side].list[i].group; group >= 0 {
			for _, class := range d.sets[group] {
				shapes[class] |= c.ends[side].shapes[i]
			}
		}
	}
	h.Identity, h.Classes, h.IdentityShapes = b.index(starts), putAll(b, classes), putAll(b, shapes)
}

// portShapes gives the starts of the parts of a port's axis, and their shapes.
func (c *compiler) portShapes(which int) (starts []uint32, shapes []uint64) {
	type edge struct {
		at     uint32
		on     bool
		shapes uint64
	}
	full, sum := c.intervals(which)
	var edges []edge
	for p, s := range sum {
		edges = append(edges, edge{uint32(p.first), true, s})
		if p.last != math.MaxUint16 {
			edges = append(edges, edge{uint32(p.last) + 1, false, s})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return int(a.at) - int(b.at) })
	var now counted
	starts, shapes = []uint32{0}, []uint64{full}
	for i := range edges {
		now.add(edges[i].shapes, edges[i].on)
		if i+1 < len(edges) && edges[i+1].at == edges[i].at {
			continue
		}
		if at := edges[i].at; at == 0 {
			shapes[0] = full | now.set
		} else {
			starts, shapes = append(starts, at), append(shapes, full|now.set)
		}
	}
	return starts, shapes
}

// noted is an interval of ports and shapes that are known to be in its sum.
type noted struct {
	at     bounds
	shapes uint64
}

// intervals gives the shapes of the rules that take any port, and of those
// that take each interval. Most rules have an interval that was met before.
func (c *compiler) intervals(which int) (full uint64, sum map[bounds]uint64) {
	recent := take[noted](c.work, min(1<<bits.Len(uint(len(c.rules))), 8192))
	sum = map[bounds]uint64{}
	add := func(p bounds, shapes uint64) {
		r := &recent[(uint32(p.first)<<16|uint32(p.last))*0x9e3779b1>>8&uint32(len(recent)-1)]
		if r.at == p && r.shapes != 0 && r.shapes|shapes == r.shapes {
			return
		}
		sum[p] |= shapes
		*r = noted{p, sum[p]}
	}
	for i := range c.rules {
		r := &c.rules[i]
		if p := r.ports[which]; r.sets[which] == 0 && p == (bounds{0, math.MaxUint16}) {
			full |= r.shapes
		} else if r.sets[which] == 0 {
			add(p, r.shapes)
		}
		for _, p := range c.portSets[r.sets[which]] {
			add(bounds{p.First, p.Last}, r.shapes)
		}
	}
	return full, sum
}

// protocolShapes gives the shapes that have an entry for each protocol, of
// whole packets and of later fragments.
func (c *compiler) protocolShapes(kinds [][2]uint64) (whole, later [256]uint64) {
	for i, s := range kinds {
		for v := range 256 {
			if c.kinds[i].protocols.Has(uint8(v)) {
				whole[v] |= s[0]
			}
			if c.kinds[i].later.Has(uint8(v)) {
				later[v] |= s[1]
			}
		}
	}
	return whole, later
}
