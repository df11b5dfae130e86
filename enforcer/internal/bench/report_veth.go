package main

import (
	"fmt"

	"aclium/enforcer/internal/ruleset"
)

func rateOf(who string, shape ruleset.Shape, rules int, traffic string) labels {
	return labels{Part: "veth", Who: who, Shape: string(shape), Rules: rules, Traffic: traffic, Metric: "rate", Unit: "packets/s"}
}

// unfiltered are the contestants without a list.
var unfiltered = []string{"no filter", "empty tc program"}

// rateCell gives thousands of packets a second, and the nanoseconds that a
// packet takes longer than without any filter.
func (b *bench) rateCell(l labels) string {
	rate := b.median(l)
	if rate == 0 {
		return "-"
	}
	base := b.median(rateOf(unfiltered[0], "", 0, l.Traffic))
	return fmt.Sprintf("%s (%+.0f)", digits(rate/1000), 1e9/rate-1e9/base)
}

func (b *bench) vethTable() string {
	if !b.measured("veth") {
		return ""
	}
	sizes := []int{10, 1000, 10000}
	head := []string{"filter"}
	for _, traffic := range traffics {
		for _, n := range sizes {
			head = append(head, fmt.Sprintf("%s, %d rules", traffic.name, n))
		}
	}
	g := grid{head}
	for _, who := range unfiltered {
		cells := []string{who}
		for _, traffic := range traffics {
			for range sizes {
				cells = append(cells, b.rateCell(rateOf(who, "", 0, traffic.name)))
			}
		}
		g.row(cells...)
	}
	for _, who := range []string{"aclium", "nft linear", "nft best", "iptables"} {
		cells := []string{who}
		for _, traffic := range traffics {
			for _, n := range sizes {
				cells = append(cells, b.rateCell(rateOf(who, ruleset.ACL1, n, traffic.name)))
			}
		}
		g.row(cells...)
	}
	return g.markdown("Side by side, thousand packets per second (ns per packet over no filter)", "Shape acl1.")
}

func (b *bench) specialTable() string {
	g := grid{{"filter", "exact, random", "exact, flows", "disjoint, random", "disjoint, flows"}}
	for _, who := range []string{"aclium", "nft linear", "nft best", "nft best, uncounted", "iptables"} {
		cells := []string{who}
		for _, shape := range []ruleset.Shape{ruleset.Exact, ruleset.Disjoint} {
			for _, traffic := range traffics {
				cells = append(cells, b.rateCell(rateOf(who, shape, 10000, traffic.name)))
			}
		}
		g.row(cells...)
	}
	if !b.measured("veth") {
		return ""
	}
	return g.markdown("Side by side, 10,000 exact matches and 10,000 disjoint intervals", "")
}

// goal is a promise and what was measured of it.
type goal struct {
	promise  string
	measured float64
	limit    float64
	unit     string
}

// goalTable compares what was measured with what is promised. A goal whose
// parts were not measured is left out.
func (b *bench) goalTable() string {
	g := grid{{"goal", "limit", "measured, the worst", ""}}
	for _, x := range b.goals() {
		verdict := "met"
		if x.measured > x.limit {
			verdict = "**missed**"
		}
		if x.measured > 0 {
			g.row(x.promise, digits(x.limit)+x.unit, digits(x.measured)+x.unit, verdict)
		}
	}
	return g.markdown("Goals", "")
}

func (b *bench) goals() (out []goal) {
	for _, x := range []struct {
		rules   int
		traffic string
		limit   float64
	}{{10000, "random", 3}, {100000, "random", 8}, {10000, "flows", 1.5}, {100000, "flows", 2}} {
		worst := 0.0
		for _, shape := range ruleset.Shapes() {
			worst = max(worst, b.ratio(shape, x.rules, x.traffic, "total"))
		}
		out = append(out, goal{fmt.Sprintf("cost at %d rules over 10 rules, %s", x.rules, x.traffic), worst, x.limit, " x"})
	}
	for _, traffic := range traffics {
		out = append(out, b.vethGoals(traffic.name)...)
	}
	for _, x := range []struct {
		rules          int
		change, memory float64
	}{{10000, 20, 16}, {100000, 300, 128}} {
		out = append(out,
			goal{fmt.Sprintf("one changed line of %d is live", x.rules), b.worst("change", x.rules, "one line"), x.change, " ms"},
			goal{fmt.Sprintf("maps of a list of %d rules", x.rules), b.worst("change", x.rules, "maps of the list"), x.memory, " MiB"},
			goal{fmt.Sprintf("agent's memory with %d rules", x.rules), b.worst("agent", x.rules, "resident"), 150, " MiB"})
	}
	return out
}

// vethGoals compare aclium with itself and with the best of the others that
// say the same list. Above 1 somebody else passed more packets.
func (b *bench) vethGoals(traffic string) []goal {
	own := func(shape ruleset.Shape, n int) float64 { return b.median(rateOf("aclium", shape, n, traffic)) }
	over := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	out := []goal{{"rate at 10 rules over 10000 rules, " + traffic, over(own(ruleset.ACL1, 10), own(ruleset.ACL1, 10000)), 1.15, " x"}}
	for _, bout := range bouts {
		best, who := 0.0, ""
		for _, p := range bout.peers {
			if rate := b.median(rateOf(p.name, bout.shape, bout.rules, traffic)); rate > best {
				best, who = rate, p.name
			}
		}
		out = append(out, goal{fmt.Sprintf("rate of the best other (%s) over ours, %s %d, %s", who, bout.shape, bout.rules, traffic),
			over(best, own(bout.shape, bout.rules)), 1, " x"})
	}
	return out
}

// worst gives the largest median over the shapes.
func (b *bench) worst(part string, rules int, metric string) (v float64) {
	for _, l := range b.order {
		if l.Part == part && l.Rules == rules && l.Metric == metric {
			v = max(v, b.median(l))
		}
	}
	return v
}
