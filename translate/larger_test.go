package translate

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclium/translate/policy"
)

func denies(r policy.Rule, p *policy.Packet) bool {
	all := policy.Rule{Action: policy.Permit, Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{policy.AnyService()}}}
	list := policy.Policy{ACL: "T", Family: policy.Dual, Direction: policy.Ingress, Rules: []policy.Rule{r, all}}
	action, _ := list.Eval(p)
	return action == policy.Deny
}

// TestLargerDenies: a deny that is made larger denies all that it denied.
func TestLargerDenies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	made := 0
	for range 3000 {
		s := policy.ServiceOf(policy.Bytes([]uint8{policy.TCP, policy.UDP, policy.ICMP}[rng.IntN(3)]))
		first := uint16(rng.IntN(2000))
		some := policy.NewRanges(policy.Range{First: first, Last: first + uint16(rng.IntN(600))})
		if rng.IntN(2) == 0 {
			s.SourcePorts = some
		}
		if rng.IntN(2) == 0 {
			s.ICMP = some
		}
		rule := policy.Rule{Action: policy.Deny, Match: policy.Match{Source: policy.Everybody(), Destination: policy.Everybody(), Services: []policy.Service{s}}}
		before := rule
		target := Targets()[rng.IntN(len(Targets()))]
		if larger(&rule, target) != "" {
			made++
		}
		for range 20 {
			p := policy.Packet{
				Source: policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.1")}, Destination: policy.Endpoint{Addr: netip.MustParseAddr("192.0.2.2")},
				Protocol: []uint8{policy.TCP, policy.UDP, policy.ICMP}[rng.IntN(3)], SourcePort: first + uint16(rng.IntN(700)),
				ICMPType: uint8(rng.IntN(10)), ICMPCode: uint8(rng.IntN(256)), Flags: policy.SYN,
			}
			if denies(before, &p) && !denies(rule, &p) {
				t.Fatalf("-t %s: %+v was denied by %+v and is not by %+v", target.Name, p, before.Match.Services, rule.Match.Services)
			}
		}
	}
	if made < 500 {
		t.Errorf("%d denies were made larger, want more to judge", made)
	}
}
