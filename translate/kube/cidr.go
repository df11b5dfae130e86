package kube

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"sort"

	"aclium/translate/policy"
)

// A block is a prefix without some others inside it.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// blocks covers the ranges exactly with few blocks.
func blocks(ranges []policy.AddrRange) (out []block) {
	for _, c := range covers(ranges, nil) {
		c.emit(c.root, wide{}, 0, false, -1)
		out = append(out, c.blocks...)
	}
	return out
}

// reaching gives the ranges, and of those that are free what makes for fewer
// blocks.
func reaching(ranges, free []policy.AddrRange) (out []policy.AddrRange) {
	exact, reaching := covers(ranges, nil), covers(ranges, free)
	if switches(reaching) >= switches(exact) {
		return ranges
	}
	for _, c := range reaching {
		c.emit(c.root, wide{}, 0, false, -1)
		out = append(out, c.inside...)
	}
	return out
}

func switches(covers []*cover) (n int) {
	for _, c := range covers {
		n += c.cost(c.root, 0)
	}
	return n
}

// covers covers each family with few blocks. The tree of prefixes is walked
// twice: first the fewest switches between inside and outside are counted for
// every prefix that is mixed, for either colour around it, then they are taken.
// A switch to inside opens a block, a switch back is an except of the block
// around it.
func covers(ranges, free []policy.AddrRange) (out []*cover) {
	for _, width := range []int{32, 128} {
		stretches := paint(width, ranges, free)
		if !slices.ContainsFunc(stretches, func(s stretch) bool { return s.colour == within }) {
			continue
		}
		// A stretch ends in about as many prefixes as an address has bits, half of
		// them shared with the next one.
		c := &cover{width: width, stretches: stretches, nodes: make([]node, 0, 16*len(stretches))}
		c.root = c.tree(wide{}, 0, 0, len(stretches))
		out = append(out, c)
	}
	return out
}

// wide is a number of 128 bits.
type wide struct{ high, low uint64 }

func (a wide) less(b wide) bool { return a.high < b.high || a.high == b.high && a.low < b.low }

func (a wide) next() wide {
	low, carry := bits.Add64(a.low, 1, 0)
	return wide{a.high + carry, low}
}

// plus sets the bit with the value 2^n.
func (a wide) plus(n int) wide {
	if n >= 64 {
		return wide{a.high | 1<<(n-64), a.low}
	}
	return wide{a.high, a.low | 1<<n}
}

// below gives all ones in the lowest n bits.
func below(n int) wide {
	if n >= 64 {
		return wide{1<<(n-64) - 1, ^uint64(0)}
	}
	return wide{0, 1<<n - 1}
}

func wideOf(a netip.Addr) wide {
	b := a.As16()
	if a.Is4() {
		return wide{0, uint64(binary.BigEndian.Uint32(b[12:]))}
	}
	return wide{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
}

func (a wide) addr(width int) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.high)
	binary.BigEndian.PutUint64(b[8:], a.low)
	if width == 32 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}

// The colours of addresses.
const (
	outside uint8 = iota
	within
	either
)

// stretch is a run of addresses of one colour; it starts behind the one before.
type stretch struct {
	last   wide
	colour uint8
}

// paint divides the addresses of a family into stretches.
func paint(width int, ranges, free []policy.AddrRange) (out []stretch) {
	in, may := spans(width, ranges), spans(width, free)
	end := below(width)
	for at := (wide{}); ; {
		colour, last := uint8(outside), end
		for _, s := range []struct {
			spans  *[][2]wide
			colour uint8
		}{{&in, within}, {&may, either}} {
			for len(*s.spans) > 0 && (*s.spans)[0][1].less(at) {
				*s.spans = (*s.spans)[1:]
			}
			if len(*s.spans) == 0 {
				continue
			}
			if next := (*s.spans)[0]; at.less(next[0]) {
				last = least(last, before(next[0]))
			} else {
				colour, last = s.colour, least(last, next[1])
			}
		}
		if n := len(out); n > 0 && out[n-1].colour == colour {
			out[n-1].last = last
		} else {
			out = append(out, stretch{last, colour})
		}
		if last == end {
			return out
		}
		at = last.next()
	}
}

