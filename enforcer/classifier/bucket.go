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

// presenceShift says how many bits of presence a slot has.
const presenceShift = uint8(bpf.AcliumTableConstPRESENCE_SHIFT)

// shortList is how many rules are tried one by one rather than divided.
const shortList = 4

// factors make the hash. Packets add no entries, so that nobody outside can
// build chains; a list whose keys happen to meet has a tree behind them.
var factors = [words]uint64{
	0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93, 0xff51afd7ed558ccd, 0xa0761d6478bd642f,
}

func salt(shape int) uint64 { return uint64(shape+1) * 0xe7037ed1a0b428db }

// hashOf is the one that bpf/walk.h and glance.h compute.
func (c *compiler) hashOf(s *shape, e *entry) uint64 {
	src, dst := &c.arena[e.members[0]], &c.arena[e.members[1]]
	h := salt(int(s.number))
	if c.direct {
		port := uint64(c.rules[e.rule].ports[1].first) & s.mask[bpf.AcliumKeyWordKEY_DPORT]
		return mix(h + pairOf(src.at.lo, dst.at.lo)&s.mask.pair()*factors[0] + port*factors[1])
	}
	h += src.at.lo & s.mask[bpf.AcliumKeyWordKEY_SOURCE_LOW] * factors[bpf.AcliumKeyWordKEY_SOURCE_LOW]
	h += dst.at.lo & s.mask[bpf.AcliumKeyWordKEY_DESTINATION_LOW] * factors[bpf.AcliumKeyWordKEY_DESTINATION_LOW]
	if s.mask[bpf.AcliumKeyWordKEY_SOURCE_HIGH]|s.mask[bpf.AcliumKeyWordKEY_DESTINATION_HIGH]|s.mask[bpf.AcliumKeyWordKEY_CLASSES] != 0 {
		h += src.at.hi & s.mask[bpf.AcliumKeyWordKEY_SOURCE_HIGH] * factors[bpf.AcliumKeyWordKEY_SOURCE_HIGH]
		h += dst.at.hi & s.mask[bpf.AcliumKeyWordKEY_DESTINATION_HIGH] * factors[bpf.AcliumKeyWordKEY_DESTINATION_HIGH]
		classes := uint64(src.class) | uint64(dst.class)<<32
		h += classes & s.mask[bpf.AcliumKeyWordKEY_CLASSES] * factors[bpf.AcliumKeyWordKEY_CLASSES]
	}
	if mask := s.mask[bpf.AcliumKeyWordKEY_DPORT]; mask != 0 {
		h += uint64(c.rules[e.rule].ports[1].first) & mask * factors[bpf.AcliumKeyWordKEY_DPORT]
	}
	return mix(h)
}

func mix(hash uint64) uint64 { return (hash ^ hash>>32) * factors[0] }

// slots are the hashes of all shapes on their way into a table.
type slots struct {
	shift uint8
	list  []slot   // those of whole packets, then as many of later fragments
	at    []uint32 // the slot of each entry
	next  []int32  // the entry behind each, in the order of rules, -1 is none
	first []bool   // of the entries, those that begin a slot
	bits  []uint64 // presence in a direct table, as the list: of whole packets, then of later fragments
}

// slot is first the first entry's number plus 1, then the ref; 0 is none.
type slot = bpf.AcliumTableSlot

func (c *compiler) hash() {
	later := 0
	for i := range c.tuples {
		if c.tuples[i].later {
			later += c.tuples[i].count
		}
	}
	size, shift := 2, uint8(63)
	for size < 2*max(later, len(c.entries)-later) {
		size, shift = size*2, shift-1
	}
	n := len(c.entries)
	s := &c.slots
	s.shift, s.list, s.at, s.next, s.first = shift, take[slot](c.work, 2*size), take[uint32](c.work, n), take[int32](c.work, n), take[bool](c.work, n)
	if c.direct {
		s.bits = take[uint64](c.work, 2*max(1, size<<presenceShift/64))
	}
	kindsOf(n, func(later bool) { c.hashKind(later, uint32(size)) })
}

// hashKind puts the entries for whole packets into their slots, or those for
// later fragments, which begin at base. The two have nothing in common.
func (c *compiler) hashKind(later bool, base uint32) {
	s := &c.slots
	for i := len(c.entries) - 1; i >= 0; i-- {
		e := &c.entries[i]
		t := &c.tuples[e.tuple]
		if t.later != later {
			continue
		}
		h := c.hashOf(&c.shapes[t.shape], e)
		place := uint32(h >> s.shift)
		if later {
			place += base
		}
		if c.direct {
			c.slots.note(h, t.later)
		}
		at := &s.list[place]
		if at.Ref == 0 {
			at.Check = uint32(h)
		} else {
			s.first[at.Ref-1] = false
			if at.Check != uint32(h) {
				at.Check = 0
			}
		}
		s.at[i], s.next[i], s.first[i] = place, int32(at.Ref)-1, true
		at.Ref = uint32(i + 1)
	}
}

// note says that a key of the hash is there.
func (s *slots) note(hash uint64, later bool) {
	bit := hash >> (s.shift - presenceShift)
	if later {
		bit += uint64(len(s.bits)) / 2 * 64
	}
	s.bits[bit/64] |= 1 << (bit % 64)
}

// trees writes what stands behind slots.
type trees struct {
	*compiler
	blob   *blob    // offsets count from its own start
	nodes  []uint32 // where nodes stand
	budget int      // entries that nodes may still repeat
	least  int      // of the budget that was left when it was asked for
	scratch
}

