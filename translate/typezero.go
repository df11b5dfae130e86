package translate

import (
	"slices"

	"aclium/translate/policy"
)

/*
ICMP type 0

Cilium keeps an ICMP type where it keeps a port, and reads 0 there as every one
(cilium/cilium#41304, in 1.20 too): a permit of an echo reply permits every
message. So type 0 is named only beside all other types, which is exact however
it is read. Where something else is permitted for it than for some other type,
it is left out and reported; a reply to a permitted request passes anyway.
*/

// zeroIsAll reports whether the target reads ICMP type 0 as every type.
func (t *Target) zeroIsAll() bool { return t.ICMP && !t.ICMPZero }

func (c *cell) isZero() bool {
	return c.protocol != otherProtocols && !policy.HasPorts(c.protocol) && c.first == 0
}

// types gives the cells of all types of a message's protocol.
func (w *cellWalk) types(protocol uint8) (out []*cell) {
	for i := range w.cells {
		if c := &w.cells[i]; c.protocol == protocol && !c.foreign {
			out = append(out, c)
		}
	}
	return out
}

// settleZero puts all types beside type 0 in a group where they permit its
// peers too, and takes type 0 out of it otherwise.
func (w *cellWalk) settleZero(g *group) {
	if !w.options.Target.zeroIsAll() {
		return
	}
	for _, c := range slices.Clone(g.cells) {
		switch {
		case !c.isZero():
		case w.sayableZero(c):
			g.also = append(g.also, w.types(c.protocol)...)
		default:
			g.cells = slices.DeleteFunc(g.cells, func(o *cell) bool { return o == c })
		}
	}
}

// sayableZero reports whether every type permits what type 0 does.
func (w *cellWalk) sayableZero(zero *cell) bool {
	return !slices.ContainsFunc(w.types(zero.protocol), func(c *cell) bool {
		return !c.whole && c.number != zero.number && (zero.whole || !zero.permitted.intersect(c.permitted).equal(zero.permitted))
	})
}

// zeroAlone reports whether the cells hold type 0 without some other type.
func (w *cellWalk) zeroAlone(cells []*cell) bool {
	return w.options.Target.zeroIsAll() && slices.ContainsFunc(cells, func(zero *cell) bool {
		return zero.isZero() && slices.ContainsFunc(w.types(zero.protocol), func(c *cell) bool { return !slices.Contains(cells, c) })
	})
}

// takeZero takes type 0 out of cells that lack some other type.
func (w *cellWalk) takeZero(cells []*cell) []*cell {
	if !w.zeroAlone(cells) {
		return cells
	}
	return slices.DeleteFunc(slices.Clone(cells), (*cell).isZero)
}

// reportZero names the lines that permit type 0 where it is left out.
func (w *cellWalk) reportZero(common *group) {
	if !w.options.Target.zeroIsAll() {
		return
	}
	for i := range w.cells {
		if c := &w.cells[i]; c.isZero() && !c.foreign && c.beyond(common) && !w.sayableZero(c) {
			w.noteLines(c, "ICMP type 0 cannot be named, for Cilium takes it for every type; an echo reply to a permitted request passes")
		}
	}
}
