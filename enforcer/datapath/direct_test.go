package datapath

import (
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// A list of hosts and ports has few shapes, so that IPv4 needs no index:
// verdicts and counters are those of the walk, of later fragments,
// too.
func TestListsOfHostsAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	for _, shape := range []ruleset.Shape{ruleset.Exact, ruleset.Disjoint} {
		for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
			judgeGenerated(k, ruleset.New(shape, 300, f, 1))
		}
	}
}

func judgeGenerated(k *kernel, list *policy.Policy) {
	k.Helper()
	k.lines = map[counterOf]uint32{}
	k.must(clearCounters(k))
	k.bind(nil, 0, []*policy.Policy{list}, nil)
	want, verdicts := expected{}, map[int]int{}
	for i, p := range ruleset.Random(list, 1500, 2) {
		if i%10 == 0 {
			p.Fragment, p.FragmentID = policy.Later, uint32(i)
			p.SourcePort, p.DestinationPort, p.Flags, p.ICMPType, p.ICMPCode, p.ICMPID = 0, 0, 0, 0, 0, 0
		}
		o := frameOptions{}
		action, line := list.Eval(&p)
		want.add(list.ACL, line, l3Length(&p, o))
		verdict := permit
		if action != policy.Permit {
			verdict = drop
		}
		verdicts[verdict]++
		if got := k.run(k.TcIngress, frame(&p, o), skBuff{}); got != verdict {
			k.Fatalf("%s: got %d, want %d by line %d: %+v", list.ACL, got, verdict, line, p)
		}
	}
	if verdicts[permit] < 100 || verdicts[drop] < 100 {
		k.Errorf("%s: verdicts %v say little", list.ACL, verdicts)
	}
	want.compare(k)
}
