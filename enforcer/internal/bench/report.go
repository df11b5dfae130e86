package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/ruleset"
)

// The tables stand in the document between these lines.
const (
	tablesBegin = "<!-- make bench writes from here -->"
	tablesEnd   = "<!-- to here -->"
)

// markdown gives the tables of what was measured.
func (b *bench) markdown() string {
	out := []string{b.machine()}
	for _, section := range []func() string{b.goalTable, b.costTable, b.checkTable, b.podTable, b.vethTable, b.specialTable, b.changeTable, b.agentTable} {
		if s := section(); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

// writeInto replaces the tables of the document.
func (b *bench) writeInto(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	head, rest, ok := bytes.Cut(text, []byte(tablesBegin))
	_, tail, closed := bytes.Cut(rest, []byte(tablesEnd))
	if !ok || !closed {
		return fmt.Errorf("%s has no %q and %q", file, tablesBegin, tablesEnd)
	}
	out := fmt.Sprintf("%s%s\n\n%s\n%s%s", head, tablesBegin, b.markdown(), tablesEnd, tail)
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// machine says where the numbers come from.
func (b *bench) machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the processor is unknown
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			model = strings.Trim(name, "\t :\n")
			break
		}
	}
	kernel := "unknown"
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		kernel = unix.ByteSliceToString(name.Release[:])
	}
	load, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s, %d processors, Linux %s, %s; medians of %d rounds (side by side: %d); %s; load average at the end %s; others took %.1f %% of the processors' time from this machine.",
		model, runtime.NumCPU(), kernel, runtime.GOARCH, b.rounds, vethRounds*b.rounds, b.started.Format("2006-01-02"), busy, readTicks().since(b.ticks))
}

// grid is a table of text.
type grid [][]string

func (g *grid) row(cells ...string) { *g = append(*g, cells) }

// markdown gives the table with its heading; "" when it has no rows.
func (g grid) markdown(heading, words string) string {
	if len(g) < 2 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", heading)
	if words != "" {
		fmt.Fprintf(&b, "%s\n\n", words)
	}
	for i, cells := range g {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// number gives a value with three digits, or a dash where there is none.
func (b *bench) number(l labels) string {
	if len(b.samples[l]) == 0 {
		return "-"
	}
	return digits(b.median(l))
}

func digits(v float64) string {
	switch {
	case v < 0:
		return "-" + digits(-v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func costOf(shape ruleset.Shape, rules int, traffic, metric string) labels {
	return labels{Part: "cost", Shape: string(shape), Rules: rules, Traffic: traffic, Metric: metric, Unit: "ns/packet"}
}

// ratio gives a cost over that of the smallest list; 0 when one is missing.
func (b *bench) ratio(shape ruleset.Shape, rules int, traffic, metric string) float64 {
	base := b.median(costOf(shape, b.sizes[0], traffic, metric))
	if base == 0 {
		return 0
	}
	return b.median(costOf(shape, rules, traffic, metric)) / base
}

func (b *bench) costTable() string {
	if !b.measured("cost") {
		return ""
	}
	head := []string{"rules"}
	for _, shape := range ruleset.Shapes() {
		for _, traffic := range traffics {
			head = append(head, fmt.Sprintf("%s %s", shape, traffic.name))
		}
	}
	g := grid{head}
	for _, metric := range []string{"total", "net"} {
		for _, n := range b.sizes {
			cells := []string{fmt.Sprintf("%d, %s", n, metric)}
			for _, shape := range ruleset.Shapes() {
				for _, traffic := range traffics {
					cells = append(cells, fmt.Sprintf("%s (%.2f)", b.number(costOf(shape, n, traffic.name, metric)), b.ratio(shape, n, traffic.name, metric)))
				}
			}
			g.row(cells...)
		}
	}
	empty := labels{Part: "cost", Unit: "ns/packet"}
	return g.markdown("Cost of a packet, ns (ratio to the smallest list)", fmt.Sprintf(
		"Total is a test run of the program; net is without the %s ns of a run of an empty program. Taking a packet from the trace costs %s ns, which are taken off.",
		b.number(empty.of("empty")), digits(b.median(empty.of("taking"))-b.median(empty.of("empty")))))
}

func (b *bench) measured(part string) bool {
	return slices.ContainsFunc(b.order, func(l labels) bool { return l.Part == part })
}

func (b *bench) checkTable() string {
	g := grid{{"rules", "acl1", "fw1", "ipc1", "own"}}
	for _, n := range b.sizes {
		cells := []string{fmt.Sprint(n)}
		for _, shape := range ruleset.Shapes() {
			at := labels{Part: "check", Shape: string(shape), Rules: n, Unit: "packets"}
			if len(b.samples[at.of("packets")]) == 0 {
				return ""
			}
			cells = append(cells, fmt.Sprintf("%.0f, %.0f %% permitted", b.median(at.of("packets")), 100*b.median(at.of("permitted"))/b.median(at.of("packets"))))
		}
		g.row(cells...)
	}
	return g.markdown("Packets compared with the walk of the lines", "No verdict and no counter differs; the run ends at the first that does.")
}

func (b *bench) podTable() string {
	kinds := []string{"new connections", "open connections"}
	g := grid{append([]string{"rules"}, kinds...)}
	for _, n := range b.sizes {
		cells := []string{fmt.Sprint(n)}
		for _, kind := range kinds {
			cells = append(cells, b.number(labels{Part: "pods", Shape: "own", Rules: n, Traffic: kind, Metric: "net", Unit: "ns/packet"}))
		}
		g.row(cells...)
	}
	if !b.measured("pods") {
		return ""
	}
	return g.markdown("A pod's port, where connections are tracked: net ns per packet", "65,536 first packets of as many connections; 1,000 open connections.")
}

func (b *bench) changeTable() string {
	g := grid{{"rules", "shape", "compile, ms", "first load, ms", "one changed line, ms", "disturbed ones too, ms", "taken by others, %", "maps, MiB", "of which the list's"}}
	for _, n := range changeSizes {
		for _, shape := range ruleset.Shapes() {
			at := labels{Part: "change", Shape: string(shape), Rules: n, Unit: "ms"}
			memory, share := at, at
			memory.Unit, share.Unit = "MiB", "%"
			if len(b.samples[at.of("compile")]) > 0 {
				g.row(fmt.Sprint(n), string(shape), b.number(at.of("compile")), b.number(at.of("first load")), b.number(at.of("one line")),
					b.number(at.of("one line, disturbed or not")), b.number(share.of("taken by others")),
					b.number(memory.of("maps")), b.number(memory.of("maps of the list")))
			}
		}
	}
	return g.markdown("Changes, and what the kernel keeps", "A change is timed from the call of the datapath until nothing judges by the old list any more.")
}

func (b *bench) agentTable() string {
	g := grid{{"rules", "first load, ms", "one changed line, ms", "resident, MiB"}}
	for _, n := range agentSizes {
		at := labels{Part: "agent", Shape: "own", Rules: n, Unit: "ms"}
		memory := at
		memory.Unit = "MiB"
		if len(b.samples[at.of("one line")]) > 0 {
			g.row(fmt.Sprint(n), b.number(at.of("first load")), b.number(at.of("one line")), b.number(memory.of("resident")))
		}
	}
	return g.markdown("The whole agent, through its socket (shape own)", "The answer comes when the list is enforced and stored.")
}
