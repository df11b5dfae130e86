package classifier

import (
	"math"
	"slices"

	"aclium/enforcer/bpf"
)

// The kinds of refs; bpf/table.h says what each holds.
const (
	refRule  = uint32(bpf.AcliumRefKindREF_RULE)
	refList  = uint32(bpf.AcliumRefKindREF_LIST)
	refNode  = uint32(bpf.AcliumRefKindREF_NODE)
	listLast = uint32(bpf.AcliumTableConstLIST_LAST)
	cuts     = int(bpf.AcliumTableConstNODE_CUTS)
)

// shortList is how many rules are tried one by one rather than divided.
const shortList = 6

// factors make the hash. Packets add no entries, so that nobody outside can
// build chains; a list whose keys happen to meet has a tree behind them.
var factors = [words]uint64{
	0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93, 0xff51afd7ed558ccd, 0xa0761d6478bd642f,
}

func salt(shape int) uint64 { return uint64(shape+1) * 0xe7037ed1a0b428db }

// hash is the one that bpf/walk.h computes.
func (s *shape) hash(k *key) uint64 {
	h := salt(int(s.number))
	for i := range k {
		h += k[i] & s.mask[i] * factors[i]
	}
	h ^= h >> 32
	return h * factors[0]
}

// slots is the hash of all shapes on its way into a table.
type slots struct {
	shift  uint8
	heads  []int32  // the first entry of each slot, -1 is none
	checks []uint32 // of each slot, 0 for several keys
	next   []int32  // the entry behind each, in the order of rules
}

func (c *compiler) hash() *slots {
	size, shift := 2, uint8(63)
	for size < 2*len(c.entries) {
		size, shift = size*2, shift-1
	}
	s := &slots{shift: shift, heads: make([]int32, size), checks: make([]uint32, size), next: make([]int32, len(c.entries))}
	for i := range s.heads {
		s.heads[i] = -1
	}
	for i := len(c.entries) - 1; i >= 0; i-- {
		e := &c.entries[i]
		h := c.shapes[c.tuples[e.tuple].shape].hash(&e.key)
		at := h >> shift
		switch {
		case s.heads[at] < 0:
			s.checks[at] = uint32(h)
		case s.checks[at] != uint32(h):
			s.checks[at] = 0
		}
		s.next[i] = s.heads[at]
		s.heads[at] = int32(i)
	}
	return s
}

// encodeSlots writes the entries of every slot, then the slots.
func (c *compiler) encodeSlots(b *blob, h *bpf.AcliumTableHeader) {
	s := c.hash()
	refs := make([]uint32, len(s.heads))
	t := trees{compiler: c, blob: b, budget: 4*len(c.entries) + 1024}
	var members []int32
	for at, head := range s.heads {
		members = members[:0]
		for i := head; i >= 0; i = s.next[i] {
			members = append(members, i)
		}
		if len(members) > 0 {
			refs[at] = t.ref(members)
		}
	}
	b.align()
	h.Slots, h.SlotShift = b.size(), uint32(s.shift)
	b.grow(8 * len(refs))
	for at, ref := range refs {
		b.u32(ref)
		b.u32(s.checks[at])
	}
}

// trees writes what stands behind slots.
type trees struct {
	*compiler
	blob   *blob
	budget int // entries that nodes may still repeat
	edges  []uint32
}

// ref gives the ref of some entries, in the order of their rules.
func (t *trees) ref(members []int32) uint32 {
	if len(members) == 1 {
		return uint32(t.entries[members[0]].rule)<<2 | refRule
	}
	region := t.region(members)
	return t.refIn(members, &region, 0)
}

// region bounds all packets that some of the entries are for.
func (t *trees) region(members []int32) box {
	region := t.entries[members[0]].box
	for _, m := range members[1:] {
		for v, l := range t.entries[m].box {
			region[v] = limits{min(region[v].first, l.first), max(region[v].last, l.last)}
		}
	}
	return region
}

// maxDepth ends what cannot be divided well.
const maxDepth = 12

func (t *trees) refIn(members []int32, region *box, depth int) uint32 {
	members = t.cut(members, region)
	if len(members) == 1 {
		return uint32(t.entries[members[0]].rule)<<2 | refRule
	}
	if len(members) > shortList && depth < maxDepth {
		if d, ok := t.divide(members, region); ok {
			return t.node(members, region, &d, depth)
		}
	}
	return t.list(members)
}

