package inventory

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"aclium/translate/policy"
)

/*
From pods to selectors

A list names addresses, a policy names roles. Select finds the role of a set of
pods: label terms that exactly these pods satisfy, of all pods that there are.

Classes. Pods that no stable label tells apart are one class. A class with a
wanted pod and an unwanted one ends the search: such pods are twins, no selector
tells them apart, and a wider one is never given.

Terms. The namespace is always named, and so is the label that says the pods'
role best, although the cluster of today may not need it: it keeps out the
strangers of tomorrow. For every other key the strongest terms that all wanted
pods satisfy are candidates; each cuts off some of the unwanted classes:

	key=V        all wanted pods have V          key in (V,W)     they have V or W
	key          they all have the key           key notin (X,Y)  only others have X, Y
	!key         none of them has the key

Cover. The cheapest candidates that cut off every unwanted class together are
the selector: a set cover, small enough to be solved exactly; beyond the budget
of steps the greedy answer stands, which is exact in its pods and may only be
longer than necessary. Where all candidates together leave a stranger in, the
pods are split by namespace, by owner, and at last by class, which always ends.
*/

// A Selection is what Select finds.
type Selection struct {
	// Selectors select together exactly the wanted pods; nil when there are
	// twins, or when nothing is wanted.
	Selectors []policy.Selector
	// Twins are pods that no stable label tells apart, of which only one is
	// wanted.
	Twins []Twin
	// Nearest selects the wanted pods and all their twins; nil without twins.
	// It is wider than what was asked for.
	Nearest []policy.Selector
}

// A Twin is a pair of pods by their indexes: Wanted was asked for, Other was
// not.
type Twin struct{ Wanted, Other int }

// Select gives selectors for the wanted pods, which are indexes of pods. Pods
// hold everything that the selectors may meet. The answer depends on the labels
// alone, not on the order of the pods.
func Select(pods []Pod, wanted []int) Selection { return newUniverse(pods).find(wanted) }

// A class is a set of pods with the same namespace and stable labels.
type class struct {
	namespace string
	labels    map[string]string
	pods      []int
}

// A universe is all pods, by class.
type universe struct {
	pods    []Pod
	classes []class
	of      []int // the class of each pod
	// inside gives the classes of a namespace.
	inside map[string][]int
}

func newUniverse(pods []Pod) *universe {
	u := &universe{pods: pods, of: make([]int, len(pods)), inside: map[string][]int{}}
	barred := barredKeys(pods)
	known := map[string]int{}
	for i := range pods {
		p := &pods[i]
		labels := map[string]string{}
		for k, v := range p.Labels {
			if !barred[k] {
				labels[k] = v
			}
		}
		text := p.Namespace + "\x00" + signature(labels)
		c, ok := known[text]
		if !ok {
			c = len(u.classes)
			known[text] = c
			u.classes = append(u.classes, class{namespace: p.Namespace, labels: labels})
			u.inside[p.Namespace] = append(u.inside[p.Namespace], c)
		}
		u.of[i] = c
		u.classes[c].pods = append(u.classes[c].pods, i)
	}
	return u
}

// barredKeys are the keys that no selector may use: unstable by their name, or
// because some pod has a value that cannot last.
func barredKeys(pods []Pod) map[string]bool {
	barred := map[string]bool{}
	for i := range pods {
		for k, v := range pods[i].Labels {
			if !barred[k] && (!stableKey(k) || unstableValue.MatchString(v)) {
				barred[k] = true
			}
		}
	}
	return barred
}

func signature(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(k + "\x00" + labels[k] + "\x00")
	}
	return b.String()
}

func (u *universe) find(wanted []int) (s Selection) {
	in := map[int]int{} // a wanted pod of each class
	want := map[int]bool{}
	for _, i := range wanted {
		in[u.of[i]], want[i] = i, true
	}
	all := slices.Clone(wanted)
	for _, c := range slices.Sorted(maps.Keys(in)) {
		for _, i := range u.classes[c].pods {
			if !want[i] {
				s.Twins = append(s.Twins, Twin{in[c], i})
				all = append(all, i)
			}
		}
	}
	if len(s.Twins) > 0 {
		s.Nearest = u.find(all).Selectors
		return s
	}
	s.Selectors = u.split(slices.Sorted(maps.Keys(in)))
	slices.SortFunc(s.Selectors, func(a, b policy.Selector) int { return cmp.Compare(a.String(), b.String()) })
	s.Selectors = slices.CompactFunc(s.Selectors, func(a, b policy.Selector) bool { return a.String() == b.String() })
	return s
}

