package classifier

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"time"
	"unsafe"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// encode writes the table. The rules are written while shapes are found, and
// trees are made beside the indexes.
func (c *compiler) encode() ([]byte, error) {
	h := bpf.AcliumTableHeader{
		Version: uint32(bpf.AcliumTableConstTABLE_VERSION), Subrules: uint32(len(c.rules)), Factors: factors,
	}
	if c.identities.uses() {
		h.Flags = uint32(bpf.AcliumTableConstTABLE_IDENTITIES)
	}
	if c.short() {
		h.Flags |= uint32(bpf.AcliumTableConstTABLE_SHORT)
	}
	if c.plainTable {
		h.Flags |= uint32(bpf.AcliumTableConstTABLE_PLAIN)
	}
	if c.direct {
		h.Flags |= uint32(bpf.AcliumTableConstTABLE_DIRECT)
	}
	b := &blob{}
	var err error
	var rules sync.WaitGroup
	begin := func() { err = c.begin(b, &h) }
	if c.short() {
		rules.Go(begin)
	} else {
		if !c.plain() {
			rules.Go(begin)
		}
		c.enter()
		if c.plain() {
			rules.Go(begin)
		}
		c.shape()
	}
	rules.Wait()
	if err != nil {
		return nil, err
	}
	if len(c.shapes) > c.mostShapes() {
		return nil, fmt.Errorf("%d shapes, want %d at most", len(c.shapes), c.mostShapes())
	}
	f := newForest(c)
	var forester sync.WaitGroup
	forester.Go(func() { f.plant(); f.raise() })
	whole, later := c.protocolShapes(c.noteShapes())
	var write func(slots [2]uint32)
	if c.direct {
		write = c.allotLookups(b, &whole, &later)
	} else {
		write = c.allotShapes(b, &h)
		c.encodeIndexes(b, &h)
	}
	h.Protocol, h.Later = putAll(b, whole[:]), putAll(b, later[:])
	f.help()
	forester.Wait()
	write(b.encodeSlots(f, &h))
	h.Size = b.size()
	putAt(b, 0, &h)
	return b.bytes, b.fits()
}

// begin writes the header's room and the rules.
func (c *compiler) begin(b *blob, h *bpf.AcliumTableHeader) error {
	if c.numbers.Ready != nil {
		if err := c.numbers.Ready(); err != nil {
			return err
		}
	}
	// Most tables fit: a rule has hardly two entries, and an entry up to four
	// slots.
	b.grow(int(unsafe.Sizeof(*h)) + 8192 + (112+2*4*int(unsafe.Sizeof(slot{})))*len(c.rules))
	put(b, h)
	b.align()
	return c.encodeRules(b, h)
}

// encodeIndexes writes what finds the shapes of addresses, identities and ports.
func (c *compiler) encodeIndexes(b *blob, h *bpf.AcliumTableHeader) {
	for i, end := range []*bpf.AcliumTableEnd{&h.Source, &h.Destination} {
		c.encodeEnd(b, i, end)
	}
	starts, shapes := c.portShapes(0)
	h.Sport, h.SportShapes = b.index(starts), putAll(b, shapes)
	starts, shapes = c.portShapes(1)
	h.Dport, h.DportShapes = b.index(starts), putAll(b, shapes)
}

// noteShapes tells rules and ends which shapes have entries of theirs, and
// gives those of each kind of service, for whole packets and later fragments.
func (c *compiler) noteShapes() (kinds [][2]uint64) {
	kinds = make([][2]uint64, len(c.kinds))
	for side := range c.ends {
		c.ends[side].shapes = take[uint64](c.work, len(c.ends[side].list))
	}
	c.places(func(rule int32, shape uint64, later bool) {
		r := &c.rules[rule]
		if later {
			kinds[r.kind][1] |= shape
		} else {
			kinds[r.kind][0] |= shape
			r.shapes |= shape
		}
		for side, n := range r.end {
			if !c.direct {
				c.ends[side].shapes[n] |= shape
			}
		}
	})
	return kinds
}

// allotShapes makes room for the shapes. What writes them is told where the
// slots of whole packets begin and those of later fragments.
func (c *compiler) allotShapes(b *blob, h *bpf.AcliumTableHeader) (write func(slots [2]uint32)) {
	b.keepTogether(line)
	at := allot[bpf.AcliumTableShape](b, len(c.shapes))
	h.Shapes = at.at
	return func(slots [2]uint32) {
		for i := range c.shapes {
			s := &c.shapes[i]
			at.put(i, &bpf.AcliumTableShape{Mask: s.mask, Salt: salt(i), First: uint32(s.first), Slots: slots[s.kind()]})
		}
	}
}

