package classifier

import (
	"slices"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Rules that are entered by halves have the entries and the tuples that they
// have when they are entered one after the other.
func TestHalvesAreEnteredAsAWhole(t *testing.T) {
	shared := 0
	for i := range 24 {
		p := ruleset.New(ruleset.Shapes()[i%4], longList+500*i, []policy.Family{policy.IPv4, policy.IPv6, policy.Dual}[i%3], uint64(i))
		known, err := newIdentities(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &compiler{policy: p, numbers: Numbers{Counter: byLine}, identities: known}
		if _, err := c.compileIn(nil); err != nil {
			t.Fatal(err)
		}
		if !c.plain() {
			continue
		}
		shared++
		limit, _ := c.limit()
		whole := enterer{compiler: c, tupleOf: map[uint64]int32{}}
		for r := range c.rules {
			whole.enterRule(int32(r), limit)
		}
		if !slices.Equal(c.entries, whole.entries) {
			t.Fatalf("list %d: other entries", i)
		}
		same := func(a, b tuple) bool {
			return a.mask == b.mask && a.later == b.later && a.count == b.count && a.code == b.code
		}
		if !slices.EqualFunc(c.tuples, whole.tuples, same) {
			t.Fatalf("list %d: other tuples", i)
		}
	}
	if shared < 12 {
		t.Errorf("%d lists were entered by halves, want most", shared)
	}
}
