package classifier

import (
	"bytes"
	"reflect"
	"sync"
	"testing"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Tables are the same in memory that other lists have left, beside other
// compilations, as in memory of their own.
func TestTablesDoNotDependOnOtherLists(t *testing.T) {
	list := func(string) (uint8, error) { return 1, nil }
	window := func(*policy.Schedule) (uint8, error) { return 1, nil }
	policer := func(*policy.Police) (uint16, error) { return 1, nil }
	n := Numbers{Counter: byLine, Window: window, Policer: policer, List: list}
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 60 {
				w := newWorld(uint64(worker*100 + i))
				p := w.list("L", policy.Ingress, policy.Dual, 1+w.IntN(300))
				if w.one(5) {
					p = ruleset.New(ruleset.Shapes()[i%4], 1+w.IntN(6000), w.family(policy.Dual), uint64(i))
				}
				known, err := newIdentities(w.identities())
				if err != nil {
					t.Error(err)
					return
				}
				want, wantErr := (&compiler{policy: p, numbers: n, identities: known}).compile()
				got, err := compile(p, w.identities(), n)
				if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
					t.Errorf("worker %d, list %d: another table than in memory of its own (%v, %v)", worker, i, err, wantErr)
				}
			}
		})
	}
	wait.Wait()
}

// What is kept holds on to nothing of a list, and has the fields of none.
func TestKeptMemoryIsEmpty(t *testing.T) {
	w := newWorld(1)
	known, err := newIdentities(w.identities())
	if err != nil {
		t.Fatal(err)
	}
	c := &compiler{policy: ruleset.New(ruleset.Own, 3000, policy.IPv4, 1), numbers: Numbers{Counter: byLine}, identities: known}
	if _, err := c.compile(); err != nil {
		t.Fatal(err)
	}
	c.reset()
	assertEmpty(t, "compiler", reflect.ValueOf(*c))
	for side := range c.ends {
		for _, e := range c.ends[side].list[:cap(c.ends[side].list)] {
			if e != (end{}) {
				t.Fatalf("an end is left over: %+v", e)
			}
		}
	}
}

// assertEmpty wants zeros, and slices of length 0.
func assertEmpty(t *testing.T, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			assertEmpty(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			assertEmpty(t, name, v.Index(i))
		}
	case reflect.Slice:
		if v.Len() > 0 {
			t.Errorf("%s has %d elements", name, v.Len())
		}
	default:
		if !v.IsZero() {
			t.Errorf("%s is not zero", name)
		}
	}
}
