package translate

import (
	"cmp"
	"slices"

	"aclium/translate/policy"
)

// credit is the lines of one list that permit something in a cell: rules by
// their index, or what a grid knows.
type credit struct {
	list  *policy.Policy
	rules []int
	grid  *grid
	cell  int
}

// A ranking numbers the lines of a part's lists in the order in which they are
// written, lines with one name and number once.
type ranking struct {
	ids  []policy.RuleID
	rank map[*policy.Policy][]int // of each rule
}

func newRanking(lists []*policy.Policy) *ranking {
	r := &ranking{rank: map[*policy.Policy][]int{}}
	for _, l := range lists {
		for i := range l.Rules {
			r.ids = append(r.ids, l.Rules[i].ID)
		}
	}
	slices.SortFunc(r.ids, compareIDs)
	r.ids = slices.Compact(r.ids)
	for _, l := range lists {
		ranks := make([]int, len(l.Rules))
		for i := range l.Rules {
			ranks[i], _ = slices.BinarySearchFunc(r.ids, l.Rules[i].ID, compareIDs)
		}
		r.rank[l] = ranks
	}
	return r
}

func compareIDs(a, b policy.RuleID) int {
	return cmp.Or(cmp.Compare(a.ACL, b.ACL), cmp.Compare(a.Seq, b.Seq))
}

// of gives the ranks of the lines that permit something in one of the cells.
func (r *ranking) of(cells ...*cell) bitset {
	out := newBitset(len(r.ids))
	asked := map[*grid]bitset{}
	var grids []*grid
	for _, c := range cells {
		for _, x := range c.credits {
			for _, i := range x.rules {
				out.set(r.rank[x.list][i])
			}
			if x.grid == nil {
				continue
			}
			if asked[x.grid] == nil {
				asked[x.grid] = newBitset(len(x.grid.permitted))
				grids = append(grids, x.grid)
			}
			asked[x.grid].set(x.cell)
		}
	}
	for _, g := range grids {
		for i, cells := range g.credit {
			if cells != nil && cells.meets(asked[g]) {
				out.set(r.rank[g.list][i])
			}
		}
	}
	return out
}

// lines gives the names of the lines that permit something in the cells.
func (r *ranking) lines(cells ...*cell) (out []policy.RuleID) {
	ranks := r.of(cells...)
	for i, id := range r.ids {
		if ranks.has(i) {
			out = append(out, id)
		}
	}
	return out
}
