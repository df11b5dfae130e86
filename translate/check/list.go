package check

import "slices"

// planes are the two kinds of packets, which lines treat differently: those
// with a transport header, and later fragments, which have none.
const planes = 2

// A line is one line of a list as sets.
type line struct {
	boxes  [planes][]box
	permit bool
	// fragments says that the line speaks of later fragments only.
	fragments bool
	// ignored lines hold nothing and are not judged.
	ignored bool
	// perhaps says that the line may decide packets and may not: it hides no
	// line behind it, and is not judged.
	perhaps bool
	// needed says that the line does more than to decide: it is never said
	// that it can go because of lines behind it.
	needed bool
}

// main is the plane by which the line is judged.
func (n *line) main() int {
	if n.fragments {
		return 1
	}
	return 0
}

// outcome is what is wrong with a line. The zero value is nothing.
type outcome uint8

const (
	fine outcome = iota
	empty
	shadowed
	redundant
	contradictory
	removable // redundant because of lines behind it
	undecided
)

// A judgement says what is wrong with a line.
type judgement struct {
	outcome outcome
	// blockers are the lines to blame, in order. Each is needed.
	blockers []int
	// fragments says that the line still decides later fragments.
	fragments bool
	// other is, for redundant, a line before that decides some of the packets
	// the other way; -1 when there is none.
	other int
}

// A list is the lines of an access-list in order. The first that holds a packet
// decides it; one that no line holds is denied.
type list struct {
	lines  []line
	planes [planes]*plane
	out    []judgement
	// gone are lines that are said to be redundant: what is said of the other
	// lines holds with and without them.
	gone []bool
	// taken is room for a set of lines; it is empty between its uses.
	taken []bool
	// left is the work that is left for the whole list.
	left int
	work work
}

// Budgets of work. A step takes 5 to 50 ns.
const (
	listWork    = 40_000_000
	listPerLine = 40_000
	mostPerLine = 2_000_000
	leastForOne = 20_000
)

// judge says for every line of a list what is wrong with it.
func judge(s *space, lines []line) []judgement {
	l := &list{lines: lines, out: make([]judgement, len(lines)), gone: make([]bool, len(lines)), taken: make([]bool, len(lines)), left: listWork + listPerLine*len(lines)}
	for k := range planes {
		all := make([][]box, len(lines))
		for i := range lines {
			if !lines[i].ignored {
				all[i] = lines[i].boxes[k]
			}
		}
		l.planes[k] = newPlane(s, all)
	}
	witnesses := make([]witness, len(lines))
	for i := range lines {
		l.budget(func() { l.out[i], witnesses[i] = l.judgeEarlier(i) }, i)
		l.gone[i] = l.out[i].outcome == redundant
	}
	for i := range lines {
		if l.out[i].outcome != fine || witnesses[i].at == nil || lines[i].needed {
			continue
		}
		l.budget(func() { l.out[i] = l.judgeLater(i, witnesses[i]) }, i)
		l.gone[i] = l.out[i].outcome == removable
	}
	return l.out
}

// budget runs what judges a line with the work that it may take.
func (l *list) budget(f func(), i int) {
	least := leastForOne + 4*len(l.lines)
	allowed := min(max(l.left, least), mostPerLine+4*len(l.lines))
	l.work = work{left: allowed}
	f()
	l.left -= allowed - l.work.left
	if l.work.over {
		l.out[i] = judgement{outcome: undecided}
	}
}

// A witness is a packet that a line decides.
type witness struct {
	plane int
	at    point
}

// before gives the lines before line i that are sure to decide.
func (l *list) before(i int) selection {
	return selection{0, i, func(k int) bool { return !l.lines[k].perhaps }, true}
}

// judgeEarlier compares a line with those before it. A line that is not covered
// by them comes with a packet that it decides.
func (l *list) judgeEarlier(i int) (judgement, witness) {
	n := &l.lines[i]
	if n.ignored || n.perhaps {
		return judgement{}, witness{}
	}
	main := n.main()
	w, decides := l.outside(i, main, l.before(i))
	fragments := false
	if main == 0 {
		var f witness
		if f, fragments = l.outside(i, 1, l.before(i)); !decides {
			w = f
		}
	}
	l.idles(i, main, decides, fragments)
	if decides {
		return judgement{}, w
	}
	if len(n.boxes[main]) == 0 {
		return judgement{outcome: empty, fragments: fragments}, witness{}
	}
	var only [planes]bool
	only[main] = true
	j := judgement{outcome: redundant, fragments: fragments, other: -1}
	j.blockers = l.fewest(l.boxesOf(i, only), selection{}, l.before(i))
	if slices.ContainsFunc(j.blockers, func(k int) bool { return l.lines[k].permit != n.permit }) {
		j.outcome = shadowed
		if len(j.blockers) == 1 && l.holds(i, j.blockers[0], main) {
			j.outcome = contradictory
		}
		return j, witness{}
	}
	if fragments {
		return judgement{}, w
	}
	j.other = l.otherWay(i, main)
	return j, witness{}
}

