package verify

import "fmt"

// A ref is a boolean function: the index of a node shifted left by one, and in
// the lowest bit whether it is negated. Equal functions have equal refs.
type ref uint32

// The constant functions. They share node 0.
const (
	yes ref = 0
	no  ref = 1
)

func (f ref) not() ref { return f ^ 1 }

// A node asks one variable: low where it is 0, high where it is 1. High is
// never negated, which makes the form unique.
type node struct {
	level     uint32
	low, high ref
}

// leaf is the level of node 0, behind every variable.
const leaf = 1 << 30

// nodeBudget is how many nodes a comparison may make. A node takes about 24
// bytes with its share of the tables.
const nodeBudget = 12_000_000

// A BudgetError says that a comparison needs more room than it may have.
type BudgetError struct{ Nodes int }

// Error names the budget.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("the comparison needs more than its budget of %d nodes: compare fewer lists at a time", e.Nodes)
}

// A diagram holds the nodes of all functions over one numbering of variables.
// It panics with a *BudgetError when it is full; decide recovers it.
type diagram struct {
	nodes []node
	// unique finds a node by its content: open addressing, 0 is free.
	unique []uint32
	cache  []conjunction
	budget int
}

// A conjunction remembers the result of one and.
type conjunction struct{ f, g, result ref }

func newDiagram(budget int) *diagram {
	return &diagram{
		nodes:  []node{{level: leaf}},
		unique: make([]uint32, 1<<12),
		cache:  make([]conjunction, 1<<12),
		budget: budget,
	}
}

func hash(a, b, c uint32) uint32 {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xc2b2ae3d27d4eb4f ^ uint64(c)*0x165667b19e3779f9
	return uint32(h >> 29)
}

// choose gives the function that is low where the variable is 0 and high where
// it is 1. Both must look at later variables only.
func (d *diagram) choose(level uint32, low, high ref) ref {
	if low == high {
		return low
	}
	if high&1 == 1 {
		return d.find(node{level, low.not(), high.not()}).not()
	}
	return d.find(node{level, low, high})
}

func (d *diagram) find(n node) ref {
	mask := uint32(len(d.unique) - 1)
	at := hash(n.level, uint32(n.low), uint32(n.high)) & mask
	for d.unique[at] != 0 {
		if d.nodes[d.unique[at]] == n {
			return ref(d.unique[at] << 1)
		}
		at = (at + 1) & mask
	}
	if len(d.nodes) >= d.budget {
		panic(&BudgetError{d.budget})
	}
	d.nodes = append(d.nodes, n)
	d.unique[at] = uint32(len(d.nodes) - 1)
	made := ref((len(d.nodes) - 1) << 1)
	if 2*len(d.nodes) > len(d.unique) {
		d.grow()
	}
	return made
}

// grow makes room for twice as many nodes and results.
func (d *diagram) grow() {
	d.unique = make([]uint32, 2*len(d.unique))
	mask := uint32(len(d.unique) - 1)
	for i, n := range d.nodes[1:] {
		at := hash(n.level, uint32(n.low), uint32(n.high)) & mask
		for d.unique[at] != 0 {
			at = (at + 1) & mask
		}
		d.unique[at] = uint32(i + 1)
	}
	old := d.cache
	d.cache = make([]conjunction, len(d.unique))
	for _, c := range old {
		if c.f != c.g {
			d.cache[hash(uint32(c.f), uint32(c.g), 0)&uint32(len(d.cache)-1)] = c
		}
	}
}

// branches gives the function for both values of a variable that is not later
// than its own first one.
func (d *diagram) branches(f ref, level uint32) (low, high ref) {
	n := &d.nodes[f>>1]
	if n.level != level {
		return f, f
	}
	return n.low ^ f&1, n.high ^ f&1
}

func (d *diagram) level(f ref) uint32 { return d.nodes[f>>1].level }

