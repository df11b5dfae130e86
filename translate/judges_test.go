package translate_test

import (
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// pairs is how many random pairs of list and packet the judges decide.
const pairs = 10_000

// TestJudgesAgree holds Compile and policy.Eval against the walk of the lines.
func TestJudgesAgree(t *testing.T) {
	got := judgeAll(t, acltest.NewGenerator(1))
	if got.onNodes == 0 || got.hidden*3 > got.lines {
		t.Errorf("%+v: the lists or packets have lost their variety", got)
	}
}

// TestJudgesAgreeOnNodeOnly does the same with what only a node looks at.
func TestJudgesAgreeOnNodeOnly(t *testing.T) {
	got := judgeAll(t, acltest.NewGenerator(3).NodeOnly())
	if got.hidden*5 > got.lines*2 {
		t.Errorf("%+v: the lists or packets have lost their variety", got)
	}
}

// judgements is what the judges saw; hidden lines decide no packet.
type judgements struct {
	judged, permitted, lines, hidden, onNodes int
}

func judgeAll(t *testing.T, g *acltest.Generator) (n judgements) {
	t.Helper()
	for n.judged < pairs && !t.Failed() {
		list := g.List()
		c, p := mustCompileList(t, list)
		packets := g.Packets(c, list.ACL, walk(c, list), 20)
		for i := range packets {
			n.judged++
			if judge(t, list, c, p, &packets[i]) {
				n.permitted++
			}
		}
		hidden, lines := acltest.Hidden(c, list.ACL, walk(c, list), packets)
		n.hidden, n.lines = n.hidden+len(hidden), n.lines+lines
		if !list.Stateful {
			n.onNodes++
		}
	}
	t.Logf("%+v", n)
	if 100*n.permitted < 30*n.judged {
		t.Errorf("%d of %d packets are permitted, want at least 30%%", n.permitted, n.judged)
	}
	return n
}

// TestHiddenLinesAreHidden searches hard for packets of the lines that decide
// none: every line that can be reached is.
func TestHiddenLinesAreHidden(t *testing.T) {
	g := acltest.NewGenerator(2)
	for range 60 {
		list := g.List()
		c := mustParse(t, list.Text)
		decide := walk(c, list)
		hidden, _ := acltest.Hidden(c, list.ACL, decide, g.Packets(c, list.ACL, decide, 0))
		for _, e := range hidden {
			if p, ok := g.Search(c, e, decide, 5000); ok {
				t.Errorf("line %d is reached by %+v\n%s", e.Seq, p, list.Text)
			}
		}
	}
}

// walk gives the judge that walks the lines.
func walk(c *grammar.Config, list acltest.List) acltest.Judge {
	return func(p *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, list.ACL, list.Stateful, p) }
}

func judge(t *testing.T, list acltest.List, c *grammar.Config, p *policy.Policy, packet *policy.Packet) bool {
	t.Helper()
	want, seq := linewalk.Verdict(c, list.ACL, list.Stateful, packet)
	action, line := p.Eval(packet)
	if (action == policy.Permit) != want || p.ID(line) != (policy.RuleID{ACL: list.ACL, Seq: seq}) {
		t.Errorf("%s\n%+v\nthe lines say permit %v at %d, the policy %v at %v", list.Text, *packet, want, seq, action, p.ID(line))
	}
	return want
}

func mustParse(t testing.TB, text string) *grammar.Config {
	t.Helper()
	c, _, err := grammar.ParseFile("test.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

func mustCompileList(t testing.TB, list acltest.List) (*grammar.Config, *policy.Policy) {
	t.Helper()
	c := mustParse(t, list.Text)
	policies, findings, err := translate.Compile(c)
	if err != nil || len(policies) != 1 || translate.Refused(findings) != nil {
		t.Fatalf("%d policies, %v, %v\n%s", len(policies), findings, err, list.Text)
	}
	if err := policies[0].Validate(); err != nil {
		t.Fatalf("%v\n%s", err, list.Text)
	}
	return c, &policies[0]
}

// TestTable holds both judges against verdicts that were worked out by hand.
func TestTable(t *testing.T) {
	sheets, err := acltest.Table()
	if err != nil {
		t.Fatal(err)
	}
	lists, rows := 0, 0
	for _, s := range sheets {
		c := mustParse(t, s.Text)
		policies, findings, err := translate.Compile(c)
		if err != nil || translate.Refused(findings) != nil {
			t.Fatalf("%s: %v, %v", s.Name, err, findings)
		}
		lists, rows = lists+len(policies), rows+len(s.Rows)
		for i := range s.Rows {
			checkRow(t, c, policies, &s.Rows[i])
		}
	}
	if lists < 50 || rows < 200 {
		t.Errorf("the table has %d lists and %d packets, want 50 and 200", lists, rows)
	}
}

func checkRow(t *testing.T, c *grammar.Config, policies []policy.Policy, r *acltest.Row) {
	at := slices.IndexFunc(policies, func(p policy.Policy) bool { return p.ACL == r.ACL })
	if at < 0 {
		t.Errorf("%s: %s: list %s is not bound", r.At, r.Line, r.ACL)
		return
	}
	p := &policies[at]
	if permit, seq := linewalk.Verdict(c, r.ACL, p.Stateful, &r.Packet); permit != r.Permit || seq != r.Seq {
		t.Errorf("%s: %s: the lines say permit %v at %d", r.At, r.Line, permit, seq)
	}
	action, line := p.Eval(&r.Packet)
	if (action == policy.Permit) != r.Permit || p.ID(line).Seq != r.Seq {
		t.Errorf("%s: %s: the policy says %v at %d", r.At, r.Line, action, p.ID(line).Seq)
	}
}
