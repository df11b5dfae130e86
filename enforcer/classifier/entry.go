package classifier

import (
	"math"
	"math/bits"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// The words of a key, and the values that a node may ask.
const (
	words  = int(bpf.AcliumTableConstTABLE_WORDS)
	values = int(bpf.AcliumNodeValueVALUE_TCP_FLAGS) // the flags are not asked
)

// key is what a packet is looked up by.
type key [words]uint64

// box bounds the packets that an entry is for, one interval for each value
// that a node may ask.
type box [values]limits

// An entry is one of the places in which a rule is found.
type entry struct {
	key   key
	box   box
	rule  int32
	tuple int32
	later bool // for later fragments alone
	exact bool // the rule matches every packet in the box
}

// member is one value of an end that entries are made for.
type member struct {
	at, mask    point
	class       uint32 // 0 is none
	first, last uint32 // ranks
	exact       bool   // nobody in the ranks is outside the end
	code        uint32 // of the mask, for tuples
}

// Codes of masks: 0 is none, then the lengths of IPv4 and IPv6 prefixes, the
// identity class, and the discontiguous masks in the order of their coming.
const (
	codeIPv4  = 1
	codeIPv6  = codeIPv4 + 33
	codeClass = codeIPv6 + 129
	codeMask  = codeClass + 1
	maxMasks  = 64
)

// anybody is the member that asks nothing.
func anybody(exact bool) member { return member{last: math.MaxUint32, exact: exact} }

// lengths rounds the length of a prefix down, so that there are few shapes.
var lengths = func() (out [2][129]uint8) {
	for f, steps := range [2][]int{{0, 8, 12, 16, 20, 24, 28, 32}, {0, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128}} {
		at := 0
		for n := range out[f] {
			if at+1 < len(steps) && steps[at+1] <= n {
				at++
			}
			out[f][n] = uint8(steps[at])
		}
	}
	return out
}()

// prefix gives the member of the addresses that share the first bits with a.
func prefix(a point, six bool, length int, first, last uint32) member {
	f, code := 0, codeIPv4
	if six {
		f, code = 1, codeIPv6
	}
	length = int(lengths[f][length])
	m := member{first: first, last: last, exact: true, code: uint32(code + length)}
	if length == 0 {
		m.code = 0
	}
	m.mask = maskOf(six, length)
	m.at = point{a.hi & m.mask.hi, a.lo & m.mask.lo}
	return m
}

func maskOf(six bool, length int) point {
	if !six {
		return point{lo: uint64(math.MaxUint32) << (32 - length) & math.MaxUint32}
	}
	if length <= 64 {
		return point{hi: ^uint64(0) << (64 - length)}
	}
	return point{math.MaxUint64, ^uint64(0) << (128 - length)}
}

// common gives the number of leading bits that a and b share.
func common(a, b point, six bool) int {
	switch {
	case !six:
		return bits.LeadingZeros32(uint32(a.lo ^ b.lo))
	case a.hi != b.hi:
		return bits.LeadingZeros64(a.hi ^ b.hi)
	}
	return 64 + bits.LeadingZeros64(a.lo^b.lo)
}

// maxPieces is into how many prefixes a range may be cut.
const maxPieces = 4

// pieces adds the prefixes of a span; one around it where it has too many.
func (s *span) pieces(out []member) []member {
	n, at := len(out), s.first
	for range maxPieces {
		length := s.aligned(at)
		out = append(out, prefix(at, s.six, length, s.from, s.to))
		last := at
		m := maskOf(s.six, length)
		last.hi |= ^m.hi
		last.lo |= ^m.lo
		if !s.six {
			last.hi, last.lo = 0, last.lo&math.MaxUint32
		}
		if last == s.last {
			return out
		}
		at = last.next()
	}
	return append(out[:n], prefix(s.first, s.six, common(s.first, s.last, s.six), s.from, s.to))
}

// aligned gives the length of the largest prefix that begins at the address
// and does not reach beyond the span.
func (s *span) aligned(at point) int {
	width, zeros := 32, bits.TrailingZeros32(uint32(at.lo))
	if s.six {
		width, zeros = 128, bits.TrailingZeros64(at.lo)
		if at.lo == 0 {
			zeros = 64 + bits.TrailingZeros64(at.hi)
		}
	}
	for length := width - zeros; ; length++ {
		m := maskOf(s.six, length)
		last := point{at.hi | ^m.hi, at.lo | ^m.lo}
		if !s.six {
			last = point{lo: last.lo & math.MaxUint32}
		}
		if last.compare(s.last) <= 0 {
			return length
		}
	}
}

// members gives the values of an end: all packets of the end have at least
// one of them.
func (c *compiler) members(side int, n int32, out []member) []member {
	e := &c.ends[side].list[n]
	switch {
	case e.any:
		return append(out, anybody(true))
	case e.masked != nil:
		return append(out, c.maskedMember(side, e))
	}
	spans := c.ends[side].spans[e.spans.first:e.spans.behind]
	for i := range spans {
		out = spans[i].pieces(out)
	}
	if e.group >= 0 {
		for _, class := range c.identities.sets[e.group] {
			out = append(out, member{class: class, last: math.MaxUint32, exact: true, code: codeClass})
		}
	}
	return out
}

// maskedMember gives the member of a discontiguous mask. Beyond maxMasks
// different ones, only the prefix that the masked addresses share is a key.
func (c *compiler) maskedMember(side int, e *end) member {
	s := &c.ends[side].spans[e.spans.first]
	value, mask := e.residue()
	code, known := c.masks[mask]
	if !known && len(c.masks) < maxMasks {
		code, known = uint32(codeMask+len(c.masks)), true
		c.masks[mask] = code
	}
	m := prefix(s.first, s.six, common(s.first, s.last, s.six), s.from, s.to)
	if known {
		m.at, m.mask, m.code = value, mask, code
	}
	m.exact = false
	return m
}

// cover gives the one member around an end that has many.
func (c *compiler) cover(side int, n int32) member {
	e := &c.ends[side].list[n]
	spans := c.ends[side].spans[e.spans.first:e.spans.behind]
	if e.any || e.group >= 0 || len(spans) == 0 || spans[0].six != spans[len(spans)-1].six {
		m := anybody(e.any)
		m.first, m.last = e.first, e.last
		return m
	}
	a, b := &spans[0], &spans[len(spans)-1]
	m := prefix(a.first, a.six, common(a.first, b.last, a.six), e.first, e.last)
	m.exact = len(spans) == 1 && e.masked == nil
	return m
}

// enter makes the entries.
func (c *compiler) enter() {
	c.masks = map[point]uint32{}
	c.tupleOf = map[uint64]int32{}
	for side := range c.cached {
		c.cached[side] = make([]memo, len(c.ends[side].list))
	}
	limit := c.limit()
	c.entries = make([]entry, 0, len(c.rules)*3/2+16)
	for i := range c.rules {
		c.enterRule(int32(i), limit)
	}
}

// memo holds the members of an end; nil is not known.
type memo struct{ list []member }

// of gives an end's members.
func (c *compiler) of(side int, n int32) []member {
	m := &c.cached[side][n]
	if m.list == nil {
		at := len(c.arena)
		c.arena = c.members(side, n, c.arena)
		m.list = c.arena[at:len(c.arena):len(c.arena)]
	}
	return m.list
}

// limit gives how many entries one rule may have, so that all have at most
// four times as many as there are rules.
func (c *compiler) limit() int {
	for _, limit := range []int{4096, 1024, 256, 64} {
		sum := 0
		for i := range c.rules {
			r := &c.rules[i]
			s, d := len(c.of(0, r.end[0])), len(c.of(1, r.end[1]))
			a, b := reduce(s, d, limit)
			sum += a * b
		}
		if sum <= 4*len(c.rules)+1024 {
			return limit
		}
	}
	return 16
}

// reduce gives how many members of each end are entered: all, or 1 where the
// end is covered.
func reduce(s, d, limit int) (int, int) {
	switch {
	case s*d <= limit:
		return s, d
	case s <= d && s <= limit:
		return s, 1
	case d <= limit:
		return 1, d
	case s <= limit:
		return s, 1
	}
	return 1, 1
}

func (c *compiler) enterRule(i int32, limit int) {
	r := &c.rules[i]
	if !r.whole && !r.later {
		return
	}
	sources, destinations := c.of(0, r.end[0]), c.of(1, r.end[1])
	if len(sources) == 0 || len(destinations) == 0 {
		return
	}
	s, d := reduce(len(sources), len(destinations), limit)
	if s != len(sources) {
		sources = []member{c.cover(0, r.end[0])}
	}
	if d != len(destinations) {
		destinations = []member{c.cover(1, r.end[1])}
	}
	for j := range sources {
		for k := range destinations {
			c.enterPair(i, r, &sources[j], &destinations[k])
		}
	}
}

// enterPair makes the entries of one member of each end: one for whole
// packets, and one for later fragments, which have no ports to look up by.
func (c *compiler) enterPair(i int32, r *rule, s, d *member) {
	k := &c.kinds[r.kind]
	e := entry{rule: i, exact: s.exact && d.exact && c.free[i] && r.sets[0] == nil && r.sets[1] == nil}
	e.key = key{s.at.hi, s.at.lo, d.at.hi, d.at.lo, uint64(s.class) | uint64(d.class)<<32, 0}
	e.box[bpf.AcliumNodeValueVALUE_SOURCE] = limits{s.first, s.last}
	e.box[bpf.AcliumNodeValueVALUE_DESTINATION] = limits{d.first, d.last}
	e.box[bpf.AcliumNodeValueVALUE_SPORT] = limits{0, math.MaxUint16}
	e.box[bpf.AcliumNodeValueVALUE_DPORT] = limits{0, math.MaxUint16}
	e.box[bpf.AcliumNodeValueVALUE_SOURCE_CLASS] = classLimits(s.class)
	e.box[bpf.AcliumNodeValueVALUE_DESTINATION_CLASS] = classLimits(d.class)
	t := tuple{mask: key{s.mask.hi, s.mask.lo, d.mask.hi, d.mask.lo, classMask(s.class) | classMask(d.class)<<32, 0}}
	code := uint64(s.code) | uint64(d.code)<<12
	if r.later {
		x := e
		x.later = true
		x.limitProtocol(&k.later)
		t.later = true
		c.addEntry(&x, code|1<<30, &t)
		t.later = false
	}
	if !r.whole {
		return
	}
	e.limitProtocol(&k.protocols)
	e.box[bpf.AcliumNodeValueVALUE_SPORT] = limits{uint32(r.ports[0].first), uint32(r.ports[0].last)}
	e.box[bpf.AcliumNodeValueVALUE_DPORT] = limits{uint32(r.ports[1].first), uint32(r.ports[1].last)}
	if r.ports[1].first == r.ports[1].last {
		e.key[bpf.AcliumKeyWordKEY_DPORT] = uint64(r.ports[1].first)
		t.mask[bpf.AcliumKeyWordKEY_DPORT] = math.MaxUint16
		code |= 1 << 31
	}
	c.addEntry(&e, code, &t)
}

// limits is an inclusive interval.
type limits struct{ first, last uint32 }

func (l limits) holds(m limits) bool { return l.first <= m.first && m.last <= l.last }

func (l limits) meets(m limits) bool { return l.first <= m.last && m.first <= l.last }

func classLimits(class uint32) limits {
	if class == 0 {
		return limits{0, math.MaxUint32}
	}
	return limits{class, class}
}

func classMask(class uint32) uint64 {
	if class == 0 {
		return 0
	}
	return math.MaxUint32
}

func (e *entry) limitProtocol(set *policy.ByteSet) {
	b := &e.box[bpf.AcliumNodeValueVALUE_PROTOCOL]
	*b = limits{0, 255}
	if set.All() {
		return
	}
	for i, w := range set {
		if w != 0 && w&(w-1) == 0 && set.Len() == 1 {
			n := uint32(64*i + bits.TrailingZeros64(w))
			*b = limits{n, n}
			return
		}
	}
	e.exact = false
}

// addEntry finds the entry's tuple: entries of one code have the same mask.
func (c *compiler) addEntry(e *entry, code uint64, t *tuple) {
	at, known := c.lastTuple, code == c.lastCode && len(c.tuples) > 0
	if !known {
		if at, known = c.tupleOf[code]; !known {
			at = int32(len(c.tuples))
			c.tupleOf[code] = at
			c.tuples = append(c.tuples, *t)
		}
		c.lastTuple, c.lastCode = at, code
	}
	e.tuple = at
	c.tuples[at].count++
	c.entries = append(c.entries, *e)
}
