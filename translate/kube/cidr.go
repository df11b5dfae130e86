package kube

import (
	"net/netip"

	"aclium/translate/policy"
)

// A block is a prefix without some others inside it.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// blocks covers the ranges exactly with few blocks. The tree of prefixes is
// walked twice: first the fewest switches between permitted and not are counted
// for every prefix that is mixed, for either colour around it, then they are
// taken. A switch to permitted opens a block, a switch back is an except of the
// block around it.
func blocks(ranges []policy.AddrRange) []block {
	var out []block
	for _, bits := range []int{32, 128} {
		var family []policy.AddrRange
		for _, r := range ranges {
			if r.First.BitLen() == bits {
				family = append(family, r)
			}
		}
		if len(family) == 0 {
			continue
		}
		root := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if bits == 128 {
			root = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		n := tree(root, family)
		c := &cover{}
		c.emit(n, false, -1)
		out = append(out, c.blocks...)
	}
	return out
}

// node is a prefix that is all in the set, all outside, or mixed.
type node struct {
	prefix      netip.Prefix
	full, mixed bool
	low, high   *node
	// cost is the number of switches below when the colour around the prefix
	// is outside (0) or inside (1).
	cost [2]int
}

func tree(p netip.Prefix, ranges []policy.AddrRange) *node {
	whole := policy.PrefixRange(p)
	var in []policy.AddrRange
	for _, r := range ranges {
		if r.First.Compare(whole.First) <= 0 && whole.Last.Compare(r.Last) <= 0 {
			return &node{prefix: p, full: true, cost: [2]int{1, 0}}
		}
		if r.First.Compare(whole.Last) <= 0 && whole.First.Compare(r.Last) <= 0 {
			in = append(in, r)
		}
	}
	if len(in) == 0 {
		return &node{prefix: p, cost: [2]int{0, 1}}
	}
	low, high := halves(p)
	n := &node{prefix: p, mixed: true, low: tree(low, in), high: tree(high, in)}
	for colour := range n.cost {
		n.cost[colour] = min(n.below(colour), 1+n.below(1-colour))
	}
	return n
}

func (n *node) below(colour int) int { return n.low.cost[colour] + n.high.cost[colour] }

func halves(p netip.Prefix) (low, high netip.Prefix) {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(p.Addr(), p.Bits()+1), netip.PrefixFrom(addr, p.Bits()+1)
}

type cover struct{ blocks []block }

// emit writes the switches of a prefix. inside is the colour around it; block
// is the block that an except belongs to.
func (c *cover) emit(n *node, inside bool, at int) {
	colour := 0
	if inside {
		colour = 1
	}
	turn := !n.mixed && n.full != inside || n.mixed && 1+n.below(1-colour) < n.below(colour)
	if turn {
		inside = !inside
		if inside {
			c.blocks = append(c.blocks, block{cidr: n.prefix})
			at = len(c.blocks) - 1
		} else {
			c.blocks[at].except = append(c.blocks[at].except, n.prefix)
		}
	}
	if n.mixed {
		c.emit(n.low, inside, at)
		c.emit(n.high, inside, at)
	}
}
