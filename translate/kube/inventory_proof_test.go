package kube_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
	"aclium/translate/verify"
)

// TestInventoryConversionsAreProved: for pods that had other addresses, no
// object permits what the lists deny on the addresses that the pods had, over
// all packets; what it denies beside them is said.
func TestInventoryConversionsAreProved(t *testing.T) {
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(77, 4))
			equal, narrower := 0, 0
			for n := range proofs() {
				s := newSite(r, n)
				ordered, findings := translate.Order(s.lists, translate.OrderOptions{Target: target, Inventory: &s.inv})
				if slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.State == policy.Refused && f.ID.Seq == 0 }) {
					continue
				}
				want := policy.Stack{{Combine: policy.Series, Policies: s.lists}}
				result, err := verify.Compare(want, throughText(t, target.Name, ordered), &s.inv, verify.Options{Blind: !target.Verbatim, Moved: true})
				if err != nil {
					t.Fatal(err)
				}
				if result.Equal {
					equal++
				}
				for i := range result.Wider {
					s.disproved(t, n, "wider", &result.Wider[i], ordered, target, findings)
				}
				for i := range result.Narrower {
					narrower++
					d := &result.Narrower[i]
					_, lines := s.verdict(&d.Packet)
					said := func(f policy.Finding) bool { return f.ID.Seq == 0 && f.State == policy.Narrower }
					if !s.excused(findings, &d.Packet, lines) && !slices.ContainsFunc(findings, said) {
						s.disproved(t, n, "narrower in silence", d, ordered, target, findings)
					}
				}
			}
			t.Logf("%d equal, %d packets narrower as said", equal, narrower)
		})
	}
}

func (s *site) disproved(t *testing.T, n int, what string, d *verify.Difference, ordered policy.Stack, target translate.Target, findings []policy.Finding) {
	t.Helper()
	objects, err := kube.Encode(target.Name, ordered)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := kube.YAML(objects)
	lists, _ := json.Marshal(s.lists)
	inv, _ := json.Marshal(s.inv)
	t.Fatalf("site %d: %s:\n%+v\n%s\n%s\n%s\n%+v", n, what, d, inv, lists, text, findings)
}

// proofs is how many random configurations of each target are proved.
func proofs() int {
	if testing.Short() {
		return 25
	}
	return 100
}
