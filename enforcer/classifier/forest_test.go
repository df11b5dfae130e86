package classifier

import (
	"slices"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Groves that are raised in any order, each with the whole budget, become
// those that share one budget in their order, however small it is.
func TestGrovesShareOneBudget(t *testing.T) {
	p := ruleset.New(ruleset.FW1, 3000, policy.IPv4, 1)
	planted := func(budget int) *forest {
		known, err := newIdentities(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &compiler{policy: p, numbers: Numbers{Counter: byLine}, identities: known}
		if err := c.split(); err != nil {
			t.Fatal(err)
		}
		c.classify()
		c.rank()
		c.enter()
		c.shape()
		f := newForest(c)
		f.budget = budget
		f.plant()
		return f
	}
	short := 0
	for budget := 0; budget < 4000; budget += 97 {
		one, other := planted(budget), planted(budget)
		left := budget
		for i := range one.groves {
			one.grow(&one.groves[i], left, &scratch{})
			left = one.groves[i].budget
		}
		for i := range slices.Backward(other.groves) {
			other.grow(&other.groves[i], budget, &scratch{})
			if i > 0 && other.groves[i].least < budget {
				short++
			}
		}
		other.settle()
		for i := range one.groves {
			a, b := &one.groves[i], &other.groves[i]
			if !slices.Equal(a.blob.bytes, b.blob.bytes) || !slices.Equal(a.nodes, b.nodes) || !slices.Equal(a.roots, b.roots) {
				t.Fatalf("budget %d: grove %d differs", budget, i)
			}
		}
		if !slices.Equal(one.slots.list, other.slots.list) {
			t.Fatalf("budget %d: slots differ", budget)
		}
	}
	if short == 0 {
		t.Error("no grove but the first asked for the budget")
	}
}
