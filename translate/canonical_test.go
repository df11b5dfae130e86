package translate_test

import (
	"strings"
	"testing"

	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// TestCanonicalTextJudgesAlike: the target ios is the configuration's own text.
// What is compiled from the text that is printed has the verdict of the lines
// that were typed.
func TestCanonicalTextJudgesAlike(t *testing.T) {
	want := 100_000
	if testing.Short() {
		want /= 10
	}
	g := acltest.NewGenerator(4)
	judged, permitted := 0, 0
	for judged < want && !t.Failed() {
		list := g.List()
		typed := mustParse(t, list.Text)
		printed := list
		var text strings.Builder
		if err := typed.Print(&text); err != nil {
			t.Fatal(err)
		}
		printed.Text = text.String()
		_, p := mustCompileList(t, printed)
		packets := g.Packets(typed, list.ACL, walk(typed, list), 100)
		for i := range packets {
			permit, seq := linewalk.Verdict(typed, list.ACL, list.Stateful, &packets[i])
			action, line := p.Eval(&packets[i])
			if (action == policy.Permit) != permit || p.ID(line).Seq != seq {
				t.Errorf("%s\nprinted:\n%s\n%+v\ntyped: permit %v at %d, printed: %v at %d", list.Text, printed.Text, packets[i], permit, seq, action, p.ID(line).Seq)
			}
			if judged++; permit {
				permitted++
			}
		}
	}
	t.Logf("%d pairs, %d permitted", judged, permitted)
	if permitted*10 < judged*3 {
		t.Errorf("%d of %d packets are permitted, want 30 %%", permitted, judged)
	}
}
