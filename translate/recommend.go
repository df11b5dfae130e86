package translate

import (
	"aclium/translate/policy"
)

// tryLimit is how many lines are ordered again for targets whose cost grows
// faster than the lines.
const tryLimit = 2000

// Recommend gives a function that names, for a finding of Order with the same
// arguments, the first other target that carries the line, or the list, as it
// is; false when there is none. Targets are tried when they are first asked for.
func Recommend(policies []policy.Policy, o OrderOptions) func(policy.Finding) (Target, bool) {
	lines := 0
	for i := range policies {
		lines += len(policies[i].Rules)
	}
	tried := map[string][]policy.Finding{}
	return func(f policy.Finding) (Target, bool) {
		if f.State != policy.Narrower && f.State != policy.Refused {
			return Target{}, false
		}
		for _, t := range Targets() {
			if t.Name == o.Target.Name || lines > tryLimit && !t.Ordered {
				continue
			}
			found, ok := tried[t.Name]
			if !ok {
				again := o
				again.Target = t
				_, found = Order(policies, again)
				tried[t.Name] = found
			}
			if carries(found, f) {
				return t, true
			}
		}
		return Target{}, false
	}
}

// carries reports whether nothing is lacking of the finding's line, or of its
// list as a whole.
func carries(found []policy.Finding, f policy.Finding) bool {
	for _, g := range found {
		lacks := g.State == policy.Narrower || g.State == policy.Refused || g.State == policy.Wider
		list := g.ID.ACL == f.ID.ACL && g.ID.Seq == 0
		if lacks && (g.ID == f.ID || list && (f.ID.Seq == 0 || g.State == policy.Refused)) {
			return false
		}
	}
	return true
}
