package classifier

import (
	"fmt"
	"math/bits"
	"net/netip"
	"testing"
	"unsafe"

	"aclium/enforcer/bpf"
	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// reader walks a table as bpf/walk.h and glance.h do, with the plainest searches.
type reader struct {
	b     []byte
	h     *bpf.AcliumTableHeader
	work  int // shapes, nodes and rules visited
	nodes int
}

func newReader(b []byte) *reader { return &reader{b: b, h: view[bpf.AcliumTableHeader](b, 0)} }

func view[T any](b []byte, at uint32) *T {
	_ = b[int(at)+int(unsafe.Sizeof(*new(T)))-1]
	return (*T)(unsafe.Pointer(&b[at]))
}

func (r *reader) u32(at uint32) uint32 { return native.Uint32(r.b[at:]) }
func (r *reader) u64(at uint32) uint64 { return native.Uint64(r.b[at:]) }

func (r *reader) rank(node uint32, start func(rank uint32) uint64, k uint64) uint32 {
	for {
		base, shift, last := r.u64(node), r.u32(node+8), uint64(r.u32(node+12))
		cell := uint64(0)
		if k >= base {
			cell = min((k-base)>>shift, last)
		}
		c := r.u32(node + 16 + 4*uint32(cell))
		if c&indexNode != 0 {
			node = c &^ indexNode << 3
			continue
		}
		rank, count := c&(1<<countShift-1), c>>countShift
		for ; count > 0 && start(rank+1) <= k; count-- {
			rank++
		}
		return rank
	}
}

func (r *reader) narrow(x *bpf.AcliumTableIndex, k uint32) uint32 {
	return r.rank(x.Root, func(n uint32) uint64 { return uint64(r.u32(x.Starts+4*n)) + 1 }, uint64(k))
}

func (r *reader) end(e *bpf.AcliumTableEnd, a netip.Addr) uint32 {
	p := pointOf(a)
	if a.Is4() {
		return r.rank(e.Ipv4, func(n uint32) uint64 { return uint64(r.rankOf(e, n).Before) + 1 }, p.lo)
	}
	half := r.rank(e.Ipv6.Root, func(n uint32) uint64 { return r.u64(e.Ipv6.Starts + 8*n) }, p.hi)
	rank, node := r.u32(e.Halves+8*half), r.u32(e.Halves+8*half+4)
	if node != 0 {
		rank = e.First6 + r.rank(node, func(n uint32) uint64 { return r.u64(e.Lows + 8*n) }, p.lo)
	}
	return rank
}

func (r *reader) rankOf(e *bpf.AcliumTableEnd, rank uint32) *bpf.AcliumTableRank {
	return view[bpf.AcliumTableRank](r.b, e.Ranks+8*rank)
}

func (r *reader) in(set, k uint32) bool {
	n := r.u32(set)
	for i := range n {
		if r.u32(set+8+4*i) <= k && k <= r.u32(set+8+4*n+4*i) {
			return true
		}
	}
	return false
}

// place is a packet in the table's terms.
type place struct {
	key    key
	values [values]uint32
	l4     bool
	packet *policy.Packet
	// lookups is where those of the packet stand in a direct table.
	lookups uint32
}

func (r *reader) locate(p *policy.Packet, ids [2]uint32) (at place, shapes uint64) {
	if r.h.Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) != 0 {
		return r.locateDirect(p)
	}
	at = place{packet: p, l4: p.Fragment != policy.Later}
	shapes = ^uint64(0)
	for i, e := range []*bpf.AcliumTableEnd{&r.h.Source, &r.h.Destination} {
		a := []netip.Addr{p.Source.Addr, p.Destination.Addr}[i]
		x := pointOf(a)
		at.key[2*i], at.key[2*i+1] = x.hi, x.lo
		at.values[i] = r.end(e, a)
		class := r.u32(e.Classes + 4*r.narrow(&e.Identity, ids[i]))
		at.values[int(bpf.AcliumNodeValueVALUE_SOURCE_CLASS)+i] = class
		at.key[bpf.AcliumKeyWordKEY_CLASSES] |= uint64(class) << (32 * i)
		shapes &= r.u64(e.Sets+8*r.rankOf(e, at.values[i]).Set) | r.u64(e.IdentityShapes+8*class)
	}
	at.values[bpf.AcliumNodeValueVALUE_PROTOCOL] = uint32(p.Protocol)
	if !at.l4 {
		return at, shapes & r.u64(r.h.Later+8*uint32(p.Protocol))
	}
	r.ports(&at, p)
	shapes &= r.u64(r.h.Protocol + 8*uint32(p.Protocol))
	shapes &= r.u64(r.h.SportShapes + 8*r.narrow(&r.h.Sport, at.values[bpf.AcliumNodeValueVALUE_SPORT]))
	return at, shapes & r.u64(r.h.DportShapes+8*r.narrow(&r.h.Dport, at.values[bpf.AcliumNodeValueVALUE_DPORT]))
}