func least(a, b wide) wide {
	if b.less(a) {
		return b
	}
	return a
}

func before(a wide) wide {
	low, borrow := bits.Sub64(a.low, 1, 0)
	return wide{a.high - borrow, low}
}

// spans gives the ranges of one family in order.
func spans(width int, ranges []policy.AddrRange) (out [][2]wide) {
	for _, r := range ranges {
		if r.First.BitLen() == width {
			out = append(out, [2]wide{wideOf(r.First), wideOf(r.Last)})
		}
	}
	order := func(a, b [2]wide) int {
		switch {
		case a[0].less(b[0]):
			return -1
		case b[0].less(a[0]):
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(out, order) {
		slices.SortFunc(out, order)
	}
	return out
}

// cover is a tree of prefixes.
type cover struct {
	width     int
	stretches []stretch
	root      int
	nodes     []node
	blocks    []block
	inside    []policy.AddrRange // what the blocks hold
}

// node is a prefix of more than one colour. Its halves are places of nodes, or
// ^colour where a half has one. costs are the switches in it when the colour
// around it is outside and inside.
type node struct {
	low, high int
	costs     [2]int
}

// tree adds the prefix that the stretches from one up to another fill or reach
// over, and gives its place.
func (c *cover) tree(first wide, length, from, to int) int {
	if to-from == 1 {
		return ^int(c.stretches[from].colour)
	}
	middle := first.plus(c.width - length - 1)
	end := before(middle)
	k := from + sort.Search(to-from, func(i int) bool { return !c.stretches[from+i].last.less(end) })
	highFrom := k
	if c.stretches[k].last == end {
		highFrom++
	}
	n := node{low: c.tree(first, length+1, from, k+1), high: c.tree(middle, length+1, highFrom, to)}
	for colour := range n.costs {
		n.costs[colour] = min(c.below(n, colour), 1+c.below(n, 1-colour))
	}
	c.nodes = append(c.nodes, n)
	return len(c.nodes) - 1
}

func (c *cover) below(n node, colour int) int { return c.cost(n.low, colour) + c.cost(n.high, colour) }

var leafCosts = [...][2]int{outside: {0, 1}, within: {1, 0}, either: {0, 0}}

func (c *cover) cost(at, colour int) int {
	if at < 0 {
		return leafCosts[^at][colour]
	}
	return c.nodes[at].costs[colour]
}

// turns reports whether the fewest switches need one at the prefix itself.
func (c *cover) turns(at, colour int) bool {
	return at < 0 || 1+c.below(c.nodes[at], 1-colour) < c.below(c.nodes[at], colour)
}

// emit writes the switches of a prefix. inside is the colour around it; block
// is the block that an except belongs to.
func (c *cover) emit(at int, first wide, length int, inside bool, block int) {
	colour := 0
	if inside {
		colour = 1
	}
	p := netip.PrefixFrom(first.addr(c.width), length)
	if c.cost(at, colour) > 0 && c.turns(at, colour) {
		inside = !inside
		block = c.turn(p, inside, block)
		colour = 1 - colour
	}
	switch {
	case at >= 0 && c.cost(at, colour) > 0:
		c.emit(c.nodes[at].low, first, length+1, inside, block)
		c.emit(c.nodes[at].high, first.plus(c.width-length-1), length+1, inside, block)
	case inside:
		c.hold(p)
	}
}

// turn writes one switch and gives the block that it belongs to.
func (c *cover) turn(p netip.Prefix, inside bool, at int) int {
	if !inside {
		c.blocks[at].except = append(c.blocks[at].except, p)
		return at
	}
	c.blocks = append(c.blocks, block{cidr: p})
	return len(c.blocks) - 1
}

// hold notes that the blocks hold all of a prefix.
func (c *cover) hold(p netip.Prefix) {
	whole := policy.PrefixRange(p)
	if k := len(c.inside); k > 0 && c.inside[k-1].Last.Next() == whole.First {
		c.inside[k-1].Last = whole.Last
		return
	}
	c.inside = append(c.inside, whole)
}