// scratch is what a slot's tree is made in.
type scratch struct {
	items  []item // of the slot at hand, in the order of their rules
	varies [values]bool
	edges  []uint32
	inside []int32 // into items: the members of nodes on the way to the one being written
}

// slot gives the ref of a chain of entries, in the order of their rules.
func (t *trees) slot(first int32, next []int32) uint32 {
	t.items, t.inside = t.items[:0], t.inside[:0]
	for i := first; i >= 0; i = next[i] {
		t.inside = append(t.inside, int32(len(t.items)))
		t.items = append(t.items, t.item(&t.entries[i]))
	}
	region := t.region(t.inside)
	if len(t.items) > shortList {
		t.vary(&region)
	}
	return t.refIn(t.inside, &region, 0)
}

// vary notes by which values the entries of the slot differ: others divide no
// part of it.
func (t *trees) vary(region *box) {
	t.varies = [values]bool{}
	for i := range t.items {
		for v := range region {
			t.varies[v] = t.varies[v] || t.items[i].box[v] != region[v]
		}
	}
}

// region bounds all packets that some of the entries are for.
func (t *trees) region(members []int32) box {
	region := t.items[members[0]].box
	for _, m := range members[1:] {
		for v := range region {
			l := &t.items[m].box[v]
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
		return uint32(t.items[members[0]].rule)<<2 | refRule
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
		e := &t.items[m]
		if e.exact && e.covers(region) {
			for _, x := range members[i:] {
				if t.items[x].later != e.later {
					return members
				}
			}
			return members[:i+1]
		}
	}
	return members
}

func (e *item) covers(region *box) bool {
	for v := range region {
		if !e.box[v].holds(region[v]) {
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
		if r := t.items[m].rule; r != last {
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
	count  int
	starts [cuts]uint32
}

// parts calls f for each part of the region.
func (d *division) parts(region *box, f func(part limits)) {
	first := region[d.value].first
	for _, s := range d.starts[:d.count] {
		f(limits{first, s - 1})
		first = s
	}
	f(limits{first, region[d.value].last})
}

// part gives the number of the part that a value lies in.
func (d *division) part(value uint32) (n int) {
	for _, s := range d.starts[:d.count] {
		n += int(^(uint64(value) - uint64(s)) >> 63) // 1 where s <= value, without a branch
	}
	return n
}

// looked is how many entries decide how a region is divided.
const looked = 256

// divide finds the value by which the region falls into the smallest parts;
// ok is false where no value helps.
func (t *trees) divide(members []int32, region *box) (best division, ok bool) {
	left := t.budget - len(members)
	if left <= 0 {
		return best, false
	}
	t.least = min(t.least, left)
	sample := members
	if len(sample) > looked {
		sample = make([]int32, looked)
		for i := range sample {
			sample[i] = members[i*len(members)/looked]
		}
	}
	limit := 2 * float64(len(sample)) * float64(len(sample))
	for v := range values {
		if !t.varies[v] {
			continue // nowhere in the slot does an entry begin or end
		}
		d := t.quantiles(sample, region, v)
		if d.count == 0 {
			continue
		}
		worst, sum := t.weigh(sample, &d)
		if cost := float64(worst) * float64(sum); cost < limit && worst < len(sample) {
			best, ok, limit = d, true, cost
		}
	}
	return best, ok
}

// weigh gives how many entries the fullest part has, and all parts together.
func (t *trees) weigh(members []int32, d *division) (worst, sum int) {
	var begin, end [cuts + 2]int
	for _, m := range members {
		l := &t.items[m].box[d.value]
		begin[d.part(l.first)]++
		end[d.part(l.last)+1]++
	}
	now := 0
	for part := range d.count + 1 {
		now += begin[part] - end[part]
		worst, sum = max(worst, now), sum+now
	}
	return worst, sum
}

// quantiles divides a region at starts and ends of entries.
func (t *trees) quantiles(members []int32, region *box, v int) division {
	d := division{value: v}
	if region[v].first == region[v].last {
		return d
	}
	edges := t.edges[:0]
	for _, m := range members {
		l := t.items[m].box[v]
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
		d.count = copy(d.starts[:], edges)
		return d
	}
	for d.count = range cuts {
		d.starts[d.count] = edges[(d.count+1)*len(edges)/(cuts+1)]
	}
	d.count = cuts
	return d
}

// node writes a node and what is below it.
func (t *trees) node(members []int32, region *box, d *division, depth int) uint32 {
	t.blob.align()
	at := t.blob.size()
	n := bpf.AcliumTableNode{Value: uint32(d.value)}
	for i := range n.Cuts {
		n.Cuts[i] = math.MaxUint32
		if i < d.count {
			n.Cuts[i] = d.starts[i]
		}
	}
	put(t.blob, &n)
	t.nodes = append(t.nodes, at)
	i, below := 0, *region
	d.parts(region, func(part limits) {
		mark := len(t.inside)
		for _, m := range members {
			if t.items[m].box[d.value].meets(part) {
				t.inside = append(t.inside, m)
			}
		}
		inside := t.inside[mark:]
		t.budget -= len(inside)
		below[d.value] = part
		if len(inside) > 0 {
			n.Children[i] = t.refIn(inside, &below, depth+1)
		}
		t.inside = t.inside[:mark]
		i++
	})
	for ; i < len(n.Children); i++ {
		n.Children[i] = n.Children[i-1] // the value may be that of an unused cut
	}
	t.budget += len(members)
	putAt(t.blob, at, &n)
	return at | refNode
}