// allotLookups is allotShapes of a direct table. It puts the lookups of each
// protocol in the place of its shapes; protocols with the same shapes share
// them.
func (c *compiler) allotLookups(b *blob, protocols ...*[256]uint64) (write func(slots [2]uint32)) {
	var sets []uint64
	var at []array[bpf.AcliumTableLookup]
	for _, words := range protocols {
		for v, set := range words {
			n := slices.Index(sets, set)
			if n < 0 {
				n, sets = len(sets), append(sets, set)
				b.keepTogether(line)
				at = append(at, allot[bpf.AcliumTableLookup](b, bits.OnesCount64(set)))
			}
			words[v] = uint64(bits.OnesCount64(set))<<lookupsCountShift | uint64(at[n].at)
		}
	}
	return func(slots [2]uint32) {
		for n, set := range sets {
			for i := 0; set != 0; i, set = i+1, set&(set-1) {
				s := &c.shapes[trailing(set)]
				at[n].put(i, &bpf.AcliumTableLookup{
					Ends: s.mask.pair(), Dport: uint32(s.mask[bpf.AcliumKeyWordKEY_DPORT]),
					Salt: salt(int(s.number)), First: uint32(s.first), Slots: slots[s.kind()],
				})
			}
		}
	}
}

// How table_rule.What is put together.
const (
	flagsShift = uint32(bpf.AcliumTableConstRULE_FLAGS_SHIFT)
	kindShift  = uint32(bpf.AcliumTableConstRULE_KIND_SHIFT)
	otherKind  = uint32(bpf.AcliumTableConstKIND_OTHER)
)

// encodeRules writes rules, and what they refer to.
func (c *compiler) encodeRules(b *blob, h *bpf.AcliumTableHeader) error {
	b.keepTogether(line)
	rules := allot[bpf.AcliumTableRule](b, len(c.rules))
	h.Rules = rules.at
	var more []bpf.AcliumTableMore // none where no rule has more to say
	c.encodeSets(b)
	x := residues{compiler: c, blob: b, known: map[bpf.AcliumTableResidue]uint32{}, sets: map[string]uint32{}, kinds: map[uint32]uint32{}}
	for i := range c.rules {
		r := &c.rules[i]
		record := x.record(r)
		if err := x.police(r, &record); err != nil {
			return err
		}
		if err := x.residue(r, &record); err != nil {
			return err
		}
		if record.Next|record.Residue|uint32(record.Policer) != 0 {
			if more == nil {
				more = make([]bpf.AcliumTableMore, len(c.rules))
			}
			record.Flags |= uint8(bpf.AcliumTableConstRECORD_MORE)
			more[i] = bpf.AcliumTableMore{Next: record.Next, Residue: record.Residue, Policer: record.Policer}
		}
		out := x.rule(r, &record)
		rules.put(i, &out)
	}
	if more != nil {
		h.More = putAll(b, more)
	}
	h.Kinds = put(b, c.kindSets())
	return nil
}

// kindSets gives the kinds that packets are of; those without a number of their
// own share one, of which every packet may be.
func (c *compiler) kindSets() *bpf.AcliumTableKinds {
	out := &bpf.AcliumTableKinds{}
	set := func(words *[256]uint64, has *policy.ByteSet, bit int) {
		for v := range words {
			if has.Has(uint8(v)) {
				words[v] |= 1 << bit
			}
		}
	}
	all := policy.AllBytes()
	for _, words := range []*[256]uint64{&out.Protocol, &out.Later, &out.TcpFlags} {
		set(words, &all, int(otherKind))
	}
	for i := range c.kinds[:min(len(c.kinds), int(otherKind))] {
		k := &c.kinds[i]
		set(&out.Protocol, &k.protocols, i)
		set(&out.Later, &k.later, i)
		set(&out.TcpFlags, &k.flags, i)
	}
	return out
}

