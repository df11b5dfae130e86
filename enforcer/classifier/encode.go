package classifier

import (
	"fmt"
	"math/bits"
	"unsafe"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// encode writes the table.
func (c *compiler) encode() ([]byte, error) {
	if len(c.shapes) > int(bpf.AcliumTableConstTABLE_SHAPES) {
		return nil, fmt.Errorf("%d shapes, want %d at most", len(c.shapes), bpf.AcliumTableConstTABLE_SHAPES)
	}
	h := bpf.AcliumTableHeader{
		Version: uint32(bpf.AcliumTableConstTABLE_VERSION), Subrules: uint32(len(c.rules)), Factors: factors,
	}
	if c.identities.uses() {
		h.Flags = uint32(bpf.AcliumTableConstTABLE_IDENTITIES)
	}
	c.noteShapes()
	b := &blob{}
	b.grow(int(unsafe.Sizeof(h)) + 8192 + 160*len(c.rules))
	put(b, &h)
	b.align()
	if err := c.encodeRules(b, &h); err != nil {
		return nil, err
	}
	c.encodeShapes(b, &h)
	for i, end := range []*bpf.AcliumTableEnd{&h.Source, &h.Destination} {
		c.encodeEnd(b, i, end)
	}
	starts, shapes := c.portShapes(0)
	h.Sport, h.SportShapes = b.index(starts), b.words(shapes)
	starts, shapes = c.portShapes(1)
	h.Dport, h.DportShapes = b.index(starts), b.words(shapes)
	whole, later := c.protocolShapes()
	h.Protocol, h.Later = b.words(whole[:]), b.words(later[:])
	c.encodeSlots(b, &h)
	h.Size = b.size()
	putAt(b, 0, &h)
	return b.bytes, b.fits()
}

// noteShapes tells rules and ends which shapes have entries of theirs.
func (c *compiler) noteShapes() {
	for i := range c.entries {
		e := &c.entries[i]
		shape := uint64(1) << c.tuples[e.tuple].shape
		r := &c.rules[e.rule]
		if !e.later {
			r.shapes |= shape
		}
		for side, n := range r.end {
			c.ends[side].list[n].shapes |= shape
		}
	}
}

func (c *compiler) encodeShapes(b *blob, h *bpf.AcliumTableHeader) {
	h.Shapes = b.size()
	for i := range c.shapes {
		s := &c.shapes[i]
		put(b, &bpf.AcliumTableShape{Mask: s.mask, Salt: salt(i), First: uint32(s.first)})
	}
}

// encodeRules writes the rules, and before them what they refer to.
func (c *compiler) encodeRules(b *blob, h *bpf.AcliumTableHeader) error {
	h.Rules = b.size()
	var r bpf.AcliumTableRule
	size := uint32(unsafe.Sizeof(r))
	b.bytes = append(b.bytes, make([]byte, int(size)*len(c.rules))...)
	kinds := make([]uint32, len(c.kinds))
	for i := range c.kinds {
		k := &c.kinds[i]
		kinds[i] = put(b, &bpf.AcliumTableKind{Protocols: k.protocols, Later: k.later, TcpFlags: k.flags})
	}
	c.encodeSets(b)
	x := residues{compiler: c, blob: b, known: map[bpf.AcliumTableResidue]uint32{}, sets: map[string]uint32{}}
	for i := range c.rules {
		r, err := x.rule(int32(i), kinds)
		if err != nil {
			return err
		}
		putAt(b, h.Rules+uint32(i)*size, &r)
	}
	return nil
}

// encodeSets writes the sets of ends that are not one interval.
func (c *compiler) encodeSets(b *blob) {
	groups := map[int32]uint32{}
	for side := range c.ends {
		spans := c.ends[side].spans
		for i := range c.ends[side].list {
			e := &c.ends[side].list[i]
			if !e.set() {
				continue
			}
			var set []limits
			for _, s := range spans[e.spans.first:e.spans.behind] {
				set = append(set, limits{s.from, s.to})
			}
			if len(set) > 0 || e.group < 0 {
				e.ranks = b.set(set)
			}
			if e.group >= 0 {
				if groups[e.group] == 0 {
					groups[e.group] = b.set(runs(c.identities.sets[e.group]))
				}
				e.classes = groups[e.group]
			}
		}
	}
}

// runs gives sorted numbers as intervals.
func runs(list []uint32) (out []limits) {
	for _, n := range list {
		if k := len(out); k > 0 && out[k-1].last+1 == n {
			out[k-1].last = n
			continue
		}
		out = append(out, limits{n, n})
	}
	return out
}

// set writes sorted intervals; an empty one holds nothing.
func (b *blob) set(list []limits) uint32 {
	h := bpf.AcliumTableSet{Count: uint32(len(list)), Width: width(len(list))}
	if len(list) == 0 {
		list = []limits{{1, 0}}
		h.Count = 1
	}
	b.align()
	at := put(b, &h)
	for _, l := range list {
		b.u32(l.first)
	}
	for _, l := range list {
		b.u32(l.last)
	}
	b.align()
	return at
}

// width gives the first step of a search among n intervals: the largest power
// of two below n, or 0.
func width(n int) uint32 {
	if n < 2 {
		return 0
	}
	return 1 << (bits.Len(uint(n-1)) - 1)
}

// residues writes what bounds cannot say; equal residues stand once.
type residues struct {
	*compiler
	blob  *blob
	known map[bpf.AcliumTableResidue]uint32
	sets  map[string]uint32 // of ports
}

func (x *residues) rule(i int32, kinds []uint32) (out bpf.AcliumTableRule, err error) {
	r := &x.rules[i]
	s, d := &x.ends[0].list[r.end[0]], &x.ends[1].list[r.end[1]]
	out = bpf.AcliumTableRule{
		SourceFirst: s.first, SourceLast: s.last, DestinationFirst: d.first, DestinationLast: d.last,
		SportFirst: r.ports[0].first, SportLast: r.ports[0].last, DportFirst: r.ports[1].first, DportLast: r.ports[1].last,
		Kind: kinds[r.kind],
	}
	out.Record = x.record(r)
	residue, err := x.residue(r, s, d)
	if residue != (bpf.AcliumTableResidue{}) {
		if residue.Window != 0 {
			out.Record.Flags |= uint8(bpf.AcliumTableConstRECORD_TIMED)
		}
		out.Record.Residue = x.offset(&residue)
	}
	return out, err
}

func (x *residues) record(r *rule) bpf.AcliumTableRecord {
	line := &x.policy.Rules[r.line]
	out := bpf.AcliumTableRecord{Action: uint8(line.Action)}
	if line.Action == policy.Next {
		out.Next = x.starts[line.Goto]
	}
	if !line.Uncounted && (line.Action != policy.Next || line.Match.Time != nil) {
		out.Counter = x.numbers.Counter(int(r.line))
	}
	if line.Log {
		out.Flags = uint8(bpf.AcliumTableConstRECORD_LOG)
	}
	if line.NamesAddress() {
		out.Flags |= uint8(bpf.AcliumTableConstRECORD_ADDRESSES)
	}
	return out
}

func (x *residues) offset(r *bpf.AcliumTableResidue) uint32 {
	at, known := x.known[*r]
	if !known {
		x.blob.align()
		at = put(x.blob, r)
		x.known[*r] = at
	}
	return at
}

func (x *residues) residue(r *rule, s, d *end) (out bpf.AcliumTableResidue, err error) {
	if s.masked != nil || d.masked != nil {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_MASK)
		for i, e := range []*end{s, d} {
			value, mask := e.residue()
			out.Value[2*i], out.Value[2*i+1] = value.hi, value.lo
			out.Mask[2*i], out.Mask[2*i+1] = mask.hi, mask.lo
		}
	}
	out.SourceSet, out.SourceClasses = s.ranks, s.classes
	out.DestinationSet, out.DestinationClasses = d.ranks, d.classes
	out.SportSet, out.DportSet = x.portSet(r.sets[0]), x.portSet(r.sets[1])
	if out.SourceSet|out.SourceClasses|out.DestinationSet|out.DestinationClasses|out.SportSet|out.DportSet != 0 {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_SETS)
	}
	m := &x.policy.Rules[r.line].Match
	if m.TrafficClass != nil || m.HopLimit != nil {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_BYTES)
		out.TrafficClass, out.HopLimit = bytesOf(m.TrafficClass), bytesOf(m.HopLimit)
	}
	if m.Time != nil {
		out.Window, err = x.numbers.Window(m.Time)
		if err == nil && out.Window == 0 {
			err = fmt.Errorf("time-range %q has no window", m.Time.Name)
		}
	}
	return out, err
}

func bytesOf(s *policy.ByteSet) policy.ByteSet {
	if s == nil {
		return policy.AllBytes()
	}
	return *s
}

func (x *residues) portSet(list policy.Ranges) uint32 {
	if list == nil {
		return 0
	}
	key := list.String()
	if x.sets[key] == 0 {
		set := make([]limits, len(list))
		for i, p := range list {
			set[i] = limits{uint32(p.First), uint32(p.Last)}
		}
		x.sets[key] = x.blob.set(set)
	}
	return x.sets[key]
}
