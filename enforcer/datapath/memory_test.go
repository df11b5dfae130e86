package datapath

import (
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// The memory of 10,000 lines: the kernel's for the list, the list that the
// next push will write, and the counters; and the agent's own.
func TestMemoryOfTenThousandLines(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	for _, shape := range ruleset.Shapes() {
		list := ruleset.New(shape, 10000, policy.IPv4, 1)
		x.apply(d, nodeState(list))
		x.apply(d, nodeState(withOneLineChanged(list)))
		if bytes := growing(t, d); bytes > 16<<20 {
			t.Errorf("%s: lists and counters take %.1f MB of the kernel's memory, want 16 at most", shape, float64(bytes)/(1<<20))
		}
	}
}

// A list of 10,000 lines takes no more where it had many more before.
func TestMemoryOfTenThousandLinesThatWereMore(t *testing.T) {
	x := newBench(t)
	d := x.open(Options{})
	defer d.Close()
	list := ruleset.New(ruleset.FW1, 10000, policy.IPv4, 1)
	x.apply(d, nodeState(list))
	small := only(t, d.tables.live).class
	more := *list
	more.Rules = ruleset.New(ruleset.FW1, 50000, policy.IPv4, 1).Rules
	x.apply(d, nodeState(&more))
	if large := only(t, d.tables.live).class; large != small+1 {
		t.Fatalf("the longer list lives in class %d, want one above %d", large, small)
	}
	for range 2 {
		list = withOneLineChanged(list)
		x.apply(d, nodeState(list))
		if bytes := growing(t, d); bytes > 16<<20 {
			t.Errorf("lists and counters take %.1f MB of the kernel's memory, want 16 at most", float64(bytes)/(1<<20))
		}
	}
}
