package kube_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// lists gives a configuration of ten lists on ten workloads, with a line more
// in one of them.
func lists(extra string) string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "object-group network W%d\n workload namespace prod label app=w%d\ninterface workload W%d\n ip access-group L%d out\nip access-list extended L%d\n", i, i, i, i, i)
		for k := range 20 {
			if i == 4 && k == 10 && extra != "" {
				fmt.Fprintf(&b, " 105 %s\n", extra)
			}
			fmt.Fprintf(&b, " %d %s tcp 10.%d.%d.0 0.0.3.255 any eq %d\n", 10*k+5+5, []string{"permit", "deny"}[k%4/3], i, 2*k, 80+k%3)
		}
	}
	return b.String()
}

func objectsOf(t *testing.T, text string) map[string]string {
	out := map[string]string{}
	name := regexp.MustCompile(`(?m)^  name: (.*)$`)
	for _, doc := range strings.Split(string(convertText(t, text)), "---\n") {
		out[name.FindStringSubmatch(doc)[1]] = doc
	}
	return out
}

func changed(t *testing.T, before, after map[string]string) (out []string) {
	t.Helper()
	if len(before) != 10 || len(after) != 10 {
		t.Fatalf("%d and %d objects, want 10", len(before), len(after))
	}
	for name, doc := range before {
		other, ok := after[name]
		if !ok {
			t.Errorf("%s has another name", name)
		}
		if doc != other {
			out = append(out, name)
		}
	}
	return out
}

// TestOneLineChangesItsOwnObject: a line in the middle of one list changes the
// one object of that list, and no name; a line without effect changes what is
// noted about lines alone.
func TestOneLineChangesItsOwnObject(t *testing.T) {
	before := objectsOf(t, lists(""))
	names := changed(t, before, objectsOf(t, lists("permit tcp 192.0.2.0 0.0.0.255 any eq 443")))
	if len(names) != 1 || !strings.HasPrefix(names[0], "w4-") {
		t.Errorf("changed: %v, want the object of L4", names)
	}
	after := objectsOf(t, lists("deny udp 192.0.2.0 0.0.0.255 any"))
	for _, name := range changed(t, before, after) {
		spec := func(doc string) string { return doc[strings.Index(doc, "\nspec:"):] }
		if spec(before[name]) != spec(after[name]) {
			t.Errorf("%s: a deny of what nothing permits changes the rules", name)
		}
	}
}
