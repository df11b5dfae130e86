package classifier

import (
	"reflect"
	"testing"

	"aclium/translate/policy"
)

// Rules that two makers make are those of one, and the sides' ends are those
// found line by line.
func TestRulesDoNotDependOnTheirMakers(t *testing.T) {
	w := newWorld(5)
	p := w.list("L", policy.Ingress, policy.Dual, longList+500)
	window := func(*policy.Schedule) (uint8, error) { return 1, nil }
	policer := func(*policy.Police) (uint16, error) { return 1, nil }
	list := func(string) (uint8, error) { return 1, nil }
	newCompiler := func() *compiler {
		known, err := newIdentities(w.identities())
		if err != nil {
			t.Fatal(err)
		}
		return &compiler{policy: p, numbers: Numbers{Counter: byLine, Window: window, Policer: policer, List: list}, identities: known}
	}
	two, one := newCompiler(), newCompiler()
	if err := two.split(); err != nil {
		t.Fatal(err)
	}
	for side := range one.ends {
		one.ends[side].reserve(len(p.Rules))
	}
	for i := range p.Rules {
		for side := range one.ends {
			e := &one.ends[side]
			e.lines[i] = e.parts(peersOf(&p.Rules[i], side), one.identities)
		}
	}
	if err := one.tally(); err != nil {
		t.Fatal(err)
	}
	one.rules = make([]rule, len(two.rules))
	m := maker{compiler: one}
	if err := m.make(0, len(p.Rules)); err != nil {
		t.Fatal(err)
	}
	switch {
	case !reflect.DeepEqual(two.ends, one.ends) || !reflect.DeepEqual(two.identities.groups, one.identities.groups):
		t.Error("the ends differ")
	case !reflect.DeepEqual(two.rules, one.rules):
		t.Error("the rules differ")
	case !reflect.DeepEqual(two.kinds, m.kinds) || !reflect.DeepEqual(two.portSets, m.portSets):
		t.Error("what the rules refer to differs")
	case len(m.kinds) < 50 || len(m.portSets) < 50 || len(one.identities.groups) < 50:
		t.Errorf("%d kinds, %d sets of ports and %d groups, want more", len(m.kinds), len(m.portSets), len(one.identities.groups))
	}
}
