package classifier

import (
	"math"

	"aclium/enforcer/bpf"
)

// enter makes the entries. Where the members of an end depend on no other end,
// both sides' are made at once, and then the entries of both halves of the rules.
func (c *compiler) enter() {
	c.masks = map[point]uint16{}
	c.arena = append(take[member](c.work, 1+(len(c.ends[0].list)+len(c.ends[1].list))*9/8)[:0], member{})
	for side := range c.ends {
		c.members[side] = take[stretch](c.work, len(c.ends[side].list))
		c.covers[side] = take[int32](c.work, len(c.ends[side].list))
	}
	if c.plain() {
		c.fill()
	}
	limit, loads := c.limit()
	entries := take[entry](c.work, loads[0].entries+loads[1].entries)
	var enterers [2]enterer
	c.shares(!loads[0].covered && !loads[1].covered, func(half, first, behind int) {
		e := &enterers[half]
		*e = enterer{compiler: c, tupleOf: map[uint64]int32{}, entries: entries[:0]}
		switch {
		case half == 1:
			e.entries = entries[loads[0].entries:][:0]
		case behind < len(c.rules):
			e.entries = entries[:0:loads[0].entries]
		}
		for i := first; i < behind; i++ {
			e.enterRule(int32(i), limit)
		}
	})
	c.unite(&enterers[0], &enterers[1])
	if c.entries = enterers[0].entries; len(enterers[1].entries) > 0 {
		c.entries = entries // each half has filled its own
	}
}

// plain reports whether the members of each end are known from it alone: masks
// get codes as they come, and those of identities are made when they are needed.
func (c *compiler) plain() bool {
	return !c.identities.uses() && len(c.ends[0].masked)+len(c.ends[1].masked) == 0
}

// shares calls f for both halves of the rules at once, if that is possible and
// worth it, or for all of them.
func (c *compiler) shares(possible bool, f func(half, first, behind int)) {
	if possible && c.plain() {
		halves(len(c.rules), f)
	} else {
		f(0, 0, len(c.rules))
	}
}

// fill makes the members of all ends.
func (c *compiler) fill() {
	of := [2][]member{c.arena, take[member](c.work, len(c.ends[1].list)*9/8)[:0]}
	fill := func(side int) {
		for n := range c.members[side] {
			first := int32(len(of[side]))
			of[side] = c.membersOf(side, int32(n), of[side])
			c.members[side][n] = stretch{first, int32(len(of[side]))}
		}
	}
	if len(c.rules) < longList {
		fill(0)
		fill(1)
	} else {
		both(fill)
	}
	base := int32(len(of[0]))
	for n := range c.members[1] {
		c.members[1][n].first += base
		c.members[1][n].behind += base
	}
	c.arena = append(of[0], of[1]...)
}

// unite numbers the tuples of two enterers as one would.
func (c *compiler) unite(a, b *enterer) {
	tuples := make([]int32, len(b.tuples))
	for i := range b.tuples {
		t := &b.tuples[i]
		at, known := a.tupleOf[t.code]
		if !known {
			at = int32(len(a.tuples))
			a.tuples = append(a.tuples, tuple{mask: t.mask, later: t.later, code: t.code})
		}
		a.tuples[at].count += t.count
		tuples[i] = at
	}
	for i := range b.entries {
		b.entries[i].tuple = tuples[b.entries[i].tuple]
	}
	c.tuples = a.tuples
}

// of gives an end's members.
func (c *compiler) of(side int, n int32) stretch {
	s := &c.members[side][n]
	if s.behind == 0 {
		s.first = int32(len(c.arena))
		c.arena = c.membersOf(side, n, c.arena)
		s.behind = int32(len(c.arena))
	}
	return *s
}

// count gives how many members an end has. Those of its classes are not made
// for that: thousands of selectors may hold thousands of classes each.
func (c *compiler) count(side int, n int32) int {
	e := &c.ends[side].list[n]
	if e.group < 0 {
		return c.of(side, n).len()
	}
	sum := len(c.identities.sets[e.group])
	for i := e.spans.first; i < e.spans.behind; i++ {
		c.pieces = c.ends[side].spans[i].pieces(c.ends[side].ranks[i], c.pieces[:0])
		sum += len(c.pieces)
	}
	return sum
}

// around gives the one member around an end.
func (c *compiler) around(side int, n int32) stretch {
	at := &c.covers[side][n]
	if *at == 0 {
		*at = int32(len(c.arena))
		c.arena = append(c.arena, c.cover(side, n))
	}
	return stretch{*at, *at + 1}
}

