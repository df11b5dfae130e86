package datapath

import (
	"slices"
	"testing"
	"time"

	"aclium/enforcer/bpf"
	"aclium/translate/acltest"
	"aclium/translate/linewalk"
	"aclium/translate/policy"
)

// TestThreeJudgesNodeOnly gives lists with what only a node looks at (dscp,
// precedence, tos, ttl, types of IGMP, time-ranges) to all three judges, each
// packet at its own moment or at an unknown one. Reflexive lists need numbers,
// and Compile knows none: it must refuse them, and not ignore what they say.
func TestThreeJudgesNodeOnly(t *testing.T) {
	t.Parallel()
	j := newJudges(t)
	g := acltest.NewGenerator(5).NodeOnly()
	lists, refused, timed := 0, 0, 0
	for range 300 {
		list := g.List()
		c, policies := j.compile(list.Text)
		p := &policies[0]
		if slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Match.Evaluate != "" || r.Reflect != nil }) {
			if _, err := Compile(p, j.ids, func(int) uint32 { return 1 }); err == nil {
				t.Fatalf("a list is compiled without the numbers of its reflexive lists:\n%s", list.Text)
			}
			refused++
			continue
		}
		lists++
		j.windows = windowsOfLists(t, []*policy.Policy{p})
		j.bindOne(p)
		walk := func(p *policy.Packet) (bool, uint32) { return linewalk.Verdict(c, list.ACL, list.Stateful, p) }
		for _, packet := range g.Packets(c, list.ACL, walk, 20) {
			if packet.HopLimit == 0 { // stands for the usual one in frames
				continue
			}
			packet.Reflected = nil
			if len(j.windows) > 0 {
				timed++
				j.moveTo(packet.At)
			}
			j.decide(&packet, walk, func() string { return list.Text })
		}
	}
	t.Logf("%d lists, %d packets, %d at a moment, %d in the kernel, %d permitted; %d lists refused", lists, j.judged, timed, j.ran, j.permitted, refused)
	if lists == 0 || 10*j.permitted < 2*j.judged || 3*timed < j.judged {
		t.Errorf("the lists or packets have lost their variety")
	}
}

// moveTo shifts the timetable, so that the moment of the test is the given one;
// the zero time is one past the horizon. It belongs to a generation of its own,
// which has the same hooks.
func (k *kernel) moveTo(at time.Time) {
	k.Helper()
	lead, err := taiLead()
	k.must(err)
	table := &bpf.AcliumTimetable{End: 1}
	if !at.IsZero() {
		table = k.windows.timetable(at, lead+time.Since(at))
	}
	k.generation += 2
	k.must(k.WindowMap.Put(uint32(k.generation&1), table))
	k.must(k.GenerationMap.Put(uint32(0), k.generation))
}
