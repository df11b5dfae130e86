package classifier

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"aclium/enforcer/bpf"
)

// tuple is the finest shape of some entries.
type tuple struct {
	mask   key
	later  bool
	count  int
	sample []key // keys of some of the entries
	shape  int   // of merger
	code   uint64
	ends   uint8 // what is asked of the ends: by address 1 and 2, by class 4 and 8
}

// asks gives what a mask asks of the ends.
func (k *key) asks() (ends uint8) {
	for i, w := range []uint64{k[0] | k[1], k[2] | k[3], k[4] & math.MaxUint32, k[4] >> 32} {
		if w != 0 {
			ends |= 1 << i
		}
	}
	return ends
}

// shape is one hash lookup: the bits of the key that its entries give.
type shape struct {
	tuple
	cost   float64
	first  int32 // the lowest rule
	number uint8 // in the order of first
	gone   bool  // another one, tuple.shape, has taken its entries
}

// kind is 1 for later fragments, else 0.
func (t *tuple) kind() int {
	if t.later {
		return 1
	}
	return 0
}

// Every shape costs each packet that it is possible for a lookup, and every
// chain of entries behind one key costs steps. Merging shapes trades one for
// the other. Costs count lookups; the figures are measured, and only speed
// depends on them.
const (
	shapeCost  = 0.4  // lookups that a shape costs a packet
	samples    = 1024 // keys looked at
	shortChain = 4
	mixed      = 1 << 7 // of ends: entries ask different things
)

// mostShapes is how many shapes the table may have.
func (c *compiler) mostShapes() int {
	if c.direct {
		return int(bpf.AcliumTableConstDIRECT_SHAPES)
	}
	return int(bpf.AcliumTableConstTABLE_SHAPES)
}

// chainCost gives what it costs that an entry shares its key with n-1 others.
// Nodes divide them if they ask the same of the ends. Where one asks for the
// source alone and another for the destination alone, whatever divides the
// former repeats the latter.
func chainCost(n float64, alike bool) float64 {
	if n <= shortChain || !alike {
		return 0.3 * (n - 1)
	}
	return 0.3*(shortChain-1) + 0.4*math.Log2(n/shortChain)
}

// shape chooses the shapes and numbers them.
func (c *compiler) shape() {
	c.sample()
	m := merger{total: max(1, len(c.entries)), most: c.mostShapes(), stamps: make([]stamp, 4*samples)}
	order := make([]int, len(c.tuples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(c.tuples[b].count, c.tuples[a].count) })
	for _, i := range order {
		m.add(&c.tuples[i])
	}
	m.squeeze()
	for i := range m.shapes {
		m.shapes[i].first = math.MaxInt32
	}
	for i := range c.entries {
		e := &c.entries[i]
		s := &m.shapes[m.find(c.tuples[e.tuple].shape)]
		s.first = min(s.first, e.rule)
	}
	c.number(&m)
}

// number puts the shapes in the order of their first rules.
func (c *compiler) number(m *merger) {
	var live []int
	for i := range m.shapes {
		if !m.shapes[i].gone {
			live = append(live, i)
		}
	}
	slices.SortStableFunc(live, func(a, b int) int { return cmp.Compare(m.shapes[a].first, m.shapes[b].first) })
	for n, i := range live {
		m.shapes[i].number = uint8(n)
	}
	for i := range c.tuples {
		c.tuples[i].shape = int(m.shapes[m.find(c.tuples[i].shape)].number)
	}
	c.shapes = make([]shape, 0, len(live))
	for _, i := range live {
		c.shapes = append(c.shapes, m.shapes[i])
	}
}

// sample takes keys at equal distances, and one of each tuple at least.
func (c *compiler) sample() {
	step := max(1, len(c.entries)/samples)
	for i := range c.entries {
		t := &c.tuples[c.entries[i].tuple]
		if i%step == 0 || t.sample == nil && len(c.tuples) <= samples {
			t.sample = append(t.sample, c.key(&c.entries[i]))
		}
	}
}

// merger merges tuples into shapes.
type merger struct {
	total  int
	most   int // shapes that are to be left
	shapes []shape
	stamps []stamp
	turn   uint32
	asked  [words]uint8 // in use while a cost is worked out
}

// stamp counts the keys of one hash in one turn.
type stamp struct {
	hash        uint64
	turn, count uint32
}