func (d *diagram) and(f, g ref) ref {
	switch {
	case f == g || g == yes:
		return f
	case f == yes:
		return g
	case f == no || g == no || f == g.not():
		return no
	}
	if f > g {
		f, g = g, f
	}
	at := hash(uint32(f), uint32(g), 0)
	if c := &d.cache[at&uint32(len(d.cache)-1)]; c.f == f && c.g == g {
		return c.result
	}
	level := min(d.level(f), d.level(g))
	f0, f1 := d.branches(f, level)
	g0, g1 := d.branches(g, level)
	low := d.and(f0, g0)
	result := d.choose(level, low, d.and(f1, g1))
	d.cache[at&uint32(len(d.cache)-1)] = conjunction{f, g, result}
	return result
}

func (d *diagram) or(f, g ref) ref { return d.and(f.not(), g.not()).not() }

// without gives f where g does not hold.
func (d *diagram) without(f, g ref) ref { return d.and(f, g.not()) }

// implies gives the function that holds unless f holds and g does not.
func (d *diagram) implies(f, g ref) ref { return d.and(f, g.not()).not() }

// same holds where f and g agree.
func (d *diagram) same(f, g ref) ref { return d.and(d.implies(f, g), d.implies(g, f)) }

// any gives the union, joined in pairs so that no operand is large for long.
func (d *diagram) any(fs []ref) ref {
	switch len(fs) {
	case 0:
		return no
	case 1:
		return fs[0]
	}
	return d.or(d.any(fs[:len(fs)/2]), d.any(fs[len(fs)/2:]))
}

// all gives the intersection.
func (d *diagram) all(fs []ref) ref {
	switch len(fs) {
	case 0:
		return yes
	case 1:
		return fs[0]
	}
	return d.and(d.all(fs[:len(fs)/2]), d.all(fs[len(fs)/2:]))
}

// A field is a run of variables that hold a number, the highest bit first.
type field struct {
	first uint32
	bits  int
}

// level gives the variable of a bit; bit 0 is the highest.
func (f field) level(bit int) uint32 { return f.first + uint32(bit) }

// A number is the bits of a value, the highest first.
type number []byte

// numberOf gives the bits of a small value.
func numberOf(v uint64, bits int) number {
	out := make(number, bits)
	for i := range out {
		out[i] = byte(v >> (bits - 1 - i) & 1)
	}
	return out
}

// atLeast holds where the first bits of the field are not below v.
func (d *diagram) atLeast(f field, v number) ref {
	out := yes
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] == 1 {
			out = d.choose(f.level(i), no, out)
		} else {
			out = d.choose(f.level(i), out, yes)
		}
	}
	return out
}

// atMost holds where the first bits of the field are not above v.
func (d *diagram) atMost(f field, v number) ref {
	out := yes
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] == 1 {
			out = d.choose(f.level(i), yes, out)
		} else {
			out = d.choose(f.level(i), out, no)
		}
	}
	return out
}

// between holds where first <= field <= last.
func (d *diagram) between(f field, first, last number) ref {
	return d.and(d.atLeast(f, first), d.atMost(f, last))
}

// equals holds where the bits of the field that care asks for are those of v;
// a nil care asks for all.
func (d *diagram) equals(f field, v, care number) ref {
	out := yes
	for i := len(v) - 1; i >= 0; i-- {
		switch {
		case care != nil && care[i] == 0:
		case v[i] == 1:
			out = d.choose(f.level(i), no, out)
		default:
			out = d.choose(f.level(i), out, no)
		}
	}
	return out
}

// is holds where the field is the small value v.
func (d *diagram) is(f field, v uint64) ref { return d.equals(f, numberOf(v, f.bits), nil) }

// isAny holds where the field is one of the small values.
func (d *diagram) isAny(f field, vs []uint64) ref {
	var fs []ref
	for _, v := range vs {
		fs = append(fs, d.is(f, v))
	}
	return d.any(fs)
}
