package enforcer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// editor writes pushes that have much in common with the one before.
type editor struct {
	*rand.Rand
	pool  []string // rules
	lists [][]string
}

func newEditor(t testing.TB, seed uint64) *editor {
	e := &editor{Rand: rand.New(rand.NewPCG(seed, 1)), lists: make([][]string, 3)}
	for _, r := range ruleset.New(ruleset.Own, 300, policy.IPv4, seed).Rules {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		e.pool = append(e.pool, string(b))
	}
	for i := range e.lists {
		for range e.IntN(120) {
			e.lists[i] = append(e.lists[i], e.rule())
		}
	}
	return e
}

func (e *editor) rule() string { return e.pool[e.IntN(len(e.pool))] }

// edit changes a list here and there: lines come, go, change, move and repeat.
func (e *editor) edit() {
	l := &e.lists[e.IntN(len(e.lists))]
	for range 1 + e.IntN(3) {
		at := e.IntN(len(*l) + 1)
		n := min(e.IntN(1+e.IntN(50)), len(*l)-at)
		switch e.IntN(5) {
		case 0:
			*l = slices.Insert(slices.Clone(*l), at, e.rule())
		case 1:
			*l = slices.Delete(slices.Clone(*l), at, at+n)
		case 2:
			*l = slices.Clone(*l)
			for i := range n {
				(*l)[at+i] = e.rule()
			}
		case 3:
			block := slices.Clone((*l)[at : at+n])
			*l = append(slices.Delete(slices.Clone(*l), at, at+n), block...)
		default:
			*l = slices.Insert(slices.Clone(*l), at, (*l)[at:at+n]...)
		}
	}
}

func (e *editor) body() string {
	comma := []string{",", ", ", "\n,\n"}[e.IntN(8)/4*e.IntN(3)]
	var b strings.Builder
	b.WriteString(`{"revision":1,"policies":[`)
	for i, l := range e.lists {
		if i > 0 {
			b.WriteString(",")
		}
		name := i
		if e.IntN(20) == 0 {
			name = e.IntN(3) // two lists of one name, which is for others to refuse
		}
		fmt.Fprintf(&b, `{"acl":"L%d","direction":"ingress","family":"ipv4","stateful":false,"subject":{"name":"interface eth0","interface":"eth0"},"rules":[%s]}`,
			name, strings.Join(l, comma))
	}
	b.WriteString("]}")
	text := b.String()
	switch at := e.IntN(len(text)); e.IntN(12) {
	case 0: // a body that is cut, or has a wrong letter
		return text[:at]
	case 1:
		return text[:at] + string(`{}[],:"\ 5`[e.IntN(10)]) + text[at+1:]
	}
	return text
}

// However a push differs from the last one, it is read as if it were the only
// one.
func TestPushesOneAfterTheOther(t *testing.T) {
	for seed := range uint64(5) {
		e, c := newEditor(t, seed), &ruleCache{}
		for range 25 {
			sameAsStrict(t, c, []byte(e.body()))
			e.edit()
		}
	}
}

// A list that nobody touched is the very same one for the datapath, and a list
// with one other line has its other lines from before.
func TestUnchangedListIsTheSame(t *testing.T) {
	e := newEditor(t, 1)
	for i := range e.lists {
		e.lists[i] = e.pool[:100]
	}
	var c ruleCache
	read := func() []policy.Policy {
		t.Helper()
		var b strings.Builder
		for i, l := range e.lists {
			fmt.Fprintf(&b, `,{"acl":"L%d","rules":[%s]}`, i, strings.Join(l, ","))
		}
		p, text, err := c.decode([]byte(`{"policies":[` + b.String()[1:] + `]}`))
		if err != nil || text == nil {
			t.Fatalf("%v, quick: %v", err, text != nil)
		}
		return *p.Policies
	}
	one := read()
	for what, next := range map[string][]string{
		"replaced": slices.Replace(slices.Clone(e.pool[:100]), 50, 51, e.pool[200]), "inserted": slices.Insert(slices.Clone(e.pool[:100]), 50, e.pool[200:203]...),
		"deleted": slices.Delete(slices.Clone(e.pool[:100]), 50, 53), "first": e.pool[1:100], "last": e.pool[:101], "none": {},
	} {
		e.lists[1] = next
		before, after := c.lists, read()
		if &one[0].Rules[0] != &after[0].Rules[0] || &one[2].Rules[0] != &after[2].Rules[0] {
			t.Errorf("%s: the lists beside it were read again", what)
		}
		cut := cutter{body: []byte(`[` + strings.Join(next, ",") + `]`)}
		for _, old := range before {
			l := &cutList{old: old}
			if cut.at = 0; !cut.cutRules(l) {
				t.Fatal("the list is not cut")
			}
			unknown := 0
			for _, from := range l.from {
				if from < 0 {
					unknown++
				}
			}
			if unknown > 3 {
				t.Errorf("%s: %d rules of %d are not known", what, unknown, len(next))
			}
			break
		}
		e.lists[1] = e.pool[:100]
		one = read()
	}
}

func FuzzPushBehindPush(f *testing.F) {
	all := bodies(f)
	for i, body := range all {
		f.Add([]byte(all[(i+3)%len(all)]), []byte(body))
	}
	for seed := range uint64(4) {
		e := newEditor(f, seed)
		one := e.body()
		e.edit()
		f.Add([]byte(one), []byte(e.body()))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var c ruleCache
		sameAsStrict(t, &c, one)
		sameAsStrict(t, &c, two)
		sameAsStrict(t, &c, one)
	})
}
