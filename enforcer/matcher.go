package enforcer

import (
	"maps"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// matcher says which patterns of the policies a name fits. It is not safe for
// concurrent use.
type matcher struct {
	patterns []string // sorted, without repetition
	exact    map[string]bool
	wild     []string
	known    map[string][]string // by name
}

func newMatcher(policies []policy.Policy) *matcher {
	all := map[string]bool{}
	for i := range policies {
		for j := range policies[i].Rules {
			m := &policies[i].Rules[j].Match
			for _, p := range slices.Concat(m.Source.FQDNs, m.Destination.FQDNs) {
				all[policy.CanonicalPattern(p)] = true
			}
		}
	}
	m := &matcher{patterns: slices.Sorted(maps.Keys(all)), exact: map[string]bool{}, known: map[string][]string{}}
	for _, p := range m.patterns {
		if strings.Contains(p, "*") {
			m.wild = append(m.wild, p)
		} else {
			m.exact[p] = true
		}
	}
	return m
}

// maxRemembered bounds the answers that a matcher remembers.
const maxRemembered = 1 << 16

// fits gives the patterns, sorted.
func (m *matcher) fits(name string) []string {
	if len(m.patterns) == 0 {
		return nil
	}
	if fits, known := m.known[name]; known {
		return fits
	}
	var fits []string
	if m.exact[name] {
		fits = append(fits, name)
	}
	for _, p := range m.wild {
		if policy.MatchName(p, name) {
			fits = append(fits, p)
		}
	}
	slices.Sort(fits)
	if len(m.known) == maxRemembered {
		clear(m.known)
	}
	m.known[name] = fits
	return fits
}

// sampleOf gives a name that fits the pattern and, most likely, no other one
// but those that hold all of its names.
func sampleOf(pattern string) string { return strings.ReplaceAll(pattern, "*", "a-sample") }

// patternsKey gives equal strings for equal sets; no pattern holds a blank.
func patternsKey(patterns []string) string { return strings.Join(patterns, " ") }
