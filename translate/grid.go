package translate

import (
	"math/bits"
	"net/netip"
	"slices"
	"sort"

	"aclium/translate/policy"
)

/*
A grid walks one list over the addresses in all cells at once. The addresses of
a family are cut at every boundary that some line mentions; what lies between
two cuts is a row, and the cells are the columns:

	               TCP 1-21  22  23  24-  UDP ...
	0.0.0.0           .      .   .   .     .
	10.0.0.0          .      P   .   .     .
	10.1.0.0          P      P   .   P     .
	10.2.0.0          .      P   .   .     .

In a row a line covers all addresses or none, so the row is decided by taking
the lines in order and giving each the columns that are still open. A set of
columns is a set of bits: a line takes 64 of them at once. Turned on its side,
the grid is the permitted addresses of each cell.

Pods are walked by themselves, which is right where pods and addresses are told
apart. Where a line fits in part it takes nothing: a permit is noted as left
out, a deny taints the columns, and a permit of something tainted leaves the
cell to the walk, which knows how to refuse.
*/
type grid struct {
	list   *policy.Policy
	starts []netip.Addr // of the rows; each ends before the next
	end    netip.Addr
	lines  []gridLine
	// permitted holds the rows of each column, credit the columns that the
	// list's rules permit something in, by index.
	permitted []bitset
	credit    []bitset
	refused   bitset // columns with a permit of what a deny fits in part
	sets      map[string]numberedSet
}

// gridLine is what a line does. A line that is about peers nobody can tell has
// a second one before it, on the rows in doubt, that only notes or taints.
type gridLine struct {
	at     int // of the rule
	permit bool
	rows   []span
	reach
	hit int // the last column where the line is left out; -1 for none
}

// maxGrid bounds the bits of a grid: 256 MiB. Larger lists are walked.
var maxGrid = 1 << 31

// grid gives the list's grid in a family; nil when it cannot have one.
func (w *cellWalk) grid(l *policy.Policy, f policy.Family) *grid {
	key := gridKey{l, f}
	g, ok := w.grids[key]
	if !ok {
		jumps := slices.ContainsFunc(l.Rules, func(r policy.Rule) bool { return r.Action == policy.Next || w.isSpecial(&r) })
		if w.space.apart(f) && !jumps {
			g = w.newGrid(l, f)
		}
		w.grids[key] = g
	}
	return g
}

type gridKey struct {
	list   *policy.Policy
	family policy.Family
}

func (w *cellWalk) newGrid(l *policy.Policy, f policy.Family) *grid {
	g := &grid{list: l, credit: make([]bitset, len(l.Rules)), refused: newBitset(len(w.cells)), sets: map[string]numberedSet{}}
	whole := w.space.whole(f).addrs
	g.cut(w, f, whole)
	if len(g.starts)*len(w.cells) > maxGrid {
		return nil
	}
	for i := range l.Rules {
		if r := &l.Rules[i]; w.own[r] && !w.native[r] && !hostAlone(r, w.direction) {
			g.add(w, i, f)
		}
	}
	columns := newBitset(len(w.cells))
	for i := range w.cells {
		if w.cells[i].families&f != 0 {
			columns.set(i)
		}
	}
	g.paint(columns, g.rowsOf(whole), len(w.cells))
	for i := range g.lines {
		if ln := &g.lines[i]; ln.hit >= 0 {
			w.leaveOut(&l.Rules[ln.at], w.whyPart(&l.Rules[ln.at], ln.hit, f))
		}
	}
	return g
}

// whyPart says why a line is left out in a column.
func (w *cellWalk) whyPart(r *policy.Rule, at int, f policy.Family) string {
	if why := w.doubtful[r]; why != "" {
		return why
	}
	if _, unsure := w.region(r, f); unsure != "" {
		return string(unsure)
	}
	_, why := w.cells[at].fit(r)
	return why
}