// locateDirect is locate of a direct table, where addresses are ranks.
func (r *reader) locateDirect(p *policy.Packet) (at place, shapes uint64) {
	at = place{packet: p, l4: p.Fragment != policy.Later}
	for i, a := range []netip.Addr{p.Source.Addr, p.Destination.Addr} {
		x := pointOf(a)
		at.key[2*i], at.key[2*i+1], at.values[i] = x.hi, x.lo, uint32(x.lo)
	}
	at.values[bpf.AcliumNodeValueVALUE_PROTOCOL] = uint32(p.Protocol)
	words := r.h.Later
	if at.l4 {
		words = r.h.Protocol
		r.ports(&at, p)
	}
	row := r.u64(words + 8*uint32(p.Protocol))
	at.lookups = uint32(row)
	return at, 1<<(row>>32) - 1
}

// ports fills in what lies behind the addresses.
func (r *reader) ports(at *place, p *policy.Packet) {
	sport, dport := uint32(p.SourcePort), uint32(p.DestinationPort)
	if withTypes.Has(p.Protocol) {
		sport, dport = 0, uint32(p.ICMPType)<<8|uint32(p.ICMPCode)
	}
	at.values[bpf.AcliumNodeValueVALUE_SPORT], at.values[bpf.AcliumNodeValueVALUE_DPORT] = sport, dport
	at.key[bpf.AcliumKeyWordKEY_DPORT] = uint64(dport)
}

func (r *reader) matches(n uint32, at *place) bool {
	r.work++
	x, record := r.rule(n), r.record(n)
	kinds := view[bpf.AcliumTableKinds](r.b, r.h.Kinds)
	v := at.values
	set, has := kinds.Protocol[at.packet.Protocol], func(first, last, v uint32) bool { return first <= v && v <= last }
	if !at.l4 {
		set = kinds.Later[at.packet.Protocol]
	}
	ok := has(x.SourceFirst, x.SourceLast, v[0]) && has(x.DestinationFirst, x.DestinationLast, v[1]) && set>>(x.What>>8)&1 != 0
	if at.l4 {
		ok = ok && has(uint32(x.SportFirst), uint32(x.SportLast), v[2]) && has(uint32(x.DportFirst), uint32(x.DportLast), v[3]) &&
			kinds.TcpFlags[at.packet.Flags]>>(x.What>>8)&1 != 0
	}
	if !ok || record.Residue == 0 {
		return ok
	}
	return r.residueHolds(view[bpf.AcliumTableResidue](r.b, record.Residue), at, record.Action)
}

func (r *reader) rule(n uint32) *bpf.AcliumTableRule {
	return view[bpf.AcliumTableRule](r.b, r.h.Rules+n*uint32(unsafe.Sizeof(bpf.AcliumTableRule{})))
}

// record puts together what a rule says.
func (r *reader) record(n uint32) *bpf.AcliumTableRecord {
	x := r.rule(n)
	out := &bpf.AcliumTableRecord{Action: uint8(x.What & 3), Flags: uint8(x.What >> 2 & 63), Counter: x.Counter}
	if out.Flags&uint8(bpf.AcliumTableConstRECORD_MORE) != 0 {
		more := view[bpf.AcliumTableMore](r.b, r.h.More+n*uint32(unsafe.Sizeof(bpf.AcliumTableMore{})))
		out.Next, out.Residue, out.Policer = more.Next, more.Residue, more.Policer
	}
	return out
}

