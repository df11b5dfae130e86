package translate

import (
	"slices"
	"strings"

	"aclium/translate/policy"
)

// This file calculates with sets of pods. A conj is a conjunction of label
// terms, at most a few for each key; a podSet is a union of them. The complement
// of a term is a term, so that differences stay within the language that
// Kubernetes selectors speak.

// conj is a conjunction in canonical form: sorted by key, without terms that
// others imply. The empty conj is every pod.
type conj []policy.Term

// podSet is a union of conjunctions; nil is no pod.
type podSet []conj

// everyPod is the set of all pods.
var everyPod = podSet{{}}

// maxConjs bounds what a difference may grow to.
const maxConjs = 128

// labelState is what a conjunction says about one key.
type labelState struct {
	absent, present bool
	in              []string // nil is any value
	notIn           []string
}

// add puts a term into the state; false when nothing satisfies both.
func (s *labelState) add(t policy.Term) bool {
	switch t.Op {
	case policy.Exists:
		s.present = true
	case policy.DoesNotExist:
		s.absent = true
	case policy.NotIn:
		s.notIn = append(s.notIn, t.Values...)
	case policy.In:
		s.present = true
		values := slices.Clone(t.Values)
		if s.in != nil {
			values = slices.DeleteFunc(values, func(v string) bool { return !slices.Contains(s.in, v) })
		}
		s.in = append([]string{}, values...)
	}
	if s.in != nil {
		s.in = slices.DeleteFunc(s.in, func(v string) bool { return slices.Contains(s.notIn, v) })
	}
	return !(s.absent && s.present) && (s.in == nil || len(s.in) > 0)
}

// terms gives the state as the fewest terms.
func (s *labelState) terms(key string) (out []policy.Term) {
	switch {
	case s.absent:
		return []policy.Term{{Key: key, Op: policy.DoesNotExist}}
	case s.in != nil:
		return []policy.Term{{Key: key, Op: policy.In, Values: canonical(s.in)}}
	}
	if s.present && key != policy.NamespaceKey {
		out = append(out, policy.Term{Key: key, Op: policy.Exists})
	}
	if len(s.notIn) > 0 {
		out = append(out, policy.Term{Key: key, Op: policy.NotIn, Values: canonical(s.notIn)})
	}
	return out
}

func canonical(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}

// newConj gives the conjunction of the terms; false when it is empty.
func newConj(terms []policy.Term) (conj, bool) {
	states := map[string]*labelState{}
	var keys []string
	for _, t := range terms {
		s := states[t.Key]
		if s == nil {
			// Every pod has a namespace.
			s = &labelState{present: t.Key == policy.NamespaceKey}
			states[t.Key] = s
			keys = append(keys, t.Key)
		}
		if !s.add(t) {
			return nil, false
		}
	}
	slices.Sort(keys)
	out := conj{}
	for _, k := range keys {
		out = append(out, states[k].terms(k)...)
	}
	return out, true
}

func (c conj) and(terms ...policy.Term) (conj, bool) { return newConj(slices.Concat(c, terms)) }

// implies reports whether every pod of c is in d.
func (c conj) implies(d conj) bool {
	for _, t := range d {
		if _, some := c.and(t.Negate()); some {
			return false
		}
	}
	return true
}

// minus gives the pods of c outside d, as disjoint conjunctions.
func (c conj) minus(d conj) (out podSet) {
	rest := c
	for _, t := range d {
		if outside, some := rest.and(t.Negate()); some {
			out = append(out, outside)
		}
		inside, some := rest.and(t)
		if !some {
			return out
		}
		rest = inside
	}
	return out
}

// inNamespace reports whether the conjunction names the namespaces of its pods.
func (c conj) inNamespace() bool {
	return slices.ContainsFunc(c, func(t policy.Term) bool { return t.Key == policy.NamespaceKey && t.Op == policy.In })
}

func (c conj) String() string {
	parts := make([]string, len(c))
	for i, t := range c {
		parts[i] = t.String()
	}
	return strings.Join(parts, " ")
}

func podsOf(selectors []policy.Selector) (out podSet) {
	for _, s := range selectors {
		if c, some := newConj(s); some {
			out = append(out, c)
		}
	}
	return out.reduced()
}

// reduced leaves out what other parts cover, and sorts.
func (s podSet) reduced() (out podSet) {
	for i, c := range s {
		covered := slices.ContainsFunc(out, func(d conj) bool { return c.implies(d) })
		for _, d := range s[i+1:] {
			covered = covered || c.implies(d) && !d.implies(c)
		}
		if !covered {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b conj) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func (s podSet) union(t podSet) podSet { return slices.Concat(s, t).reduced() }

// minus gives the pods of s outside t. A result of more than maxConjs parts is
// too large, because the rest of t is not taken away: nobody may go on with it.
func (s podSet) minus(t podSet) podSet {
	for _, d := range t {
		var next podSet
		for _, c := range s {
			next = append(next, c.minus(d)...)
		}
		if s = next; len(s) > maxConjs {
			return s
		}
	}
	return s.reduced()
}

// within reports whether every pod of c is in s.
func (c conj) within(s podSet) bool { return len(podSet{c}.minus(s)) == 0 }

// within reports whether every pod of s is in t.
func (s podSet) within(t podSet) bool {
	return !slices.ContainsFunc(s, func(c conj) bool { return !c.within(t) })
}

// simplified gives the same pods in fewer words: a term goes when what it keeps
// out is in the set anyway. {web}, {not web, db} become {web}, {db}.
func (s podSet) simplified() podSet {
	out := make(podSet, len(s))
	for i, c := range s {
		for k := 0; k < len(c); {
			wider := slices.Concat(c[:k], c[k+1:])
			if wider.within(s) {
				c = wider
			} else {
				k++
			}
		}
		out[i] = c
	}
	return out.reduced()
}

func (s podSet) intersect(t podSet) (out podSet) {
	for _, c := range s {
		for _, d := range t {
			if both, some := c.and(d...); some {
				out = append(out, both)
			}
		}
	}
	return out.reduced()
}

func (s podSet) String() string {
	var b strings.Builder
	for _, c := range s {
		b.WriteString(c.String())
		b.WriteByte('\n')
	}
	return b.String()
}

func (s podSet) equal(t podSet) bool {
	return slices.EqualFunc(s, t, func(a, b conj) bool { return a.String() == b.String() })
}

func (s podSet) selectors() (out []policy.Selector) {
	for _, c := range s {
		out = append(out, policy.Selector(c))
	}
	return out
}
