package ruleset

import (
	"math"
	"math/rand/v2"
	"slices"
)

// dice is the source of everything random in a list.
type dice struct{ *rand.Rand }

func newDice(shape Shape, seed uint64) dice {
	mixed := seed
	for _, b := range []byte(shape) {
		mixed = mix(mixed, uint64(b))
	}
	return dice{rand.New(rand.NewPCG(seed, mixed))}
}

// mix is a step of a hash: a value that looks random and depends on both.
func mix(a, b uint64) uint64 {
	x := (a ^ b + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>29) * 0x94d049bb133111eb
	return x ^ x>>32
}

// chance is true with the given probability.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// between gives a number from first to last.
func (d dice) between(first, last int) int { return first + d.IntN(last-first+1) }

// skewed gives an index below n; small ones come up more often.
func (d dice) skewed(n int) int { return int(float64(n) * math.Pow(d.Float64(), 1.6)) }

// choice gives a member of a list, each as often as the others.
func choice[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// weighted are values with how often each is wanted.
type weighted[T any] []struct {
	weight float64
	value  T
}

// pick gives a value as often as its weight says.
func (w weighted[T]) pick(d dice) T {
	total := 0.0
	for _, o := range w {
		total += o.weight
	}
	at := d.Float64() * total
	for _, o := range w {
		if at -= o.weight; at < 0 {
			return o.value
		}
	}
	return w[len(w)-1].value
}

// An addressTree gives addresses that share prefixes as those of a real
// network do. It is the binary tree of ClassBench, without being stored: at
// each bit a hash of the bits above says whether the tree branches there and
// to which side it leans.
type addressTree struct {
	seed uint64
	// branches is the probability that a node at a depth has two children.
	branches [32]float64
}

func newAddressTree(seed uint64, addresses int) *addressTree {
	t := &addressTree{seed: seed}
	// Three bits of branching are spare, so that addresses do not run out.
	want := math.Log2(float64(addresses)) + 3
	for depth := range t.branches {
		t.branches[depth] = min(1, want/32*lean(depth))
	}
	return t
}

// lean says where networks branch: little among the first bits, much within a
// provider's block and among the hosts of a subnet.
func lean(depth int) float64 {
	switch {
	case depth < 4:
		return 0.5
	case depth < 12:
		return 0.7
	case depth < 24:
		return 1.1
	}
	return 1.4
}

// address gives a random leaf.
func (t *addressTree) address(d dice) uint32 {
	a := uint32(0)
	for depth := range 32 {
		h := mix(t.seed+uint64(depth), uint64(a))
		heavy := uint32(h & 1)
		bit := heavy
		if float64(h>>11)/(1<<53) < t.branches[depth] && d.chance(0.35) {
			bit = 1 - heavy
		}
		a |= bit << (31 - depth)
	}
	return unicast(a)
}

// unicast keeps an address out of the ranges that no host sends from.
func unicast(a uint32) uint32 {
	if first := a >> 24; first == 0 || first == 127 || first >= 224 {
		return a&0x00ffffff | 20<<24
	}
	return a
}

// pool gives that many different addresses, in no order.
func (t *addressTree) pool(d dice, n int) []uint32 {
	seen := map[uint32]bool{}
	var out []uint32
	for tries := 0; len(out) < n; tries++ {
		a := t.address(d)
		if tries > 20*n { // the tree is too narrow for so many
			a = unicast(a ^ d.Uint32()>>8)
		}
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return slices.Clip(out)
}