// idles notes the planes in which a line decides nothing.
func (l *list) idles(i, main int, decides, fragments bool) {
	if l.work.over {
		return
	}
	if !decides {
		l.planes[main].idles(i)
	}
	if main == 0 && !fragments {
		l.planes[1].idles(i)
	}
}

// outside looks for a packet of a line in one plane that the selected lines do
// not hold.
func (l *list) outside(i, k int, s selection) (witness, bool) {
	for _, b := range l.lines[i].boxes[k] {
		if at, out := l.planes[k].outside(b, s, &l.work); out {
			return witness{k, at}, true
		}
	}
	return witness{}, false
}

// holds reports whether line i holds all of line k.
func (l *list) holds(i, k, plane int) bool {
	_, out := l.outside(k, plane, selection{first: i, end: i + 1})
	return !out && !l.work.over
}

// otherWay gives the first line that decides packets of line i, which is
// covered, the other way, or -1.
func (l *list) otherWay(i, k int) int {
	before := l.work
	opposite := selection{0, i, func(o int) bool { return !l.lines[o].perhaps && l.lines[o].permit != l.lines[i].permit }, true}
	first := -1
	for _, b := range l.lines[i].boxes[k] {
		for _, o := range l.planes[k].meeting(b, opposite, true, &l.work) {
			if first >= 0 && o.line >= first {
				break
			}
			if l.decides(k, b, o) {
				first = o.line
			}
		}
	}
	if l.work.over { // the finding holds without it
		l.work, first = work{left: before.left / 2}, -1
	}
	return first
}

// decides reports whether a block decides a packet of the box.
func (l *list) decides(k int, b box, o block) bool {
	part, ok := b.intersect(o.box, &l.work)
	if !ok {
		return false
	}
	_, out := l.planes[k].outside(part, l.before(o.line), &l.work)
	return out
}

// judgeLater compares a line, which decides the witness, with those behind it:
// it can go when they decide all of its packets as it does. That is asked of
// the list without the lines that were said to be redundant before, so that
// all of them can go. It holds of the list as it is too: a redundant line that
// is covered has the action of the lines that cover it, and the others, being
// before this one, take no packet that this one decides.
func (l *list) judgeLater(i int, w witness) judgement {
	if l.isMissed(i, w) || !l.canGo(i) {
		return judgement{}
	}
	j := judgement{outcome: removable}
	all := [planes]bool{true, true}
	rest := selection{i + 1, len(l.lines), func(k int) bool { return l.sameBehind(i, k) && !l.gone[k] }, false}
	j.blockers = l.fewest(l.boxesOf(i, all), selection{0, i, func(k int) bool { return !l.lines[k].perhaps && !l.gone[k] }, true}, rest)
	return j
}

// isMissed reports whether a packet that line i decides is decided otherwise
// without it.
func (l *list) isMissed(i int, w witness) bool {
	p := l.planes[w.plane]
	b := p.at(w.at, selection{first: i + 1, end: len(l.lines)}, &l.work)
	return b < 0 || l.lines[p.blocks[b].line].permit != l.lines[i].permit
}

// sameBehind reports whether line k is sure to decide as line i does.
func (l *list) sameBehind(i, k int) bool {
	return !l.lines[k].perhaps && l.lines[k].permit == l.lines[i].permit
}

// canGo reports whether no verdict changes when line i goes from the list
// without the lines that are gone.
func (l *list) canGo(i int) bool {
	there := func(k int) bool { return k != i && !l.gone[k] }
	for k, boxes := range l.lines[i].boxes {
		for _, b := range boxes {
			if !l.goesUnseen(i, k, b, there) {
				return false
			}
		}
	}
	return true
}

// goesUnseen reports whether every packet of a box of line i is decided before
// it, or by the first line behind it that holds the packet and as line i does.
func (l *list) goesUnseen(i, k int, b box, there func(int) bool) bool {
	p := l.planes[k]
	before := selection{0, i, func(m int) bool { return there(m) && !l.lines[m].perhaps }, true}
	_, missed := p.left(b, boxesOf(p.meeting(b, before, false, &l.work)), &l.work, func(piece box) bool {
		return !l.followed(i, k, piece, there)
	})
	return !missed && !l.work.over
}

// followed reports whether the lines behind line i decide every packet of a
// piece of it as it does: it goes down the list and takes away what each line
// holds, until nothing is left or a line of the other action holds some of it.
func (l *list) followed(i, k int, piece box, there func(int) bool) bool {
	p, rest, other := l.planes[k], []box{piece}, false
	behind := selection{first: i + 1, end: len(l.lines), accept: there}
	p.each(p.index.cuts.sketch(piece), behind, &l.work, func(n int) bool {
		o := &p.blocks[n]
		l.work.spend(len(rest) * len(o.box))
		if l.sameBehind(i, o.line) {
			rest = p.cutAll(rest, o.box, &l.work)
			return len(rest) == 0 || l.work.over
		}
		for _, r := range rest {
			_, _, ok := r.overlap(o.box, &l.work)
			other = other || ok && l.lines[o.line].permit != l.lines[i].permit
		}
		return other || l.work.over
	})
	return !other && len(rest) == 0
}
