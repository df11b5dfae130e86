package kube

import (
	"math/rand/v2"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestMarshalIsTheLibrarys holds marshal against the library, for trees of
// whatever YAML quotes, folds or sorts in its own way.
func TestMarshalIsTheLibrarys(t *testing.T) {
	words := []string{
		"80", "yes", "null", "~", "a: b", "1e3", "", "0x1f", "2001:db8::/32", "10.0.0.0/8", "1.2.3.4/32", "-", "#x", "two\nlines", "TCP", "on", "k8s:app",
		".1.1.1/8", "1.1.1./8", "1.1.1.1", "app.kubernetes.io/name", "a2", "a10", "n", "No", "it's", "\"", "trailing ", "*", "&x", "65535", "1_000", "é", "2001-01-01",
		"a very long line of more than eighty letters, which the library may want to fold at some place or other",
	}
	r := rand.New(rand.NewPCG(2, 2))
	var tree func(depth int) any
	tree = func(depth int) any {
		switch kind := r.IntN(6); {
		case depth > 0 && kind < 2:
			m := map[string]any{}
			for range r.IntN(4) {
				key := []string{"cidr", "except", "from", "ports", "endPort"}[r.IntN(5)]
				if r.IntN(6) == 0 {
					key = words[r.IntN(len(words))]
				}
				m[key] = tree(depth - 1)
			}
			return m
		case depth > 0 && kind < 4:
			list := []any{}
			for range r.IntN(4) {
				list = append(list, tree(depth-1))
			}
			return list
		case kind == 4:
			return []any{r.IntN(70000), true, false, nil, -1}[r.IntN(5)]
		}
		return words[r.IntN(len(words))]
	}
	for range 5000 {
		v := map[string]any{"kind": "X", "metadata": tree(3), "spec": tree(5)}
		got, err := marshal(v)
		want, err2 := yaml.Marshal(v)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if string(got) != string(want) {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}
