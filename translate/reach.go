package translate

import (
	"slices"
	"sort"

	"aclium/translate/policy"
)

// A span is a run of cells, from one up to and not including another.
type span struct{ from, to int }

// reach is the cells that a line fits: all of their packets, or some.
type reach struct{ all, part []span }

func (r reach) empty() bool { return len(r.all)+len(r.part) == 0 }

// partly gives the same cells, none of them fitted wholly.
func partly(r reach) reach { return reach{part: slices.Concat(r.all, r.part)} }

// meets reports whether a cell is in both.
func (r reach) meets(s reach) bool {
	for _, a := range [][]span{r.all, r.part} {
		for _, b := range [][]span{s.all, s.part} {
			if meeting(a, b) {
				return true
			}
		}
	}
	return false
}

func meeting(a, b []span) bool {
	for _, x := range a {
		for _, y := range b {
			if x.from < y.to && y.from < x.to {
				return true
			}
		}
	}
	return false
}

// columns gives the runs of cells that only their ports tell apart.
func columns(cells []cell) (out []span) {
	for i := range cells {
		if n := len(out); n > 0 && follows(&cells[i-1], &cells[i]) {
			out[n-1].to = i + 1
			continue
		}
		out = append(out, span{i, i + 1})
	}
	return out
}

func follows(c, d *cell) bool {
	return policy.HasPorts(c.protocol) && c.protocol == d.protocol && c.families == d.families && int(c.last)+1 == int(d.first)
}

// reach gives the cells that a line fits, as cell.fit says for each.
func (w *cellWalk) reach(r *policy.Rule) reach {
	known, ok := w.reaches[r]
	if !ok {
		for _, c := range w.columns {
			w.addReach(&known, c, r)
		}
		if w.doubtful[r] != "" {
			known = partly(known)
		}
		w.reaches[r] = known
	}
	return known
}

// addReach asks only the cells where a range of the line's ports starts or has
// ended, as it fits the same up to the next of them.
func (w *cellWalk) addReach(out *reach, column span, r *policy.Rule) {
	cells := w.cells[column.from:column.to]
	at := []int{0}
	if len(cells) > 1 {
		for i := range r.Match.Services {
			for _, p := range r.Match.Services[i].DestinationPorts {
				at = append(at,
					sort.Search(len(cells), func(i int) bool { return cells[i].first >= p.First }),
					sort.Search(len(cells), func(i int) bool { return cells[i].first > p.Last }))
			}
		}
		slices.Sort(at)
		at = slices.Compact(at)
	}
	for k, i := range at {
		end := len(cells)
		if k+1 < len(at) {
			end = at[k+1]
		}
		if i < end {
			f, _ := cells[i].fit(r)
			out.add(f, span{column.from + i, column.from + end})
		}
	}
}

func (r *reach) add(f fit, s span) {
	list := &r.all
	switch f {
	case fitNone:
		return
	case fitPart:
		list = &r.part
	}
	if n := len(*list); n > 0 && (*list)[n-1].to == s.from {
		(*list)[n-1].to = s.to
		return
	}
	*list = append(*list, s)
}