// split gives selectors of whole classes: one when one is enough.
func (u *universe) split(classes []int) []policy.Selector {
	if len(classes) == 0 {
		return nil
	}
	if s, ok := u.conjunction(classes); ok {
		return []policy.Selector{s}
	}
	for _, by := range []func(int) string{u.namespaceOf, u.ownerOf, u.itself} {
		parts := map[string][]int{}
		for _, c := range classes {
			parts[by(c)] = append(parts[by(c)], c)
		}
		if len(parts) == 1 {
			continue
		}
		var out []policy.Selector
		for _, key := range slices.Sorted(maps.Keys(parts)) {
			out = append(out, u.split(parts[key])...)
		}
		return out
	}
	return nil // a single class always has a conjunction
}

func (u *universe) namespaceOf(c int) string { return u.classes[c].namespace }

// ownerOf gives the owner of a class's first pod by name.
func (u *universe) ownerOf(c int) string {
	var owners []string
	for _, i := range u.classes[c].pods {
		owners = append(owners, u.pods[i].Owner.Kind+"/"+u.pods[i].Owner.Name)
	}
	return slices.Min(owners)
}

func (u *universe) itself(c int) string { return signature(u.classes[c].labels) }

// conjunction gives the cheapest terms that hold for exactly the classes;
// false when there are none.
func (u *universe) conjunction(wanted []int) (policy.Selector, bool) {
	namespaces := map[string]bool{}
	for _, c := range wanted {
		namespaces[u.classes[c].namespace] = true
	}
	names := slices.Sorted(maps.Keys(namespaces))
	var strangers []int
	for _, n := range names {
		for _, c := range u.inside[n] {
			if _, in := slices.BinarySearch(wanted, c); !in {
				strangers = append(strangers, c)
			}
		}
	}
	out := policy.Selector{{Key: policy.NamespaceKey, Op: policy.In, Values: names}}
	candidates := u.candidates(wanted, strangers)
	if i := slices.IndexFunc(candidates, isRole); i >= 0 {
		out = append(out, candidates[i])
		strangers = u.keep(strangers, candidates[i])
	}
	rest, ok := u.cover(candidates, strangers)
	return canonicalSelector(append(out, rest...)), ok
}

// isRole reports a term that says what pods are for.
func isRole(t policy.Term) bool {
	return t.Op == policy.In && len(t.Values) == 1 && termCost(t) <= roleCost
}

// keep gives the classes that satisfy a term.
func (u *universe) keep(classes []int, t policy.Term) []int {
	return slices.DeleteFunc(slices.Clone(classes), func(c int) bool { return !t.Matches(u.classes[c].labels) })
}

// candidates gives the terms that hold for all wanted classes, the cheapest
// first.
func (u *universe) candidates(wanted, strangers []int) (out []policy.Term) {
	keys := map[string]bool{}
	for _, c := range slices.Concat(wanted, strangers) {
		for k := range u.classes[c].labels {
			keys[k] = true
		}
	}
	for k := range keys {
		out = append(out, u.termsOn(k, wanted, strangers)...)
	}
	slices.SortFunc(out, func(a, b policy.Term) int {
		return cmp.Or(termCost(a)-termCost(b), cmp.Compare(a.String(), b.String()))
	})
	return out
}

// termsOn gives the candidates on one key.
func (u *universe) termsOn(key string, wanted, strangers []int) (out []policy.Term) {
	have, values := 0, map[string]bool{}
	for _, c := range wanted {
		if v, ok := u.classes[c].labels[key]; ok {
			have, values[v] = have+1, true
		}
	}
	others := map[string]bool{}
	for _, c := range strangers {
		if v, ok := u.classes[c].labels[key]; ok && !values[v] {
			others[v] = true
		}
	}
	if have == len(wanted) {
		out = append(out, policy.Term{Key: key, Op: policy.In, Values: slices.Sorted(maps.Keys(values))})
	}
	if have == len(wanted) && len(values) > 1 {
		out = append(out, policy.Term{Key: key, Op: policy.Exists})
	}
	if have == 0 {
		out = append(out, policy.Term{Key: key, Op: policy.DoesNotExist})
	}
	if have < len(wanted) && len(others) > 0 {
		out = append(out, policy.Term{Key: key, Op: policy.NotIn, Values: slices.Sorted(maps.Keys(others))})
	}
	return out
}
