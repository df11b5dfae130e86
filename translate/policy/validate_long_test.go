package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Of a list that two processors look at, the first wrong rule is named as well.
func TestValidateNamesTheFirstWrongRule(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		p := Policy{ACL: "LONG", Direction: Ingress, Family: IPv4, Subject: Subject{Name: "interface eth0", Interface: "eth0"}, Rules: make([]Rule, 4000+r.IntN(3000))}
		for i := range p.Rules {
			p.Rules[i] = Rule{ID: RuleID{ACL: "LONG", Seq: uint32(i)}, Action: Permit, Match: Match{Source: Everybody(), Destination: Everybody()}}
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		first := len(p.Rules)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(p.Rules))
			p.Rules[at].Action = 0
			first = min(first, at)
		}
		want := Policy{ACL: p.ACL, Direction: p.Direction, Family: p.Family, Subject: p.Subject, Rules: p.Rules[:first+1]}
		if err := p.Validate(); err == nil || err.Error() != want.Validate().Error() || !strings.Contains(err.Error(), "invalid action 0") {
			t.Errorf("%v, want rule %d", err, first)
		}
	}
}
