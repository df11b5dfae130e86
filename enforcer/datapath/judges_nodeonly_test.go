package datapath

import (
	"slices"
	"testing"

	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// TestThreeJudgesNodeOnly gives lists with what only a node looks at (dscp,
// precedence, tos, ttl, types of IGMP) to all three judges. Lists with a
// time-range or a reflexive list, for which nothing is prepared here, must be
// refused by Compile, and not ignored.
func TestThreeJudgesNodeOnly(t *testing.T) {
	j := newJudges(t)
	g := acltest.NewGenerator(5).NodeOnly()
	lists, refused := 0, 0
	for range 400 {
		list := g.List()
		c, policies := j.compile(list.Text)
		p := &policies[0]
		if slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
			return r.Match.Time != nil || r.Match.Evaluate != "" || r.Reflect != nil
		}) {
			if _, err := Compile(p, j.ids, func(int) uint32 { return 1 }); err == nil {
				t.Fatalf("a list is compiled that a node does not carry out:\n%s", list.Text)
			}
			refused++
			continue
		}
		lists++
		j.bindOne(p)
		walk := func(p *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, list.ACL, list.Stateful, p) }
		for _, packet := range g.Packets(c, list.ACL, walk, 20) {
			if packet.HopLimit != 0 { // 0 stands for the usual one in frames
				packet.Reflected = nil
				j.decide(&packet, walk, func() string { return list.Text })
			}
		}
	}
	t.Logf("%d lists, %d packets, %d in the kernel, %d permitted; %d lists refused", lists, j.judged, j.ran, j.permitted, refused)
	if lists == 0 || 10*j.permitted < 2*j.judged {
		t.Errorf("the lists or packets have lost their variety")
	}
}
