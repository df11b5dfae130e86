package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/policy"
)

// A listSummary is what became of one list.
type listSummary struct {
	acl string
	// where the list stands: interfaces with directions, zones.
	where []string
	// lines holds the state of every line, by sequence number.
	lines   map[uint32]policy.State
	objects []string
	// whole is the state of the list as a whole, Exact where nothing is said.
	whole policy.State
	// reasons say what is not exact, each once, in the order of the rows.
	reasons []reason
	// alternative is what the list could say to convert and permit less.
	alternative []string
	// best is the target that loses least, and loss is what it loses.
	best translate.Target
	loss translate.Loss
}

// A reason is why lines are not exact.
type reason struct {
	state policy.State
	text  string
	// lines are sequence numbers; others are implicit lines, by their text. Both
	// are empty for the list as a whole.
	lines  []uint32
	others []string
}

// listRefused is the reason of lines that could be said, in a list that is not.
const listRefused = "its list is refused"

// severity orders states by how much a reader must know of them.
func severity(s policy.State) int {
	return slices.Index([]policy.State{0, policy.Exact, policy.NoEffect, policy.Narrower, policy.Refused, policy.Wider, policy.Faulty}, s)
}

func worse(a, b policy.State) policy.State {
	if severity(b) > severity(a) {
		return b
	}
	return a
}

// summarize adds one summary for each list of a file to the reporter. The
// configuration is nil for lists that come from policy objects.
func (r *reporter) summarize(config *grammar.Config, policies []policy.Policy, advice *translate.Advice) {
	lists := map[string]*listSummary{}
	list := func(name string) *listSummary {
		l := lists[name]
		if l == nil {
			l = &listSummary{acl: name, lines: map[uint32]policy.State{}, whole: policy.Exact}
			lists[name] = l
			r.lists = append(r.lists, l)
		}
		return l
	}
	for i := range policies {
		r.bind(&policies[i], list)
	}
	for i := range r.rows {
		w := &r.rows[i]
		if w.ACL != "" && (w.Text == "" || severity(w.State) >= severity(policy.Narrower)) && lists[w.ACL] == nil {
			list(w.ACL).count(config)
		}
		if lists[w.ACL] != nil {
			lists[w.ACL].add(w)
		}
	}
	r.lists = slices.DeleteFunc(r.lists, func(l *listSummary) bool { return len(l.lines) == 0 && l.exact() })
	for _, l := range r.lists {
		if l.exact() {
			continue
		}
		l.best, l.loss = advice.Best(l.acl)
		l.alternative = advice.Alternative(l.acl)
		r.advise(l)
	}
}

// bind adds a policy to the lists whose lines it has.
func (r *reporter) bind(p *policy.Policy, list func(string) *listSummary) {
	where := p.Subject.Name + " " + map[policy.Direction]string{policy.Ingress: "out", policy.Egress: "in"}[p.Direction]
	objects := r.carrying(p.ACL)
	names := []string{p.ACL}
	for i := range p.Rules {
		id := p.Rules[i].ID
		if p.Rules[i].Uncounted || id.Seq == 0 {
			continue
		}
		if !slices.Contains(names, id.ACL) {
			names = append(names, id.ACL)
		}
		list(id.ACL).lines[id.Seq] = 0
	}
	for _, name := range names {
		l := list(name)
		l.where = appendNew(l.where, where)
		for _, o := range objects {
			l.objects = appendNew(l.objects, o)
		}
	}
}

func appendNew(all []string, s string) []string {
	if slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}

// count takes the lines of a list that stands nowhere: they have no effect.
func (l *listSummary) count(config *grammar.Config) {
	if config == nil {
		return
	}
	for _, a := range config.ACLs {
		for _, e := range a.Entries {
			if a.Name == l.acl && e.ACE != nil {
				l.lines[e.Seq] = policy.NoEffect
			}
		}
	}
}

// add takes a row about the list or one of its lines.
func (l *listSummary) add(w *row) {
	switch {
	case w.Seq != 0:
		l.lines[w.Seq] = worse(l.lines[w.Seq], w.State)
	case w.Text == "":
		l.whole = worse(l.whole, w.State)
	}
	if severity(w.State) < severity(policy.Narrower) || w.Reason == listRefused {
		return
	}
	i := slices.IndexFunc(l.reasons, func(r reason) bool { return r.state == w.State && r.text == w.Reason })
	if i < 0 {
		i = len(l.reasons)
		l.reasons = append(l.reasons, reason{state: w.State, text: w.Reason})
	}
	switch r := &l.reasons[i]; {
	case w.Seq != 0:
		r.lines = append(r.lines, w.Seq)
	case w.Text != "":
		r.others = appendNew(r.others, w.Text)
	}
}

// exact reports whether the target says everything that the list says.
func (l *listSummary) exact() bool { return len(l.reasons) == 0 }