// encodeSets writes the sets of ends that are not one interval.
func (c *compiler) encodeSets(b *blob) {
	groups := map[int32]uint32{}
	for side := range c.ends {
		ranks := c.ends[side].ranks
		for i := range c.ends[side].list {
			e := &c.ends[side].list[i]
			if !e.set() {
				continue
			}
			set := ranks[e.spans.first:e.spans.behind]
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
	kinds map[uint32]uint32 // that have no number of their own
}

// rule gives what most rules are.
func (x *residues) rule(r *rule, record *bpf.AcliumTableRecord) bpf.AcliumTableRule {
	s, d := &x.ends[0].list[r.end[0]], &x.ends[1].list[r.end[1]]
	return bpf.AcliumTableRule{
		SourceFirst: s.first, SourceLast: s.last, DestinationFirst: d.first, DestinationLast: d.last,
		SportFirst: r.ports[0].first, SportLast: r.ports[0].last, DportFirst: r.ports[1].first, DportLast: r.ports[1].last,
		What:    min(r.kind, otherKind)<<kindShift | uint32(record.Flags)<<flagsShift | uint32(record.Action),
		Counter: record.Counter,
	}
}

func (x *residues) record(r *rule) bpf.AcliumTableRecord {
	out := bpf.AcliumTableRecord{Action: uint8(r.action), Flags: r.flags}
	if r.action == policy.Next {
		out.Next = x.starts[x.policy.Rules[r.line].Goto]
	}
	if r.counted {
		out.Counter = x.numbers.Counter(int(r.line))
	}
	return out
}

// police gives a rule's record the policer of its class, if it has one.
func (x *residues) police(r *rule, record *bpf.AcliumTableRecord) (err error) {
	if r.flags&uint8(bpf.AcliumTableConstRECORD_POLICE) == 0 {
		return nil
	}
	class := x.policy.Rules[r.line].Police
	if record.Policer, err = x.numbers.Policer(class); err == nil && record.Policer == 0 {
		err = fmt.Errorf("police of %q has no policer", class.Name)
	}
	return err
}

// residue gives a rule's record what the bounds do not say, if there is any.
func (x *residues) residue(r *rule, record *bpf.AcliumTableRecord) error {
	s, d := &x.ends[0].list[r.end[0]], &x.ends[1].list[r.end[1]]
	var out bpf.AcliumTableResidue
	if s.masked != 0 || d.masked != 0 {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_MASK)
		for i, e := range [...]*end{s, d} {
			value, mask := x.ends[i].residue(e)
			out.Value[2*i], out.Value[2*i+1] = value.hi, value.lo
			out.Mask[2*i], out.Mask[2*i+1] = mask.hi, mask.lo
		}
	}
	if s.ranks|s.classes|d.ranks|d.classes != 0 || r.sets != [2]int32{} {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_SETS)
		out.SourceSet, out.SourceClasses = s.ranks, s.classes
		out.DestinationSet, out.DestinationClasses = d.ranks, d.classes
		out.SportSet, out.DportSet = x.portSet(r.sets[0]), x.portSet(r.sets[1])
	}
	if r.kind >= otherKind {
		out.Flags |= uint8(bpf.AcliumResidueFlagsRESIDUE_KIND)
		out.Kind = x.kind(r.kind)
	}
	if r.looksAtBytes {
		if err := x.bytesAndTime(r, &out); err != nil {
			return err
		}
	}
	if r.reflexive {
		if err := x.reflexive(&x.policy.Rules[r.line], &out); err != nil {
			return err
		}
		record.Flags |= uint8(bpf.AcliumTableConstRECORD_REFLEX)
	}
	if out.Window != 0 {
		record.Flags |= uint8(bpf.AcliumTableConstRECORD_TIMED)
	}
	if out.Flags != 0 || out.Window != 0 || r.reflexive {
		record.Residue = x.offset(&out)
	}
	return nil
}

// kind writes a kind that has no number of its own, once.
func (x *residues) kind(n uint32) uint32 {
	at, known := x.kinds[n]
	if !known {
		k := &x.compiler.kinds[n]
		x.blob.align()
		at = put(x.blob, &bpf.AcliumTableKind{Protocols: k.protocols, Later: k.later, TcpFlags: k.flags})
		x.kinds[n] = at
	}
	return at
}

func (x *residues) bytesAndTime(r *rule, out *bpf.AcliumTableResidue) (err error) {
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
	return err
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

// reflexive writes what a line says about reflexive lists.
func (x *residues) reflexive(r *policy.Rule, out *bpf.AcliumTableResidue) (err error) {
	if name := r.Match.Evaluate; name != "" {
		if out.Evaluate, err = x.list(name); err != nil {
			return err
		}
	}
	if to := r.Reflect; to != nil {
		ms := to.Timeout.Milliseconds()
		if time.Duration(ms)*time.Millisecond != to.Timeout || ms > math.MaxUint32 {
			return fmt.Errorf("reflexive list %q: a timeout of %v, want whole milliseconds and %v at most", to.List, to.Timeout, math.MaxUint32*time.Millisecond)
		}
		out.Timeout = uint32(ms)
		out.Reflect, err = x.list(to.List)
	}
	return err
}

func (x *residues) list(name string) (uint8, error) {
	n, err := x.numbers.List(name)
	if err == nil && (n == 0 || int(n) >= int(bpf.AcliumReflexiveConstREFLEXIVE_LISTS)) {
		err = fmt.Errorf("reflexive list %q has number %d", name, n)
	}
	return n, err
}

func bytesOf(s *policy.ByteSet) policy.ByteSet {
	if s == nil {
		return policy.AllBytes()
	}
	return *s
}

func (x *residues) portSet(n int32) uint32 {
	if n == 0 {
		return 0
	}
	list := x.portSets[n]
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