// cut leaves out what stands behind a rule that matches every packet of the
// region.
func (t *trees) cut(members []int32, region *box) []int32 {
	for i, m := range members {
		e := &t.entries[m]
		if e.exact && e.covers(region) {
			for _, x := range members[i:] {
				if t.entries[x].later != e.later {
					return members
				}
			}
			return members[:i+1]
		}
	}
	return members
}

func (e *entry) covers(region *box) bool {
	for v, l := range region {
		if !e.box[v].holds(l) {
			return false
		}
	}
	return true
}

// list writes the rules of entries; a rule may have several of them.
func (t *trees) list(members []int32) uint32 {
	b, last, n := t.blob, int32(-1), 0
	at := b.size()
	b.u64(0)
	for _, m := range members {
		if r := t.entries[m].rule; r != last {
			b.u32(uint32(r))
			last = r
			n++
		}
	}
	putAt(b, at, &bpf.AcliumTableSet{Count: uint32(n), Width: width(n)})
	native.PutUint32(b.bytes[len(b.bytes)-4:], uint32(last)|listLast)
	return at | refList
}

// division is a way to divide a region: the starts of the parts behind the
// first.
type division struct {
	value  int
	starts []uint32
}

// parts calls f for each part of the region.
func (d *division) parts(region *box, f func(part limits)) {
	first := region[d.value].first
	for _, s := range d.starts {
		f(limits{first, s - 1})
		first = s
	}
	f(limits{first, region[d.value].last})
}

// looked is how many entries decide how a region is divided.
const looked = 256

// divide finds the value by which the region falls into the smallest parts;
// ok is false where no value helps.
func (t *trees) divide(members []int32, region *box) (best division, ok bool) {
	sample := members
	if len(sample) > looked {
		sample = make([]int32, looked)
		for i := range sample {
			sample[i] = members[i*len(members)/looked]
		}
	}
	limit := 2 * float64(len(sample)) * float64(len(sample))
	for v := range values {
		d := t.quantiles(sample, region, v)
		if len(d.starts) == 0 {
			continue
		}
		worst, sum := 0, 0
		d.parts(region, func(part limits) {
			n := 0
			for _, m := range sample {
				if t.entries[m].box[v].meets(part) {
					n++
				}
			}
			worst, sum = max(worst, n), sum+n
		})
		if cost := float64(worst) * float64(sum); cost < limit && worst < len(sample) {
			best, ok, limit = d, true, cost
		}
	}
	if ok {
		ok = t.budget > len(members)
	}
	return best, ok
}

// quantiles divides a region at starts and ends of entries.
func (t *trees) quantiles(members []int32, region *box, v int) division {
	d := division{value: v}
	if region[v].first == region[v].last {
		return d
	}
	edges := t.edges[:0]
	for _, m := range members {
		l := t.entries[m].box[v]
		if l.first > region[v].first {
			edges = append(edges, l.first)
		}
		if l.last < region[v].last {
			edges = append(edges, l.last+1)
		}
	}
	t.edges = edges
	slices.Sort(edges)
	edges = slices.Compact(edges)
	if len(edges) <= cuts {
		d.starts = slices.Clone(edges)
		return d
	}
	for i := range cuts {
		d.starts = append(d.starts, edges[(i+1)*len(edges)/(cuts+1)])
	}
	d.starts = slices.Compact(d.starts)
	return d
}

// node writes a node and what is below it.
func (t *trees) node(members []int32, region *box, d *division, depth int) uint32 {
	t.blob.align()
	at := t.blob.size()
	n := bpf.AcliumTableNode{Value: uint32(d.value)}
	for i := range n.Cuts {
		n.Cuts[i] = math.MaxUint32
		if i < len(d.starts) {
			n.Cuts[i] = d.starts[i]
		}
	}
	put(t.blob, &n)
	i, below := 0, *region
	d.parts(region, func(part limits) {
		var inside []int32
		for _, m := range members {
			if t.entries[m].box[d.value].meets(part) {
				inside = append(inside, m)
			}
		}
		t.budget -= len(inside)
		below[d.value] = part
		if len(inside) > 0 {
			n.Children[i] = t.refIn(inside, &below, depth+1)
		}
		i++
	})
	t.budget += len(members)
	putAt(t.blob, at, &n)
	return at | refNode
}
