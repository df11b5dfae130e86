package datapath

import (
	"fmt"
	"testing"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// Short lists in which a packet meets many rules that differ only in what sets
// of rules do not tell apart: TCP flags, source ports, now and then a byte.
// Verdicts and counters are those of Eval.
func TestRandomShortListsAgreeWithEval(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	lead, err := taiLead()
	k.must(err)
	plain, permitted := 0, 0
	const seeds = 60
	for seed := range uint64(seeds) {
		w := newDenseWorld(700 + seed)
		list := w.short(fmt.Sprint("S", seed))
		flags := w.flags(k, list)
		if flags&bpf.AcliumTableConstTABLE_SHORT == 0 {
			t.Fatalf("seed %d: a list of %d lines is not short", seed, len(list.Rules))
		}
		if flags&bpf.AcliumTableConstTABLE_PLAIN != 0 {
			plain++
		}
		_, p := w.judge(k, list, lead)
		permitted += p
	}
	if plain < seeds/2 || permitted < 20*seeds {
		t.Errorf("%d of %d lists are plain, %d packets permitted: this says little", plain, seeds, permitted)
	}
}

// short draws a short list, most of whose lines say nothing that bounds do not.
func (w *denseWorld) short(acl string) *policy.Policy {
	list := &policy.Policy{ACL: acl, Direction: policy.Ingress, Family: w.family, Subject: policy.Subject{Name: "eth0", Interface: "eth0"}}
	n, jumps, bytes := 9+w.IntN(56), w.one(3), w.one(3)
	for i := range n {
		r := policy.Rule{ID: policy.RuleID{ACL: acl, Seq: uint32(10 * (i + 1))}, Action: policy.Permit + policy.Action(w.IntN(2))}
		s := policy.ServiceOf(policy.Bytes(policy.TCP))
		s.Flags = *w.bytes(3, 64)
		if w.one(3) {
			port := uint16(w.IntN(60))
			s.SourcePorts = policy.NewRanges(policy.Range{First: port, Last: port})
		}
		r.Match = policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{s}, Fragments: w.one(20)}
		if jumps && w.one(6) {
			r.Action, r.Goto = policy.Next, i+1+w.IntN(n-i)
		}
		if bytes && w.one(4) {
			r.Match.TrafficClass = w.bytes(20, 64)
		}
		list.Rules = append(list.Rules, r)
	}
	return list
}
