package classifier

import (
	"sync/atomic"
	"unsafe"

	"aclium/enforcer/bpf"
)

// groveSize is how many entries a grove has at least, and mostGroves how many
// groves a table has. Neither depends on the processors: what comes out is the
// same wherever it is made.
const (
	groveSize  = 512
	mostGroves = 32
	entrySpace = 16 // about what trees take for an entry, bytes
)

// A forest is the slots of a table and the trees behind them. It falls into
// groves, which any number of goroutines raise together.
type forest struct {
	*compiler
	budget  int           // entries that nodes may repeat
	planted chan struct{} // closed when the groves can be raised
	groves  []grove
	turn    atomic.Int32 // the next grove
}

// grove is the trees of the slots that begin at the entries from first up to
// but not including behind.
type grove struct {
	first, behind int
	trees
	roots []uint32 // slots that refer to trees
}

func newForest(c *compiler) *forest {
	return &forest{compiler: c, budget: 4*len(c.entries) + 1024, planted: make(chan struct{})}
}

// plant makes the slots and divides the forest.
func (f *forest) plant() {
	f.hash()
	f.limitKinds()
	n := len(f.entries)
	size := max(groveSize, (n+mostGroves-1)/mostGroves)
	for at := 0; at < n; at += size {
		f.groves = append(f.groves, grove{first: at, behind: min(at+size, n)})
	}
	close(f.planted)
}

// help raises groves beside the goroutine that plants.
func (f *forest) help() {
	<-f.planted
	f.raise()
}

// raise makes the trees of groves that nobody else makes, until there are none.
func (f *forest) raise() {
	var s scratch
	for n := f.turn.Add(1); int(n) <= len(f.groves); n = f.turn.Add(1) {
		f.grow(&f.groves[n-1], f.budget, &s)
	}
}

// grow makes the trees of a grove, whose nodes may repeat so many entries. It
// goes by entries, as what slots hold lies all over the memory.
func (f *forest) grow(g *grove, budget int, own *scratch) {
	s, space := &f.slots, take[byte](f.work, entrySpace*(g.behind-g.first))[:0]
	g.trees = trees{compiler: f.compiler, blob: &blob{space}, budget: budget, least: budget, scratch: *own}
	g.roots = g.roots[:0]
	for i := g.first; i < g.behind; i++ {
		switch at := &s.list[s.at[i]]; {
		case !s.first[i]:
		case s.next[i] < 0:
			at.Ref = uint32(f.entries[i].rule)<<2 | refRule
		default:
			at.Ref = g.slot(int32(i), s.next)
			g.roots = append(g.roots, s.at[i])
		}
	}
	*own, g.scratch = g.scratch, scratch{}
}

// settle makes the trees those of groves that were made one after the other:
// each has what those before it have left of the budget. Hardly a list needs
// so much that this makes a difference.
func (f *forest) settle() {
	left := f.budget
	for i := range f.groves {
		g := &f.groves[i]
		if spent := f.budget - left; g.least <= spent {
			f.grow(g, left, &scratch{})
			left = g.budget
		} else {
			left = g.budget - spent
		}
	}
}

// encodeSlots writes the slots behind what they refer to, and tells where those
// of whole packets begin and those of later fragments.
func (b *blob) encodeSlots(f *forest, h *bpf.AcliumTableHeader) [2]uint32 {
	f.settle()
	size := 0
	for i := range f.groves {
		size += len(f.groves[i].blob.bytes) + 8
	}
	b.grow(size + int(unsafe.Sizeof(slot{}))*len(f.slots.list) + 16)
	for i := range f.groves {
		g := &f.groves[i]
		g.move(b, &f.slots, putAll(b, g.blob.bytes))
	}
	h.SlotShift = uint32(f.slots.shift)
	var at [2]uint32
	for i := range at {
		at[i] = putAll(b, half(f.slots.list, i))
		if f.direct {
			h.Presence = putAll(b, half(f.slots.bits, i)) - at[i]
		}
	}
	return at
}

// half gives the first or the second half.
func half[T any](list []T, n int) []T { return list[n*len(list)/2 : (n+1)*len(list)/2] }

// move makes the offsets in all refs those of a table in which the trees stand
// at the base.
func (g *grove) move(b *blob, s *slots, base uint32) {
	moved := func(ref uint32) uint32 {
		if kind := ref & 3; kind == refList || kind == refNode {
			ref += base
		}
		return ref
	}
	for _, at := range g.roots {
		s.list[at].Ref = moved(s.list[at].Ref)
	}
	for _, at := range g.nodes {
		n := (*bpf.AcliumTableNode)(unsafe.Pointer(&b.bytes[base+at]))
		for i := range n.Children {
			n.Children[i] = moved(n.Children[i])
		}
	}
}