// load is what a limit on the entries of a rule makes of some rules.
type load struct {
	pairs   int  // of members
	entries int  // a rule is entered for whole packets and for later fragments
	covered bool // some end is entered by what is around it
}

// limit gives how many entries one rule may have, so that all have at most
// four times as many as there are rules, and what that makes of both halves, or
// of all of them in the first.
func (c *compiler) limit() (limit int, loads [2]load) {
	for _, limit := range []int{4096, 1024, 256, 64} {
		loads = [2]load{}
		c.shares(true, func(half, first, behind int) { loads[half] = c.load(limit, first, behind) })
		if loads[0].pairs+loads[1].pairs <= 4*len(c.rules)+1024 {
			return limit, loads
		}
	}
	return 16, [2]load{{entries: 2 * len(c.rules), covered: true}}
}

func (c *compiler) load(limit, first, behind int) (l load) {
	for i := first; i < behind; i++ {
		r := &c.rules[i]
		s, d := c.count(0, r.end[0]), c.count(1, r.end[1])
		a, b := reduce(s, d, limit)
		l.covered = l.covered || a != s || b != d
		l.pairs += a * b
		if r.whole {
			l.entries += a * b
		}
		if r.later {
			l.entries += a * b
		}
	}
	return l
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

// enterer makes the entries of some rules.
type enterer struct {
	*compiler
	entries []entry
	tuples  []tuple
	tupleOf map[uint64]int32 // by code
	recent  [64]int32        // tuples of codes met last, by a hash
}

func (c *enterer) enterRule(i int32, limit int) {
	r := &c.rules[i]
	if !r.whole && !r.later {
		return
	}
	counts := [2]int{c.count(0, r.end[0]), c.count(1, r.end[1])}
	if counts[0] == 0 || counts[1] == 0 {
		return
	}
	var entered [2]stretch
	s, d := reduce(counts[0], counts[1], limit)
	for side, n := range [2]int{s, d} {
		if n == counts[side] {
			entered[side] = c.of(side, r.end[side])
		} else {
			entered[side] = c.around(side, r.end[side])
		}
	}
	sources, destinations := entered[0], entered[1]
	for j := sources.first; j < sources.behind; j++ {
		for k := destinations.first; k < destinations.behind; k++ {
			c.enterPair(entry{rule: i, members: [2]int32{j, k}}, r)
		}
	}
}

// enterPair makes the entries of one member of each end: one for whole
// packets, and one for later fragments, which have no ports to look up by.
func (c *enterer) enterPair(e entry, r *rule) {
	s, d := &c.arena[e.members[0]], &c.arena[e.members[1]]
	code := uint64(s.code) | uint64(d.code)<<12
	if r.later {
		c.addEntry(e, code|codeLater)
	}
	if !r.whole {
		return
	}
	if r.ports[1].first == r.ports[1].last {
		code |= codePort
	}
	c.addEntry(e, code)
}

// Marks beside the codes of masks: the entry is for later fragments, the key
// has the destination port.
const (
	codeLater = 1 << 30
	codePort  = 1 << 31
)

// addEntry finds the entry's tuple: entries of one code have the same mask.
func (c *enterer) addEntry(e entry, code uint64) {
	recent := &c.recent[code*factors[0]>>58]
	at, known := *recent, int(*recent) < len(c.tuples) && c.tuples[*recent].code == code
	if !known {
		if at, known = c.tupleOf[code]; !known {
			at = int32(len(c.tuples))
			c.tupleOf[code] = at
			c.tuples = append(c.tuples, c.tuple(&e, code))
		}
		*recent = at
	}
	e.tuple = at
	c.tuples[at].count++
	c.entries = append(c.entries, e)
}

// tuple gives the tuple of an entry.
func (c *compiler) tuple(e *entry, code uint64) tuple {
	s, d := &c.arena[e.members[0]], &c.arena[e.members[1]]
	source, destination := c.maskOfCode(s.code), c.maskOfCode(d.code)
	t := tuple{mask: key{source.hi, source.lo, destination.hi, destination.lo, classMask(s.class) | classMask(d.class)<<32, 0}, later: code&codeLater != 0, code: code}
	if code&codePort != 0 {
		t.mask[bpf.AcliumKeyWordKEY_DPORT] = math.MaxUint16
	}
	return t
}
