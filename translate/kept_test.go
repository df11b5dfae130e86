package translate_test

import (
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate"
)

// TestKeptListsAreNotMissing: a list that is kept without being understood is
// not undefined, which would filter nothing; and a common list filters although
// no other list is bound.
func TestKeptListsAreNotMissing(t *testing.T) {
	const pods = "object-group network W\n workload namespace n label app=w\n!\n"
	for name, text := range map[string]string{
		"kept":            pods + "ip access-list A\n deny ip any any\n!\nip access-list extended B\n permit ip any any\n!\ninterface workload W\n ip access-group A in\n ip access-group B out\n",
		"common and none": pods + "ip access-list extended A\n deny ip any any\n!\ninterface workload W\n ip access-group common A in\n",
	} {
		c, _, err := grammar.ParseDialect("f", strings.NewReader(text), grammar.IOS)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if policies, _, err := translate.Compile(c); err == nil {
			t.Errorf("%s: got %d policies, want an error", name, len(policies))
		}
	}
}
