package verify

import (
	"encoding/json"
	"errors"

	"aclium/translate/policy"
)

// errPolice says that a comparison of packets cannot answer: whether a packet
// is beyond a rate depends on those before it.
var errPolice = errors.New("verify: classes with police are compared by their policies as they are, and these differ")

// samePolice reports whether both sides limit the same by the same rates. Only
// policies that are the same in every rule are known to.
func samePolice(want, got policy.Stack) bool {
	a, b := policed(want), policed(got)
	if len(a) != len(b) {
		return false
	}
	for text, n := range a {
		if b[text] != n {
			return false
		}
	}
	return true
}

// policed counts the policies that limit something, by what they say.
func policed(s policy.Stack) map[string]int {
	out := map[string]int{}
	for _, p := range s.Policies() {
		limits := false
		for i := range p.Rules {
			limits = limits || p.Rules[i].Police != nil
		}
		if limits {
			out[saying(&p)]++
		}
	}
	return out
}

func saying(p *policy.Policy) string {
	type rule struct {
		Action policy.Action
		Goto   int
		Match  policy.Match
		Police *policy.Police
	}
	rules := make([]rule, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		rules[i] = rule{r.Action, r.Goto, r.Match, r.Police}
	}
	text, err := json.Marshal(map[string]any{"direction": p.Direction, "family": p.Family, "subject": p.Subject, "rules": rules})
	if err != nil {
		panic(err) // plain structs
	}
	return string(text)
}
