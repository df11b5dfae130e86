package classifier

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"aclium/translate/policy"
)

// end is the share of a peer that one rule takes: everybody, addresses and
// identities, or one discontiguously masked address.
type end struct {
	any    bool
	spans  stretch // sorted and disjoint, those of IPv4 first
	group  int32   // of identities, or -1
	masked int32   // number of a masked address, 0 is none
	// first and last are the ranks around all that the end holds.
	first, last uint32
	// ranks and classes are where the sets stand in the table, 0 where the
	// bounds say it all.
	ranks, classes uint32
}

// set reports whether the bounds are not all that there is to know.
func (e *end) set() bool { return !e.any && (e.group >= 0 || e.spans.len() != 1) }

// span is an interval of addresses of one family.
type span struct {
	first, last point
	six         bool
}

// ends are the sources or the destinations of a list.
type ends struct {
	work   *workspace
	lines  []stretch // by line: its ends
	list   []end
	shapes []uint64 // by end: those that have entries of it
	spans  []span
	ranks  []limits // by span: of its first and last address
	known  map[string]stretch
	masked []*policy.Masked
	key    []byte  // of the peers at hand
	any    stretch // the end that is everybody, once
	// four and six are the spans' edges in order.
	four []uint64
	six  []edge
	// starts4 and starts6 are where the ranks begin; 0 comes first.
	starts4 []uint32
	starts6 []point
}

// size gives the number of ranks.
func (e *ends) size() int { return len(e.starts4) + len(e.starts6) }

// reserve makes room for the ends of so many lines, and for some of the members
// of unions.
func (e *ends) reserve(lines int) {
	some := lines + lines/8
	e.lines, e.list, e.spans = take[stretch](e.work, lines), take[end](e.work, some)[:0], take[span](e.work, some)[:0]
}

// parts gives a peer's ends: what intervals and identities say, and every
// discontiguous mask.
func (e *ends) parts(p *policy.Peers, ids *identities) stretch {
	if p.Any {
		if e.any.len() == 0 {
			e.any = e.add(end{any: true, group: -1})
		}
		return e.any
	}
	if len(p.Addresses) == 1 && len(p.Masked) == 0 && !namesIdentities(p) {
		s := e.addSpan(&p.Addresses[0])
		return e.add(end{spans: s, group: -1})
	}
	e.key = appendKey(e.key[:0], p)
	key := e.key
	if found, ok := e.known[string(key)]; ok {
		return found
	}
	if e.known == nil {
		e.known = map[string]stretch{}
	}
	found := e.addUnion(p, ids)
	e.known[string(key)] = found
	return found
}

func (e *ends) add(x end) stretch {
	n := int32(len(e.list))
	e.list = append(e.list, x)
	return stretch{n, n + 1}
}

func (e *ends) addSpan(r *policy.AddrRange) stretch {
	n := int32(len(e.spans))
	e.spans = append(e.spans, spanOf(r))
	return stretch{n, n + 1}
}

func (e *ends) addUnion(p *policy.Peers, ids *identities) stretch {
	whole := end{group: -1}
	var list []end
	var spans []span
	for i := range p.Addresses {
		spans = append(spans, spanOf(&p.Addresses[i]))
	}
	for i := range p.Masked {
		r, contiguous := around(p.Masked[i])
		if contiguous {
			spans = append(spans, spanOf(&r))
			continue
		}
		e.masked = append(e.masked, &p.Masked[i])
		list = append(list, end{masked: int32(len(e.masked)), group: -1, spans: e.addSpan(&r)})
	}
	if namesIdentities(p) {
		whole.group = ids.group(p)
	}
	if len(spans) > 0 || whole.group >= 0 {
		whole.spans.first = int32(len(e.spans))
		e.spans = append(e.spans, union(spans)...)
		whole.spans.behind = int32(len(e.spans))
		list = append(list, whole)
	}
	found := stretch{first: int32(len(e.list))}
	e.list = append(e.list, list...)
	found.behind = int32(len(e.list))
	return found
}

// appendKey appends the same text for equal peers.
func appendKey(b []byte, p *policy.Peers) []byte {
	pair := func(a, z netip.Addr) {
		x, y := a.As16(), z.As16()
		b = append(b, byte(a.BitLen()))
		b = append(append(b, x[:]...), y[:]...)
	}
	for _, r := range p.Addresses {
		pair(r.First, r.Last)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.Addresses)))
	for _, m := range p.Masked {
		pair(m.Addr, m.Wildcard)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.Masked)))
	return append(b, identityKey(p)...)
}

func spanOf(r *policy.AddrRange) span {
	return span{first: pointOf(r.First), last: pointOf(r.Last), six: !r.First.Is4()}
}

// union gives the same addresses as sorted spans that do not touch.
func union(in []span) []span {
	slices.SortFunc(in, func(a, b span) int {
		if a.six != b.six {
			return map[bool]int{false: -1, true: 1}[a.six]
		}
		return a.first.compare(b.first)
	})
	var out []span
	for _, s := range in {
		if n := len(out); n > 0 && out[n-1].six == s.six && touches(out[n-1].last, s.first) {
			if s.last.compare(out[n-1].last) > 0 {
				out[n-1].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// touches reports whether nothing lies between a span's last address and the
// first one of the span that follows it in order.
func touches(last, first point) bool {
	behind := last.next()
	return behind == point{} || first.compare(behind) <= 0
}

// around gives the smallest range around a masked address and whether it holds
// nothing else.
func around(m policy.Masked) (r policy.AddrRange, contiguous bool) {
	first, wild := m.Addr.AsSlice(), m.Wildcard.AsSlice()
	last := make([]byte, len(first))
	ones := false // a don't-care bit was seen
	contiguous = true
	for i := range first {
		first[i] &^= wild[i]
		last[i] = first[i] | wild[i]
		for bit := byte(0x80); bit > 0; bit >>= 1 {
			if wild[i]&bit != 0 {
				ones = true
			} else if ones {
				contiguous = false
			}
		}
	}
	r.First, _ = netip.AddrFromSlice(first)
	r.Last, _ = netip.AddrFromSlice(last)
	return r, contiguous
}

// residue gives the value and mask of one end. A mask of 0 asks nothing.
func (e *ends) residue(x *end) (value, mask point) {
	if x.masked == 0 {
		return point{}, point{}
	}
	masked := e.masked[x.masked-1]
	wild := pointOf(masked.Wildcard)
	mask = point{^wild.hi, ^wild.lo}
	if masked.Wildcard.Is4() {
		mask = point{0, mask.lo & math.MaxUint32}
	}
	at := pointOf(masked.Addr)
	return point{at.hi & mask.hi, at.lo & mask.lo}, mask
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
