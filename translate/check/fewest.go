package check

import "slices"

// How the blockers of a line are chosen: few lines that cover it, each of which
// decides a packet of it and none of which can be left out.
//
// The shortest run of lines from the first one on that covers the line ends
// with a line that decides some packet which no line before does. That line is
// taken, its packets are taken away, and the same is asked of what is left and
// of the lines before. Each line that is taken holds a packet that neither those
// taken before it hold nor any line that comes before it in the list, so that
// every one of them is needed.
//
// After a few rounds the lines that are left are tried from the last to the
// first instead, and dropped when the others cover what they hold. What was
// said stays true, and many blockers are found sooner.

// rounds is how many blockers are looked for by runs.
const rounds = 8

// A target is what is to be covered in each plane.
type target [planes][]box

// boxesOf gives the packets of line i in the planes.
func (l *list) boxesOf(i int, in [planes]bool) (t target) {
	for k := range planes {
		if in[k] {
			t[k] = l.lines[i].boxes[k]
		}
	}
	return t
}

// fewest gives the blockers among the lines of a selection that together with
// the fixed ones cover the target, which the whole selection does.
func (l *list) fewest(t target, fixed, from selection) (blockers []int) {
	lines := l.candidates(t, from)
	taken := l.taken
	defer func(all []int) { take(taken, all, 0) }(lines)
	all := selection{0, max(fixed.end, from.end), func(k int) bool {
		return taken[k] || k >= fixed.first && k < fixed.end && fixed.has(k)
	}, from.working}
	for range rounds {
		if len(lines) == 0 || isEmpty(t) || fixed.end > 0 && l.covers(t, all) {
			slices.Sort(blockers)
			return blockers
		}
		last := l.shortest(t, lines, taken, all)
		take(taken, lines, 0)
		blockers = append(blockers, lines[last])
		t = l.without(t, lines[last])
		lines = lines[:last]
	}
	take(taken, lines, len(lines))
	for _, k := range slices.Backward(lines) {
		taken[k] = false
		taken[k] = !l.replaced(t, k, all)
	}
	for _, k := range lines {
		if taken[k] {
			blockers = append(blockers, k)
		}
	}
	slices.Sort(blockers)
	return blockers
}

// take marks the first n of the lines as taken, and the others not.
func take(taken []bool, lines []int, n int) {
	for k, line := range lines {
		taken[line] = k < n
	}
}

func isEmpty(t target) bool { return len(t[0])+len(t[1]) == 0 }

// candidates gives the lines of a selection that overlap the target.
func (l *list) candidates(t target, from selection) (lines []int) {
	for k, boxes := range t {
		for _, b := range boxes {
			for _, o := range l.planes[k].meeting(b, from, true, &l.work) {
				lines = append(lines, o.line)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// jumps is how often a packet that a run leaves out is used to make it longer.
const jumps = 6

// shortest gives the index of the line that ends the shortest run that covers
// the target. A packet that a run does not hold says how much longer it must
// be: up to the first line that holds it.
func (l *list) shortest(t target, lines []int, taken []bool, s selection) int {
	low, high := 0, len(lines)-1
	for n := 0; low < high; n++ {
		m := low
		if n >= jumps {
			m = (low + high) / 2
		}
		take(taken, lines, m+1)
		w, out := l.leftOut(t, s)
		switch {
		case l.work.over:
			return high
		case !out:
			high = m
		default:
			low = max(m+1, l.reach(w, lines, s))
		}
	}
	return low
}

// leftOut looks for a packet of the target that the selection does not hold.
func (l *list) leftOut(t target, s selection) (witness, bool) {
	for k, boxes := range t {
		for _, b := range boxes {
			if at, out := l.planes[k].outside(b, s, &l.work); out {
				return witness{k, at}, true
			}
		}
	}
	return witness{}, false
}

// reach gives the index of the first of the lines that holds a packet.
func (l *list) reach(w witness, lines []int, s selection) int {
	b := l.planes[w.plane].at(w.at, selection{first: lines[0], end: lines[len(lines)-1] + 1, working: s.working, accept: func(k int) bool {
		_, ok := slices.BinarySearch(lines, k)
		return ok
	}}, &l.work)
	if b < 0 {
		return len(lines) - 1
	}
	i, _ := slices.BinarySearch(lines, l.planes[w.plane].blocks[b].line)
	return i
}

// covers reports whether the selection covers the target.
func (l *list) covers(t target, s selection) bool {
	_, out := l.leftOut(t, s)
	return !out && !l.work.over
}

// without takes the packets of a line away from the target.
func (l *list) without(t target, line int) (out target) {
	for k, boxes := range t {
		for _, o := range l.planes[k].boxes(line) {
			boxes = l.planes[k].cutAll(boxes, o.box, &l.work)
		}
		out[k] = boxes
	}
	return out
}

// cutAll takes a line's box away from all boxes.
func (p *plane) cutAll(boxes []box, c box, w *work) (out []box) {
	for _, b := range boxes {
		switch open, _, ok := b.overlap(c, w); {
		case !ok:
			out = append(out, b)
		case open > 0:
			out = append(out, p.split(b, c, w)...)
		}
	}
	return out
}

// replaced reports whether the selection covers what line k holds of the
// target.
func (l *list) replaced(t target, k int, s selection) bool {
	for plane, boxes := range t {
		for _, b := range boxes {
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