// cut finds the rows.
func (g *grid) cut(w *cellWalk, f policy.Family, whole addrSet) {
	family := wholeFamilies(f)[0]
	starts := []netip.Addr{family.First}
	g.end = family.Last
	seen := map[uint32]bool{}
	add := func(s addrSet) {
		for _, r := range s {
			starts = append(starts, r.First)
			if next := r.Last.Next(); next.IsValid() && r.Last != family.Last {
				starts = append(starts, next)
			}
		}
	}
	add(whole)
	for i := range g.list.Rules {
		if known := w.lookup(&g.list.Rules[i], f); !seen[known.id] {
			seen[known.id] = true
			add(known.addrs)
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	g.starts = slices.Compact(starts)
}

// rowsOf gives the rows of addresses, which no row is cut by.
func (g *grid) rowsOf(s addrSet) (out []span) {
	row := func(a netip.Addr) int {
		return sort.Search(len(g.starts), func(i int) bool { return a.Less(g.starts[i]) })
	}
	for _, r := range s {
		out = append(out, span{row(r.First) - 1, row(r.Last)})
	}
	return out
}

// add puts a rule into the grid.
func (g *grid) add(w *cellWalk, at int, f policy.Family) {
	r := &g.list.Rules[at]
	reach := w.reach(r)
	if reach.empty() {
		return
	}
	known := w.lookup(r, f)
	ln := gridLine{at: at, permit: r.Action == policy.Permit, rows: g.rowsOf(known.addrs), reach: reach, hit: -1}
	if known.unsure != "" {
		all := ln
		all.rows = g.rowsOf(w.space.doubtful(peerEnd(r, w.direction), f).addrs.minus(known.addrs))
		all.reach = partly(reach)
		g.lines = append(g.lines, all)
	}
	if len(ln.rows) > 0 {
		g.lines = append(g.lines, ln)
	}
}

// paint decides all rows.
func (g *grid) paint(columns bitset, rows []span, cells int) {
	open := make([][]int, len(g.starts)+1)
	shut := make([][]int, len(g.starts)+1)
	for i := range g.lines {
		ln := &g.lines[i]
		if ln.permit && g.credit[ln.at] == nil {
			g.credit[ln.at] = newBitset(cells)
		}
		for _, s := range ln.rows {
			open[s.from], shut[s.to] = append(open[s.from], i), append(shut[s.to], i)
		}
	}
	inside := newBitset(len(g.starts))
	for _, s := range rows {
		inside.fill(s)
	}
	g.permitted = make([]bitset, cells)
	blocks := (len(g.starts) + 63) / 64
	all := newBitset(64 * blocks * cells)
	for i := range g.permitted {
		g.permitted[i] = all[i*blocks : (i+1)*blocks]
	}
	g.paintRows(columns, inside, open, shut)
}

func (g *grid) paintRows(columns, inside bitset, open, shut [][]int) {
	var active []int
	r := &gridRow{grid: g, columns: columns, open: slices.Clone(columns), tainted: make(bitset, len(columns))}
	rows := make([]bitset, 64)
	for i := range rows {
		rows[i] = make(bitset, len(columns))
	}
	for row := range g.starts {
		for _, i := range shut[row] {
			at, _ := slices.BinarySearch(active, i)
			active = slices.Delete(active, at, at+1)
		}
		for _, i := range open[row] {
			at, _ := slices.BinarySearch(active, i)
			active = slices.Insert(active, at, i)
		}
		r.permitted = rows[row%64]
		clear(r.permitted)
		if inside.has(row) {
			r.decide(active)
		}
		if row%64 == 63 || row == len(g.starts)-1 {
			g.take(rows[:row%64+1], row/64)
		}
	}
}

// take turns up to 64 rows into a word of each column.
func (g *grid) take(rows []bitset, block int) {
	for w := range rows[0] {
		var square [64]uint64
		any := uint64(0)
		for k, r := range rows {
			square[k] = r[w]
			any |= r[w]
		}
		if any == 0 {
			continue
		}
		turn(&square)
		for i := w * 64; i < min(len(g.permitted), w*64+64); i++ {
			g.permitted[i][block] = square[i-w*64]
		}
	}
}

// gridRow is a row in work: the columns that are open, permitted, or open and
// tainted by a deny that fits in part.
type gridRow struct {
	*grid
	columns, open, permitted, tainted bitset
	left                              int
	taint                             bool
}

// decide takes the row's lines in order.
func (r *gridRow) decide(lines []int) {
	r.left = 0
	for w, word := range r.columns {
		r.open[w] = word
		r.left += bits.OnesCount64(word)
	}
	if r.taint {
		clear(r.tainted)
		r.taint = false
	}
	for _, i := range lines {
		ln := &r.lines[i]
		if len(ln.part) > 0 {
			r.inPart(ln)
		}
		for _, s := range ln.all {
			r.line(ln, s)
		}
		if r.left == 0 {
			return
		}
	}
}

func (r *gridRow) line(ln *gridLine, s span) {
	for w := s.from / 64; w*64 < s.to; w++ {
		taken := r.open[w] & s.word(w)
		if taken == 0 {
			continue
		}
		r.open[w] &^= taken
		r.left -= bits.OnesCount64(taken)
		if ln.permit {
			r.permitted[w] |= taken
			r.credit[ln.at][w] |= taken
			r.refused[w] |= taken & r.tainted[w]
		}
	}
}

// inPart looks at the columns that a line fits in part.
func (r *gridRow) inPart(ln *gridLine) {
	for _, s := range ln.part {
		for w := s.from / 64; w*64 < s.to; w++ {
			some := r.open[w] & s.word(w)
			switch {
			case some == 0:
			case ln.permit:
				ln.hit = max(ln.hit, last(w, some))
			default:
				r.tainted[w] |= some
				r.taint = true
			}
		}
	}
}

// set gives the addresses that the list permits in a cell.
func (g *grid) set(w *cellWalk, cell int) numberedSet {
	rows := g.permitted[cell]
	key := rows.key()
	out, ok := g.sets[key]
	if !ok {
		out.addrs = g.ranges(rows)
		out.number = w.number(out.addrs.key())
		g.sets[key] = out
	}
	return out
}

// numberedSet is a set of addresses with the number that it alone has.
type numberedSet struct {
	addrs  addrSet
	number uint32
}

func (g *grid) ranges(rows bitset) (out addrSet) {
	for i := 0; i < len(g.starts); i++ {
		if rows[i/64] == 0 {
			i |= 63
			continue
		}
		if !rows.has(i) {
			continue
		}
		first := i
		for i+1 < len(g.starts) && rows.has(i+1) {
			i++
		}
		last := g.end
		if i+1 < len(g.starts) {
			last = g.starts[i+1].Prev()
		}
		out = append(out, policy.AddrRange{First: g.starts[first], Last: last})
	}
	return out
}
