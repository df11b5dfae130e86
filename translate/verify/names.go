package verify

import (
	"maps"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// freshWord stands where a name, a value or a label may be anything.
const freshWord = "other"

// A sample is a DNS name and all patterns that it fits.
type sample struct {
	name string
	fits []string
}

func (e *end) patterns() []string { return slices.Sorted(maps.Keys(e.names)) }

// sampleNames gives names that tell the patterns apart: each pattern with its
// asterisks filled by nothing, by a word of nobody's, and by what the other
// patterns have in the same place.
func sampleNames(patterns []string) (out []sample) {
	seen := map[string]bool{}
	for _, p := range patterns {
		fills := map[string]bool{"": true, freshWord: true}
		for _, q := range patterns {
			for _, f := range fillsOf(p, q) {
				fills[f] = true
			}
		}
		for _, fill := range slices.Sorted(maps.Keys(fills)) {
			name := strings.ToLower(strings.ReplaceAll(p, "*", fill))
			if !seen[name] && isName(name) {
				seen[name] = true
				out = append(out, sampleOf(name, patterns))
			}
		}
	}
	return out
}

// fillsOf gives what an asterisk of p must stand for to fit q as well.
func fillsOf(p, q string) (out []string) {
	if p == "*" {
		return []string{strings.ReplaceAll(q, "*", freshWord)}
	}
	ps, qs := strings.Split(p, "."), strings.Split(q, ".")
	if len(ps) != len(qs) {
		return nil
	}
	for i, label := range ps {
		if strings.Contains(label, "*") {
			whole := strings.ReplaceAll(qs[i], "*", "")
			before, after, _ := strings.Cut(label, "*")
			out = append(out, whole, strings.TrimSuffix(strings.TrimPrefix(whole, before), after))
		}
	}
	return out
}

func sampleOf(name string, patterns []string) sample {
	s := sample{name: name}
	for _, p := range patterns {
		if policy.MatchName(p, name) {
			s.fits = append(s.fits, p)
		}
	}
	return s
}

func isName(name string) bool { return !slices.Contains(strings.Split(name, "."), "") }

// namesFor gives names that together fit exactly the given patterns.
func (e *end) namesFor(want map[string]bool) (out []string) {
	covered := map[string]bool{}
	for _, s := range sampleNames(e.patterns()) {
		more := false
		fits := true
		for _, p := range s.fits {
			fits = fits && want[p]
			more = more || !covered[p]
		}
		if fits && more {
			out = append(out, s.name)
			for _, p := range s.fits {
				covered[p] = true
			}
		}
	}
	return out
}
