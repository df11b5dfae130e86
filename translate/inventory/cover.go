package inventory

import (
	"math"
	"slices"

	"aclium/translate/policy"
)

// maxSteps bounds the search for the cheapest cover.
const maxSteps = 20000

// A coverer looks for the cheapest terms of which at least one fails for each
// stranger.
type coverer struct {
	costs []int
	// cutBy gives the terms, the cheapest first, that cut a stranger off.
	cutBy [][]int
	best  []int
	cost  int
	steps int
}

// cover gives the terms; false when a stranger satisfies all of them. The terms
// are sorted by their cost.
func (u *universe) cover(terms []policy.Term, strangers []int) ([]policy.Term, bool) {
	w := &coverer{cost: math.MaxInt}
	for _, t := range terms {
		w.costs = append(w.costs, termCost(t))
	}
	for _, c := range strangers {
		var by []int
		for i, t := range terms {
			if !t.Matches(u.classes[c].labels) {
				by = append(by, i)
			}
		}
		if len(by) == 0 {
			return nil, false
		}
		w.cutBy = append(w.cutBy, by)
	}
	// Strangers with few ways out come first; equal ones need one look.
	slices.SortFunc(w.cutBy, func(a, b []int) int {
		if d := len(a) - len(b); d != 0 {
			return d
		}
		return slices.Compare(a, b)
	})
	w.cutBy = slices.CompactFunc(w.cutBy, slices.Equal)
	w.greedy()
	w.search(nil, 0)
	var out []policy.Term
	for _, i := range w.best {
		out = append(out, terms[i])
	}
	return out, true
}

// greedy gives the search a bound: for the stranger with the fewest ways out
// the cheapest term each time.
func (w *coverer) greedy() {
	var chosen []int
	cost := 0
	for next := w.open(chosen); next != nil; next = w.open(chosen) {
		chosen = append(chosen, next[0])
		cost += w.costs[next[0]]
	}
	w.best, w.cost = chosen, cost
}

// open gives the first stranger that the chosen terms leave in, or nil.
func (w *coverer) open(chosen []int) []int {
	for _, by := range w.cutBy {
		if !slices.ContainsFunc(by, func(i int) bool { return slices.Contains(chosen, i) }) {
			return by
		}
	}
	return nil
}

func (w *coverer) search(chosen []int, cost int) {
	if w.steps++; w.steps > maxSteps || cost >= w.cost {
		return
	}
	next := w.open(chosen)
	if next == nil {
		w.best, w.cost = slices.Clone(chosen), cost
		return
	}
	for _, i := range next {
		w.search(append(slices.Clip(chosen), i), cost+w.costs[i])
	}
}
