package ruleset

import (
	"slices"
)

// naturallyHidden is the share of covered lines that stay behind the line that
// covers them, as happens in lists that people write.
const naturallyHidden = 0.02

// order puts the lines into a random order in which hardly one of them stands
// behind a line that covers it. Every line gets a random place; going from the
// widest to the narrowest, a covered line gets a place before all that cover
// it.
func order(d dice, lines []line) []line {
	slices.SortStableFunc(lines, func(a, b line) int { return a.narrowness() - b.narrowness() })
	shapes := groupsOf(lines)
	places := make([]float64, len(lines))
	for i := range lines {
		places[i] = d.Float64()
		first := 1.0
		for _, j := range shapes.covering(lines, i) {
			first = min(first, places[j])
		}
		if first < places[i] && !d.chance(naturallyHidden) {
			places[i] = first * d.Float64()
		}
	}
	index := make([]int, len(lines))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int {
		if places[a] < places[b] {
			return -1
		}
		return 1
	})
	out := make([]line, len(lines))
	for i, j := range index {
		out[i] = lines[j]
	}
	return out
}

// narrowness is larger for a line than for any other that covers it.
func (l *line) narrowness() int {
	w := l.source.length + l.destination.length
	if l.protocol != anyProtocol {
		w++
	}
	if l.icmp >= 0 {
		w++
	}
	if l.established {
		w++
	}
	// 65536 ports are 0, one port is 65535.
	return w<<17 + 131070 - int(l.sports.Last-l.sports.First) - int(l.dports.Last-l.dports.First)
}

// groups finds the lines of two blocks.
type groups struct {
	pairs []pair
	lines map[[2]block][]int
}

func groupsOf(lines []line) *groups {
	g := &groups{lines: map[[2]block][]int{}}
	seen := map[pair]bool{}
	for i := range lines {
		l := &lines[i]
		key := [2]block{l.source, l.destination}
		g.lines[key] = append(g.lines[key], i)
		if p := (pair{l.source.length, l.destination.length}); !seen[p] {
			seen[p] = true
			g.pairs = append(g.pairs, p)
		}
	}
	return g
}

// covering gives the lines that cover line i.
func (g *groups) covering(lines []line, i int) (out []int) {
	l := &lines[i]
	for _, p := range g.pairs {
		if p.source > l.source.length || p.destination > l.destination.length {
			continue
		}
		for _, j := range g.lines[[2]block{blockOf(l.source.address, p.source), blockOf(l.destination.address, p.destination)}] {
			if j != i && lines[j].covers(l) {
				out = append(out, j)
			}
		}
	}
	return out
}
