package check

import "slices"

// fewest gives the lines of a selection that together with the fixed ones cover
// line i in the planes, which the whole selection does. Each of them decides a
// packet of the line, and none can be left out unless loose says that the work
// was not enough to find that out.
//
// The last one is found first: it ends the shortest run of lines that covers.
// Those before it are tried from the last to the first, and dropped when the
// others cover what they hold.
func (l *list) fewest(i int, in [planes]bool, fixed, from selection) (lines []int, loose bool) {
	spent := l.work
	lines = l.candidates(i, in, from)
	if l.work.over {
		return nil, true
	}
	taken := make([]bool, len(l.lines))
	with := func() selection {
		return selection{0, len(l.lines), func(k int) bool {
			return taken[k] || k >= fixed.first && k < fixed.end && fixed.has(k)
		}}
	}
	last := l.shortest(i, in, lines, taken, with())
	clear(taken)
	taken[lines[last]] = true
	if l.coveredIn(i, in, with()) {
		return lines[last : last+1], false
	}
	lines = lines[:last+1]
	for _, k := range lines {
		taken[k] = true
	}
	for _, k := range slices.Backward(lines[:last]) {
		taken[k] = false
		taken[k] = !l.replaced(i, k, in, with())
	}
	if loose = l.work.over; loose {
		l.work = work{left: spent.left / 2} // what is known is enough for a finding
	}
	return slices.DeleteFunc(slices.Clone(lines), func(k int) bool { return !taken[k] }), loose
}

// candidates gives the lines that overlap line i.
func (l *list) candidates(i int, in [planes]bool, from selection) (lines []int) {
	for k := range planes {
		if !in[k] {
			continue
		}
		for _, b := range l.lines[i].boxes[k] {
			for _, o := range l.planes[k].meeting(b, from, true, &l.work) {
				lines = append(lines, o.line)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// shortest gives the index of the line that ends the shortest run of lines that
// covers line i.
func (l *list) shortest(i int, in [planes]bool, lines []int, taken []bool, s selection) int {
	low, high := 0, len(lines)-1
	for low < high {
		m := (low + high) / 2
		for k, n := range lines {
			taken[n] = k <= m
		}
		if l.coveredIn(i, in, s) {
			high = m
		} else {
			low = m + 1
		}
	}
	return low
}

func (l *list) coveredIn(i int, in [planes]bool, s selection) bool {
	for k := range planes {
		if !in[k] {
			continue
		}
		if _, out := l.outside(i, k, s); out || l.work.over {
			return false
		}
	}
	return true
}

// replaced reports whether the selection covers what line k holds of line i.
func (l *list) replaced(i, k int, in [planes]bool, s selection) bool {
	for plane := range planes {
		if !in[plane] {
			continue
		}
		for _, b := range l.lines[i].boxes[plane] {
			for _, o := range l.planes[plane].boxes(k) {
				part, ok := b.intersect(o.box, &l.work)
				if ok && !l.planes[plane].covered(part, s, &l.work) {
					return false
				}
			}
		}
	}
	return !l.work.over
}
