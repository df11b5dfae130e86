package verify

import (
	"testing"

	"aclium/translate/policy"
)

func spaceOf(d policy.Direction, o Options, stacks ...policy.Stack) *space {
	known := newVocabulary()
	for _, s := range stacks {
		for _, p := range s.Policies() {
			if p.Direction == d {
				known.policy(&p)
			}
		}
	}
	return newSpace(d, known, nil, o)
}

// The function of a stack is what Stack.Judge says, packet by packet.
func TestFunctionsAgreeWithTheModel(t *testing.T) {
	m := newMaker(1)
	permitted, judged := 0, 0
	for range 400 {
		stack := m.stack()
		for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
			s := spaceOf(d, Options{}, stack)
			f := s.stack(stack)
			valid := s.valid()
			for range 40 {
				p := m.packet(d)
				action, _ := stack.Judge(d, &p)
				judged++
				if action == policy.Permit {
					permitted++
				}
				if got := s.holds(f, &p); got != (action == policy.Permit) {
					t.Fatalf("the model says %v and the function %v to %+v in %+v", action, got, p, stack)
				}
				subject := &p.Destination
				if d == policy.Egress {
					subject = &p.Source
				}
				real := p.Fragment != policy.Later && (s.known.nodes || subject.Labels != nil) && sameNamespaceAgrees(&p)
				if real && !s.holds(valid, &p) {
					t.Fatalf("taken for impossible: %+v", p)
				}
			}
		}
	}
	t.Logf("%d of %d permitted", permitted, judged)
	if permitted*10 < judged || permitted*10 > 9*judged {
		t.Errorf("%d of %d permitted: the test is lopsided", permitted, judged)
	}
}

func sameNamespaceAgrees(p *policy.Packet) bool {
	a, b := p.Source.Labels, p.Destination.Labels
	return a == nil || b == nil || a[policy.NamespaceKey] != b[policy.NamespaceKey] || a[namespaceLabels+"env"] == b[namespaceLabels+"env"]
}

// A stack and a change of it: where they are called equal no packet differs,
// and every packet that is shown differs (Compare itself has it judged).
func TestCompareAgreesWithTheModel(t *testing.T) {
	m := newMaker(2)
	equal, different, packets := 0, 0, 0
	for range 400 {
		want, got := m.stack(), m.stack()
		if m.chance(70) {
			got = m.mutated(want)
		}
		r, err := Compare(want, got, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		packets += len(r.Wider) + len(r.Narrower)
		for _, d := range append(r.Wider, r.Narrower...) {
			if a, _ := want.Judge(d.Direction, &d.Packet); a != d.Want.Action {
				t.Fatalf("reported %v, judged %v", d.Want.Action, a)
			}
		}
		if !r.Equal {
			different++
			continue
		}
		equal++
		for range 200 {
			d := policy.Direction(1 + m.IntN(2))
			p := m.packet(d)
			if p.Fragment == policy.Later || !sameNamespaceAgrees(&p) {
				continue
			}
			a, _ := want.Judge(d, &p)
			if b, _ := got.Judge(d, &p); a != b {
				t.Fatalf("called equal, but %v and %v to %+v", a, b, p)
			}
		}
	}
	t.Logf("%d equal, %d different, %d packets", equal, different, packets)
	if equal < 50 || different < 100 {
		t.Errorf("%d equal and %d different: the test is lopsided", equal, different)
	}
}

// mutated changes one thing of one rule or policy.
func (m maker) mutated(s policy.Stack) policy.Stack {
	out := make(policy.Stack, len(s))
	copy(out, s)
	if len(out) == 0 {
		return out
	}
	i := m.IntN(len(out))
	out[i].Policies = append([]policy.Policy{}, out[i].Policies...)
	if len(out[i].Policies) == 0 {
		return out
	}
	k := m.IntN(len(out[i].Policies))
	p := &out[i].Policies[k]
	p.Rules = append([]policy.Rule{}, p.Rules...)
	if m.chance(10) || len(p.Rules) == 0 {
		p.Open = !p.Open
		return out
	}
	r := &p.Rules[m.IntN(len(p.Rules))]
	switch m.IntN(4) {
	case 0:
		r.Match.Source = m.peers()
	case 1:
		r.Match.Destination = m.peers()
	case 2:
		r.Match.Services = []policy.Service{m.service()}
	case 3:
		p.Rules[len(p.Rules)-1], p.Rules[0] = p.Rules[0], p.Rules[len(p.Rules)-1]
		for i := range p.Rules {
			p.Rules[i].Goto = max(p.Rules[i].Goto, i+1)
		}
	}
	return out
}
