package identity

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"aclium/translate/policy"
)

func assign(t *testing.T, table Table, sets ...map[string]string) Table {
	t.Helper()
	next, err := table.Assign(sets)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Validate(); err != nil {
		t.Fatal(err)
	}
	return next
}

func number(t *testing.T, table Table, labels map[string]string) uint32 {
	t.Helper()
	id, ok := table.Number(labels)
	if !ok {
		t.Fatalf("no number for %v", labels)
	}
	return id
}

func TestNumbersStartAboveTheReserved(t *testing.T) {
	table := assign(t, Table{}, map[string]string{"app": "web"})
	if id := number(t, table, map[string]string{"app": "web"}); id != 256 {
		t.Errorf("first number %d, want 256", id)
	}
}

func TestOnlyEqualSetsShareANumber(t *testing.T) {
	sets := []map[string]string{
		{}, {"a": ""}, {"a": "b"}, {"a": "b", "c": "d"}, {`a="b",c`: "d"}, {"a=b": ""}, {"a": `b","c"="d`},
	}
	table := assign(t, Table{}, append(sets, sets...)...)
	seen := map[uint32]bool{}
	for _, s := range sets {
		seen[number(t, table, maps.Clone(s))] = true
	}
	if len(seen) != len(sets) {
		t.Errorf("%d numbers for %d sets", len(seen), len(sets))
	}
}

func TestNamespaceIsNotALabelToChoose(t *testing.T) {
	labels := Labels("prod", map[string]string{policy.NamespaceKey: "dev", "app": "web"})
	if labels[policy.NamespaceKey] != "prod" || labels["app"] != "web" {
		t.Errorf("got %v", labels)
	}
}

// Whatever comes and goes: who stays keeps the number, nobody shares one, and
// a number given up is not given to another set in the same step.
func TestNumbersAreStable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table := Table{}
	for range 300 {
		var sets []map[string]string
		for range r.IntN(20) {
			sets = append(sets, map[string]string{"app": fmt.Sprint(r.IntN(30))})
		}
		next := assign(t, table, sets...)
		for _, a := range next.Assigned {
			old, known := table.Number(a.Labels)
			if known && old != a.ID {
				t.Fatalf("%v moved from %d to %d", a.Labels, old, a.ID)
			}
			for _, b := range table.Assigned {
				if !known && b.ID == a.ID {
					t.Fatalf("%v took number %d, which was in use by %v", a.Labels, a.ID, b.Labels)
				}
			}
		}
		table = reload(t, next)
	}
}

func reload(t *testing.T, table Table) Table {
	t.Helper()
	b, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	var again Table
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestNumbersRunOut(t *testing.T) {
	var sets []map[string]string
	for i := range int(Last-First) + 1 {
		sets = append(sets, map[string]string{"n": fmt.Sprint(i)})
	}
	table := assign(t, Table{}, sets...)
	if _, err := table.Assign(append(sets, map[string]string{"one": "more"})); err == nil {
		t.Error("65,281 sets were numbered, want an error")
	}
}

func TestValidateRefusesWhatMeansTwoThings(t *testing.T) {
	for name, table := range map[string]Table{
		"reserved":    {Assigned: []Assignment{{ID: 255}}},
		"too large":   {Assigned: []Assignment{{ID: 65536}}},
		"twice":       {Assigned: []Assignment{{300, map[string]string{"a": "1"}}, {300, map[string]string{"a": "2"}}}},
		"same labels": {Assigned: []Assignment{{300, map[string]string{"a": "1"}}, {301, map[string]string{"a": "1"}}}},
	} {
		if table.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