// find gives the shape that has the entries of shape i.
func (m *merger) find(i int) int {
	for m.shapes[i].gone {
		i = m.shapes[i].tuple.shape
	}
	return i
}

// add makes the tuple a shape, or merges it with the one that gains most.
func (m *merger) add(t *tuple) {
	s := shape{tuple: *t}
	s.ends = s.mask.asks()
	s.cost = m.cost(s.mask, &s, nil)
	best, gain := -1, 0.0
	for i := range m.shapes {
		if x := &m.shapes[i]; !x.gone && x.later == s.later {
			if g := x.cost + s.cost - m.cost(meet(&x.mask, &s.mask), x, &s); best < 0 || g > gain {
				best, gain = i, g
			}
		}
	}
	if best >= 0 && (gain > 0 || len(m.shapes) >= 2*m.most) {
		m.merge(best, &s)
		t.shape = best
		return
	}
	t.shape = len(m.shapes)
	m.shapes = append(m.shapes, s)
}

// squeeze merges the smallest shapes until there are few enough, and as long
// as that gains something.
func (m *merger) squeeze() {
	order := make([]int, len(m.shapes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(m.shapes[a].count, m.shapes[b].count) })
	live := len(order)
	for _, i := range order {
		x := &m.shapes[i]
		best, gain := -1, math.Inf(-1)
		for j := range m.shapes {
			if y := &m.shapes[j]; j != i && !y.gone && y.later == x.later {
				if g := x.cost + y.cost - m.cost(meet(&x.mask, &y.mask), x, y); g > gain {
					best, gain = j, g
				}
			}
		}
		if best >= 0 && (gain > 0 || live > m.most) {
			m.merge(best, x)
			x.gone, x.tuple.shape = true, best
			live--
		}
	}
}

func (m *merger) merge(i int, s *shape) {
	x := &m.shapes[i]
	x.mask = meet(&x.mask, &s.mask)
	x.sample = append(x.sample, s.sample...)
	x.count += s.count
	if x.ends != s.ends {
		x.ends = mixed
	}
	x.cost = m.cost(x.mask, x, nil)
}

// meet gives the bits that both masks look at.
func meet(a, b *key) (out key) {
	for i := range out {
		out[i] = a[i] & b[i]
	}
	return out
}

// cost estimates what a shape of the mask costs a packet that has the entries
// of a and b: how many entries share a key is guessed from the samples.
func (m *merger) cost(mask key, a, b *shape) float64 {
	m.turn++
	asked := mask.asked(&m.asked)
	pairs := m.pairs(&mask, asked, a.sample)
	sampled, count := len(a.sample), a.count
	if b != nil {
		pairs += m.pairs(&mask, asked, b.sample)
		sampled, count = sampled+len(b.sample), count+b.count
	}
	chain, alike := 1.0, b == nil || a.ends == b.ends
	if sampled > 1 {
		chain += 2 * float64(pairs) / float64(sampled) * float64(count-1) / float64(sampled-1)
	}
	return shapeCost + float64(count)/float64(m.total)*chainCost(chain, alike && a.ends != mixed)
}

// asked gives the words of which a mask asks something, in the space.
func (k *key) asked(space *[words]uint8) []uint8 {
	n := 0
	for w := range k {
		if k[w] != 0 {
			space[n] = uint8(w)
			n++
		}
	}
	return space[:n]
}

// pairs counts the pairs of keys of this turn that are equal under the mask.
func (m *merger) pairs(mask *key, asked []uint8, sample []key) (n int) {
	for i := range sample {
		h := uint64(0)
		for _, w := range asked {
			h += (sample[i][w%uint8(words)] & mask[w%uint8(words)]) * factors[w%uint8(words)]
		}
		s := m.stampOf(h ^ h>>29)
		n += int(s.count)
		s.count++
	}
	return n
}

func (m *merger) stampOf(hash uint64) *stamp {
	for at := hash >> 32 % uint64(len(m.stamps)); ; at = (at + 1) % uint64(len(m.stamps)) {
		s := &m.stamps[at]
		if s.turn != m.turn {
			*s = stamp{hash: hash, turn: m.turn}
		}
		if s.hash == hash {
			return s
		}
	}
}

func trailing(x uint64) int { return bits.TrailingZeros64(x) }
