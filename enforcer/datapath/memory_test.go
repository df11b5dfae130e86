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