func (r *reader) residueHolds(x *bpf.AcliumTableResidue, at *place, action uint8) bool {
	for i := range 4 {
		if x.Flags&uint8(bpf.AcliumResidueFlagsRESIDUE_MASK) != 0 && (at.key[i]^x.Value[i])&x.Mask[i] != 0 {
			return false
		}
	}
	bytes := x.Flags&uint8(bpf.AcliumResidueFlagsRESIDUE_BYTES) != 0
	if bytes && !(policy.ByteSet(x.TrafficClass).Has(at.packet.TrafficClass) && policy.ByteSet(x.HopLimit).Has(at.packet.HopLimit)) {
		return false
	}
	if x.Window != 0 && (at.packet.At.IsZero() && policy.Action(action) == policy.Permit || !at.packet.At.IsZero() && !timeOf[x.Window].Active(at.packet.At)) {
		return false
	}
	if x.Flags&uint8(bpf.AcliumResidueFlagsRESIDUE_KIND) != 0 && !r.kindHolds(view[bpf.AcliumTableKind](r.b, x.Kind), at) {
		return false
	}
	either := func(ranks, rank, classes, class uint32) bool {
		return ranks|classes == 0 || ranks != 0 && r.in(ranks, rank) || classes != 0 && r.in(classes, class)
	}
	v := at.values
	return either(x.SourceSet, v[0], x.SourceClasses, v[5]) && either(x.DestinationSet, v[1], x.DestinationClasses, v[6]) &&
		(!at.l4 || either(x.SportSet, v[2], 0, 0) && either(x.DportSet, v[3], 0, 0))
}

// timeOf holds the schedules by window.
var timeOf = map[uint8]*policy.Schedule{}

func (r *reader) kindHolds(k *bpf.AcliumTableKind, at *place) bool {
	if !at.l4 {
		return policy.ByteSet(k.Later).Has(at.packet.Protocol)
	}
	return policy.ByteSet(k.Protocols).Has(at.packet.Protocol) && policy.ByteSet(k.TcpFlags).Has(at.packet.Flags)
}

// lookup gives the action and counter of the deciding rule; 0 and 0 for the
// implicit last line.
func (r *reader) lookup(p *policy.Packet, ids [2]uint32) (policy.Action, uint32) {
	at, possible := r.locate(p, ids)
	for from := uint32(0); ; {
		best := r.round(&at, possible, from)
		if best == none {
			return 0, 0
		}
		x := r.record(best)
		timed := x.Flags&uint8(bpf.AcliumTableConstRECORD_TIMED) != 0
		switch action := policy.Action(x.Action); {
		case action == policy.Next && timed && p.At.IsZero():
			return policy.Deny, x.Counter
		case action != policy.Next:
			return action, x.Counter
		}
		from = x.Next
	}
}

const none = ^uint32(0)

func (r *reader) round(at *place, shapes uint64, from uint32) uint32 {
	best := none
	for ; shapes != 0; shapes &= shapes - 1 {
		n := uint32(bits.TrailingZeros64(shapes))
		if r.h.Flags&uint32(bpf.AcliumTableConstTABLE_SHORT) != 0 {
			if n >= from && r.matches(n, at) {
				return n
			}
			continue
		}
		first, ref := r.shape(n, at)
		if first >= best {
			break
		}
		r.work++
		best = r.follow(ref, at, from, best)
	}
	return best
}

// shape gives the lowest rule of a shape, and the ref of the slot that the
// packet has in it, or 0.
func (r *reader) shape(n uint32, at *place) (first, ref uint32) {
	if r.h.Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) != 0 {
		k := view[bpf.AcliumTableLookup](r.b, at.lookups+n*uint32(unsafe.Sizeof(bpf.AcliumTableLookup{})))
		hash := k.Salt + ((at.key[1]|at.key[3]<<32)&k.Ends)*r.h.Factors[0] + at.key[5]&uint64(k.Dport)*r.h.Factors[1]
		return k.First, r.slot(hash, k.Slots)
	}
	s := view[bpf.AcliumTableShape](r.b, r.h.Shapes+n*uint32(unsafe.Sizeof(bpf.AcliumTableShape{})))
	hash := s.Salt
	for i := range s.Mask {
		hash += at.key[i] & s.Mask[i] * r.h.Factors[i]
	}
	return s.First, r.slot(hash, s.Slots)
}