// counts gives the number of lines by their state. All lines of a refused list
// are refused.
func (l *listSummary) counts() map[policy.State]int {
	out := map[policy.State]int{}
	for _, s := range l.lines {
		if l.whole == policy.Refused && len(l.objects) == 0 {
			s = policy.Refused
		}
		out[s]++
	}
	return out
}

// advise puts the advice for a list on its rows that are not exact.
func (r *reporter) advise(l *listSummary) {
	for i := range r.rows {
		w := &r.rows[i]
		if w.ACL != l.acl || w.State != policy.Refused && w.State != policy.Narrower {
			continue
		}
		if w.Recommended == "" && l.best.Name != r.target {
			w.Recommended = l.best.Name
		}
		if w.State == policy.Refused {
			w.Alternative = strings.Join(l.alternative, ", ")
		}
	}
}

// writeSummary writes the table of all lists and, for each that is not exact,
// why, what is near it, and which target is recommended.
func writeSummary(b *bytes.Buffer, target string, lists []*listSummary) {
	if len(lists) == 0 {
		return
	}
	states := []policy.State{policy.Exact, policy.Narrower, policy.Refused, policy.Wider, policy.NoEffect}
	head := []string{"list", "on", "lines"}
	for _, s := range states {
		head = append(head, s.String())
	}
	table := [][]string{append(head, "objects")}
	for _, l := range lists {
		counts := l.counts()
		cells := []string{l.acl, l.stand(), cell(len(l.lines))}
		for _, s := range states {
			cells = append(cells, cell(counts[s]))
		}
		table = append(table, append(cells, cell(len(l.objects))))
	}
	b.WriteByte('\n')
	align(b, table, 2)
	for _, l := range lists {
		if !l.exact() {
			b.WriteByte('\n')
			l.explain(b, target)
		}
	}
}

// stand says where the list is: the first place, and how many more there
// are.
func (l *listSummary) stand() string {
	switch len(l.where) {
	case 0:
		return "-"
	case 1:
		return l.where[0]
	}
	return fmt.Sprintf("%s +%d", l.where[0], len(l.where)-1)
}

func cell(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// align writes cells in columns: the first ones from the left, numbers from the
// right.
func align(b *bytes.Buffer, table [][]string, left int) {
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, cells := range table {
		for i, c := range cells {
			pad := strings.Repeat(" ", widths[i]-len([]rune(c)))
			switch {
			case i == 0:
				b.WriteString(c + pad)
			case i < left:
				b.WriteString("  " + c + pad)
			default:
				b.WriteString("  " + pad + c)
			}
		}
		b.WriteByte('\n')
	}
}

// explain writes what is to be known of a list that is not exact.
func (l *listSummary) explain(b *bytes.Buffer, target string) {
	fmt.Fprintf(b, "%s is not exact:\n", l.acl)
	slices.SortStableFunc(l.reasons, func(x, y reason) int { return cmp.Compare(severity(y.state), severity(x.state)) })
	for _, r := range l.reasons {
		fmt.Fprintf(b, "  %s, %s: %s\n", r.state, r.about(), r.text)
	}
	switch {
	case len(l.alternative) > 0:
		fmt.Fprintf(b, "  nearest safe alternative: with %s, -t %s takes the list; it permits less then, and nothing more\n", strings.Join(l.alternative, " and "), target)
	case l.whole == policy.Refused:
		fmt.Fprintf(b, "  nearest safe alternative: none is known with -t %s, and nothing is written for the list\n", target)
	case l.counts()[policy.Wider] == 0:
		b.WriteString("  nearest safe alternative: the objects as written, which permit less than the list and nothing more\n")
	}
	fmt.Fprintf(b, "  recommended: %s\n", l.recommendation(target))
}

// recommendation says which target to take.
func (l *listSummary) recommendation(target string) string {
	n := len(l.lines)
	switch {
	case l.best.Name == target || l.best.Name == "":
		return fmt.Sprintf("no other target says more than -t %s", target)
	case n == 0:
		return "-t " + l.best.Name + " carries it"
	case l.loss == translate.Loss{}:
		return fmt.Sprintf("-t %s says all %d %s exactly", l.best.Name, n, plural(n, "line"))
	case l.loss.Lines == 0:
		return fmt.Sprintf("-t %s says all %d %s, and the list as a whole is narrower there too", l.best.Name, n, plural(n, "line"))
	}
	return fmt.Sprintf("-t %s loses least: it says %d of %d %s exactly", l.best.Name, n-l.loss.Lines, n, plural(n, "line"))
}

// about names up to five lines.
func (r *reason) about() string {
	const most = 5
	var words []string
	for _, seq := range slices.Compact(slices.Sorted(slices.Values(r.lines))) {
		words = append(words, strconv.FormatUint(uint64(seq), 10))
	}
	more := ""
	if n := len(words) - most; n > 0 {
		words, more = words[:most], fmt.Sprintf(" and %d more", n)
	}
	switch {
	case len(words) > 0:
		return plural(len(words), "line") + " " + strings.Join(words, ", ") + more
	case len(r.others) > 0:
		return strings.Join(r.others, ", ")
	}
	return "the list as a whole"
}
