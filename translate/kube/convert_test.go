package kube_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"aclium/translate"
	"aclium/translate/policy"
)

// Objects of one kind become objects of another kind by way of lists: never
// wider, and equal where nothing is reported.
func TestObjectsBecomeOthers(t *testing.T) {
	equal := 0
	for _, from := range translate.Targets() {
		for _, to := range translate.Targets() {
			r := rand.New(rand.NewPCG(uint64(len(from.Name)), uint64(len(to.Name))))
			for range 8 {
				equal += convertOnce(t, r, from, to)
			}
		}
	}
	if equal < 60 {
		t.Errorf("%d conversions are equal: too few to say something", equal)
	}
}

// convertOnce gives 1 when the conversion has to be equal.
func convertOnce(t *testing.T, r *rand.Rand, from, to translate.Target) int {
	t.Helper()
	d := policy.Direction(1 + r.IntN(2))
	ranges := []netip.Prefix{clusterCIDR}
	first, _ := translate.Order([]policy.Policy{randomList(r, d)}, translate.OrderOptions{Target: from, ClusterCIDRs: ranges})
	s := throughText(t, from.Name, first)
	config, findings, err := translate.Decompile(s)
	if err != nil {
		t.Fatal(err)
	}
	lists, said, err := translate.Compile(config)
	if err != nil {
		t.Fatal(err)
	}
	ordered, more := translate.Order(lists, translate.OrderOptions{Target: to, ClusterCIDRs: ranges})
	lacking := slices.ContainsFunc(slices.Concat(findings, said, more), func(f policy.Finding) bool { return f.State != policy.NoEffect })
	if slices.ContainsFunc(slices.Concat(findings, more), func(f policy.Finding) bool { return f.State == policy.Refused && f.ID.Seq == 0 }) {
		return 0 // it has no object, and says so
	}
	back := throughText(t, to.Name, ordered)
	for range 40 {
		p := randomPacket(r, d)
		want, _ := s.Judge(d, &p)
		if got, id := back.Judge(d, &p); got != want && (got == policy.Permit || !lacking) {
			t.Fatalf("%s to %s: %v by %v, want %v\n%+v", from.Name, to.Name, got, id, want, p)
		}
	}
	if lacking {
		return 0
	}
	return 1
}
