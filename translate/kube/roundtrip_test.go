package kube_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// What was encoded means the same when it is read back, on random packets.
func TestDecodeEncoded(t *testing.T) {
	for _, target := range translate.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(4, uint64(len(target.Name))))
			judged, permitted := 0, 0
			for range 100 {
				d := policy.Direction(1 + r.IntN(2))
				stack, _ := translate.Order([]policy.Policy{randomList(r, d)}, translate.OrderOptions{Target: target, ClusterCIDRs: []netip.Prefix{clusterCIDR}})
				back := throughText(t, target.Name, stack)
				for range 60 {
					p := randomPacket(r, d)
					want, _ := stack.Judge(d, &p)
					got, id := back.Judge(d, &p)
					if judged++; got != want {
						t.Fatalf("%v by %v, want %v\n%+v", got, id, want, p)
					}
					if want == policy.Permit && len(stack.Policies()) > 0 {
						permitted++
					}
				}
			}
			if permitted*10 < judged || permitted*10 > judged*9 {
				t.Errorf("%d of %d packets pass: the lists say too little", permitted, judged)
			}
		})
	}
}

// throughText encodes and decodes a stack.
func throughText(t *testing.T, format string, s policy.Stack) policy.Stack {
	t.Helper()
	objects, err := kube.Encode(format, s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := kube.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	back, err := kube.Decode("objects.yaml", bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return back
}
