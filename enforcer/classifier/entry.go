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

// An entry is one of the places in which a rule is found: it is for packets
// that have a member of each end.
type entry struct {
	rule, tuple int32
	members     [2]int32 // into arena
}

// member is one value of an end that entries are made for.
type member struct {
	at          point
	class       uint32 // 0 is none
	first, last uint32 // ranks
	code        uint16 // of the mask, for tuples
	exact       bool   // nobody in the ranks is outside the end
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
	m := member{first: first, last: last, exact: true, code: uint16(code + length)}
	if length == 0 {
		m.code = 0
	}
	mask := maskOf(six, length)
	m.at = point{a.hi & mask.hi, a.lo & mask.lo}
	return m
}

// maskOfCode gives the bits of an address that a member of the code asks for.
func (c *compiler) maskOfCode(code uint16) point {
	switch {
	case code >= codeMask:
		return c.maskList[code-codeMask]
	case code == 0 || code == codeClass:
		return point{}
	case code >= codeIPv6:
		return maskOf(true, int(code-codeIPv6))
	}
	return maskOf(false, int(code-codeIPv4))
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

// pieces adds the prefixes of a span that has these ranks; one around it where
// it has too many.
func (s *span) pieces(ranks limits, out []member) []member {
	n, at := len(out), s.first
	for range maxPieces {
		length := s.aligned(at)
		out = append(out, prefix(at, s.six, length, ranks.first, ranks.last))
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
	return append(out[:n], prefix(s.first, s.six, common(s.first, s.last, s.six), ranks.first, ranks.last))
}

// aligned gives the length of the largest prefix that begins at the address
// and does not reach beyond the span.
func (s *span) aligned(at point) int {
	if !s.six {
		size := s.last.lo - at.lo + 1
		return 32 - min(bits.TrailingZeros32(uint32(at.lo)), bits.Len64(size)-1)
	}
	zeros := bits.TrailingZeros64(at.lo)
	if at.lo == 0 {
		zeros = 64 + bits.TrailingZeros64(at.hi)
	}
	for length := 128 - zeros; ; length++ {
		m := maskOf(true, length)
		last := point{at.hi | ^m.hi, at.lo | ^m.lo}
		if last.compare(s.last) <= 0 {
			return length
		}
	}
}

// membersOf gives the values of an end: all packets of the end have at least
// one of them.
func (c *compiler) membersOf(side int, n int32, out []member) []member {
	e := &c.ends[side].list[n]
	switch {
	case e.any:
		return append(out, anybody(true))
	case e.masked != 0:
		return append(out, c.maskedMember(side, e))
	}
	for i := e.spans.first; i < e.spans.behind; i++ {
		out = c.ends[side].spans[i].pieces(c.ends[side].ranks[i], out)
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
	s, ranks := &c.ends[side].spans[e.spans.first], c.ends[side].ranks[e.spans.first]
	value, mask := c.ends[side].residue(e)
	code, known := c.masks[mask]
	if !known && len(c.masks) < maxMasks {
		code, known = uint16(codeMask+len(c.masks)), true
		c.masks[mask], c.maskList = code, append(c.maskList, mask)
	}
	m := prefix(s.first, s.six, common(s.first, s.last, s.six), ranks.first, ranks.last)
	if known {
		m.at, m.code = value, code
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
	m.exact = len(spans) == 1 && e.masked == 0
	return m
}

// key gives the bits that an entry has under its tuple's mask. Other bits are
// not 0.
func (c *compiler) key(e *entry) key {
	s, d := &c.arena[e.members[0]], &c.arena[e.members[1]]
	return key{s.at.hi, s.at.lo, d.at.hi, d.at.lo, uint64(s.class) | uint64(d.class)<<32, uint64(c.rules[e.rule].ports[1].first)}
}

// item is an entry with all that trees ask.
type item struct {
	box   box
	rule  int32
	later bool // for later fragments alone
	exact bool // the rule matches every packet in the box
}

func (c *compiler) item(e *entry) item {
	s, d, r := &c.arena[e.members[0]], &c.arena[e.members[1]], &c.rules[e.rule]
	x := item{rule: e.rule, later: c.tuples[e.tuple].later}
	x.exact = s.exact && d.exact && c.free[e.rule] && r.sets == [2]int32{}
	sport, dport, protocols := limits{0, math.MaxUint16}, limits{0, math.MaxUint16}, &c.kindLimits[r.kind][1]
	if !x.later {
		sport = limits{uint32(r.ports[0].first), uint32(r.ports[0].last)}
		dport = limits{uint32(r.ports[1].first), uint32(r.ports[1].last)}
		protocols = &c.kindLimits[r.kind][0]
	}
	x.exact = x.exact && protocols.exact
	x.box = box{
		bpf.AcliumNodeValueVALUE_SOURCE: {s.first, s.last}, bpf.AcliumNodeValueVALUE_DESTINATION: {d.first, d.last},
		bpf.AcliumNodeValueVALUE_SPORT: sport, bpf.AcliumNodeValueVALUE_DPORT: dport, bpf.AcliumNodeValueVALUE_PROTOCOL: protocols.limits,
		bpf.AcliumNodeValueVALUE_SOURCE_CLASS: classLimits(s.class), bpf.AcliumNodeValueVALUE_DESTINATION_CLASS: classLimits(d.class),
	}
	return x
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

// kindLimits is an interval around the protocols of a kind.
type kindLimits struct {
	limits
	exact bool // it holds no others
}

// limitKinds finds the intervals around the protocols of all kinds.
func (c *compiler) limitKinds() {
	c.kindLimits = make([][2]kindLimits, len(c.kinds))
	for i := range c.kinds {
		k, l := &c.kinds[i], &c.kindLimits[i]
		l[0].limits, l[0].exact = protocolLimits(&k.protocols)
		l[1].limits, l[1].exact = protocolLimits(&k.later)
	}
}

// protocolLimits gives the interval around a set, and whether it is the set.
func protocolLimits(set *policy.ByteSet) (l limits, exact bool) {
	if set.Len() == 1 {
		for i, w := range set {
			if w != 0 {
				n := uint32(64*i + bits.TrailingZeros64(w))
				return limits{n, n}, true
			}
		}
	}
	return limits{0, 255}, set.All()
}
