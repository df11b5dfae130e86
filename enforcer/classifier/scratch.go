package classifier

import "sync"

// scratch has the memory that compilers of lists of ordinary length have worked
// in, until the collector takes it: one changed line after the other would make
// garbage of ten times the table.
var scratch = sync.Pool{New: func() any { return &compiler{} }}

// keptRules is how many rules a list has at most whose memory is kept, and
// keptMembers how many members its ends have.
const (
	keptRules   = 1 << 14
	keptMembers = 8 * keptRules
)

// room gives n elements, in the memory of s where there is enough. Their
// content is left over from anything.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// empty is room for elements that are 0.
func empty[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	clear(s[:n])
	return s[:n]
}

// release lets another list have the memory.
func (c *compiler) release() {
	if len(c.rules) <= keptRules && len(c.arena) <= keptMembers {
		c.reset()
		scratch.Put(c)
	}
}

// reset keeps the memory, and nothing of the list.
func (c *compiler) reset() {
	s := &c.slots
	*c = compiler{
		ends: [2]ends{c.ends[0].released(), c.ends[1].released()}, rules: c.rules[:0], starts: c.starts[:0], free: c.free[:0],
		members: [2][]stretch{c.members[0][:0], c.members[1][:0]}, covers: [2][]int32{c.covers[0][:0], c.covers[1][:0]},
		pieces: c.pieces[:0], arena: c.arena[:0], entries: c.entries[:0], noted: c.noted[:0],
		slots: slots{list: s.list[:0], at: s.at[:0], next: s.next[:0], first: s.first[:0]},
	}
}

// released gives the memory alone.
func (e *ends) released() ends {
	clear(e.list) // of what belongs to the policy
	return ends{
		lines: e.lines[:0], list: e.list[:0], shapes: e.shapes[:0], spans: e.spans[:0], ranks: e.ranks[:0],
		four: e.four[:0], six: e.six[:0], spare: e.spare[:0], starts4: e.starts4[:0], starts6: e.starts6[:0],
		key: e.key[:0], spanShapes: e.spanShapes[:0], rankShapes: e.rankShapes[:0],
	}
}
