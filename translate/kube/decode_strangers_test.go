package kube_test

import (
	"strings"
	"testing"

	"aclium/translate/kube"
)

// Policies of one order that stand on pods of their own are in no doubt; those
// that may share a pod are.
func TestEqualOrderOfStrangers(t *testing.T) {
	for _, row := range []struct {
		mine, theirs string
		share        bool
	}{
		{"app == 'db'", "app == 'web'", false},
		{"app == 'db'", "app != 'db'", false},
		{"app == 'db'", "!has(app)", false},
		{"!has(app)", "has(app)", false},
		{"app in {'a', 'b'}", "app not in {'a', 'b', 'c'}", false},
		{"app == 'db' && tier == 'x'", "tier == 'y'", false},
		{"app == 'db'", "app != 'web'", true},
		{"app == 'db'", "tier == 'y'", true},
		{"app in {'a', 'b'}", "app in {'b', 'c'}", true},
		{"app in {'a', 'b'}", "app != 'a'", true},
		{"!has(app)", "app != 'db'", true},
		{"app == 'db'", "app == 'web' || app == 'db'", true},
	} {
		text := calicoObject("p", `order: 5, selector: "`+row.mine+`", ingress: [{action: Deny}]`) +
			globalObject("q", `order: 5, selector: "`+row.theirs+`", ingress: [{action: Allow}]`)
		_, err := kube.Decode("order.yaml", strings.NewReader(text))
		if got := err != nil && strings.Contains(err.Error(), "has the same order"); got != row.share || err != nil && !got {
			t.Errorf("%s and %s: %v", row.mine, row.theirs, err)
		}
	}
}