func (r *reader) slot(h uint64, slots uint32) uint32 {
	h ^= h >> 32
	h *= r.h.Factors[0]
	if bit := h >> (r.h.SlotShift - 2); r.h.Presence != 0 && r.u64(slots+r.h.Presence+8*uint32(bit/64))>>(bit%64)&1 == 0 {
		return 0
	}
	slot := view[bpf.AcliumTableSlot](r.b, slots+8*uint32(h>>r.h.SlotShift))
	if slot.Check == 0 || slot.Check == uint32(h) {
		return slot.Ref
	}
	return 0
}

func (r *reader) follow(ref uint32, at *place, from, best uint32) uint32 {
	for ref&3 == refNode {
		r.work++
		r.nodes++
		n := view[bpf.AcliumTableNode](r.b, ref&^3)
		child := 0
		for _, c := range n.Cuts {
			if at.values[n.Value] >= c {
				child++
			}
		}
		ref = n.Children[child]
	}
	switch ref & 3 {
	case refRule:
		if n := ref >> 2; n >= from && n < best && r.matches(n, at) {
			return n
		}
	case refList:
		for p := ref&^3 + 8; ; p += 4 {
			n := r.u32(p) &^ listLast
			if n >= best {
				return best
			}
			if n >= from && r.matches(n, at) {
				return n
			}
			if r.u32(p)&listLast != 0 {
				break
			}
		}
	}
	return best
}

var strangers = [2]uint32{uint32(bpf.AcliumIdentityIDENTITY_WORLD), uint32(bpf.AcliumIdentityIDENTITY_WORLD)}

func byLine(line int) uint32 { return uint32(line + 1) }

func TestTablesOfAllShapesAgreeWithTheWalk(t *testing.T) {
	for _, shape := range append(ruleset.Shapes(), ruleset.Exact, ruleset.Disjoint) {
		for _, n := range []int{1, 10, 100, 1000, 10000} {
			for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
				t.Run(fmt.Sprint(shape, n, f), func(t *testing.T) { agree(t, ruleset.New(shape, n, f, 1), 20000) })
			}
		}
	}
}

func agree(t *testing.T, list *policy.Policy, packets int) {
	table, err := Compile(list, nil, Numbers{Counter: byLine})
	if err != nil {
		t.Fatal(err)
	}
	walk, r := ruleset.NewWalk(list), newReader(table.Bytes)
	for i, p := range ruleset.Random(list, packets, 2) {
		if i%10 == 0 {
			p.Fragment = policy.Later
		}
		action, line := r.lookup(&p, strangers)
		wantAction, wantLine := walk.Eval(&p)
		if wantLine == policy.Implicit {
			wantAction = 0
		}
		if action != wantAction || line != uint32(wantLine+1) {
			t.Fatalf("packet %d: got %v line %d, want %v line %d: %+v", i, action, line, wantAction, wantLine+1, p)
		}
	}
	t.Logf("%d bytes, %d shapes, %.1f steps a packet", len(table.Bytes), shapesOf(table), float64(r.work)/float64(packets))
}

func shapesOf(t *Table) int {
	r, all := newReader(t.Bytes), uint64(0)
	if r.h.Flags&uint32(bpf.AcliumTableConstTABLE_DIRECT) != 0 {
		most := uint64(0)
		for v := range uint32(256) {
			most = max(most, r.u64(r.h.Protocol+8*v)>>32, r.u64(r.h.Later+8*v)>>32)
		}
		return int(most)
	}
	for v := range uint32(256) {
		all |= r.u64(r.h.Protocol+8*v) | r.u64(r.h.Later+8*v)
	}
	return bits.OnesCount64(all)
}

func BenchmarkCompile(b *testing.B) {
	for _, shape := range ruleset.Shapes() {
		for _, n := range []int{10, 1000, 10000, 100000} {
			b.Run(fmt.Sprint(shape, n), func(b *testing.B) {
				p := ruleset.New(shape, n, policy.IPv4, 1)
				var table *Table
				for b.Loop() {
					var err error
					if table, err = Compile(p, nil, Numbers{Counter: byLine}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(table.Bytes)), "B/table")
			})
		}
	}
}
