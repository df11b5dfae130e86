package translate

import (
	"cmp"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// This file calculates with sets of HTTP requests: unions of conjunctions of
// conditions. The complement of a condition is a condition, but only a few of
// them have words in a policy; which ones is decided at the end, by say, when
// what does not matter has gone.

// A condition is one thing that a request must have, or with not, must not.
// The conditions of a request on its method are kept in methods.
type condition struct {
	kind conditionKind
	not  bool
	// header is the field of hasHeader and headerIs, in lower case.
	header string
	// value is the RE2 expression of uriMatches and hostMatches, or the value
	// of headerIs.
	value string
	// text is the line that asks for it.
	text string
}

type conditionKind uint8

const (
	uriMatches conditionKind = iota + 1
	hostMatches
	headerIs
	hasHeader
)

// methods is a set of request methods: those of names, or with not all others.
type methods struct {
	not   bool
	names []string // sorted
}

var everyMethod = methods{not: true}

// requests are those that fit all conditions.
type requestTerm struct {
	methods    methods
	conditions []condition // sorted, none twice
}

// A requestSet is a union; nil is no request.
type requestSet []requestTerm

var everyRequest = requestSet{{methods: everyMethod}}

// maxTerms bounds what a set may grow to; a larger one is refused.
const maxTerms = 256

func (m methods) complement() methods { return methods{!m.not, m.names} }

func (m methods) intersect(o methods) methods {
	switch {
	case m.not && o.not:
		return methods{true, canonical(slices.Concat(m.names, o.names))}
	case m.not:
		m, o = o, m
	}
	names := slices.DeleteFunc(slices.Clone(m.names), func(n string) bool { return slices.Contains(o.names, n) == o.not })
	return methods{names: names}
}

func (m methods) union(o methods) methods {
	return m.complement().intersect(o.complement()).complement()
}

func (m methods) empty() bool { return !m.not && len(m.names) == 0 }

func (m methods) within(o methods) bool { return m.intersect(o.complement()).empty() }

// expression gives the RE2 expression of the whole method; empty for all.
func (m methods) expression() string {
	if m.not && len(m.names) > 0 {
		return otherThan(m.names)
	}
	return strings.Join(m.names, "|")
}

// otherThan gives an expression for every text but the words, which are letters
// alone: what leaves the tree of the words, or ends in it where no word ends.
func otherThan(words []string) string {
	next := map[byte][]string{}
	var letters []byte
	ends := false
	for _, w := range words {
		if w == "" {
			ends = true
			continue
		}
		if next[w[0]] == nil {
			letters = append(letters, w[0])
		}
		next[w[0]] = append(next[w[0]], w[1:])
	}
	if len(letters) == 0 {
		return ".+"
	}
	slices.Sort(letters)
	parts := []string{"[^" + string(letters) + "].*"}
	for _, c := range letters {
		parts = append(parts, string(c)+otherThan(next[c]))
	}
	out := "(?:" + strings.Join(parts, "|") + ")"
	if !ends {
		out += "?"
	}
	return out
}

func compareConditions(a, b condition) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.header, b.header), cmp.Compare(a.value, b.value), boolOrder(a.not)-boolOrder(b.not))
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// intersect gives the requests in both; false when there are none.
func (t requestTerm) intersect(u requestTerm) (requestTerm, bool) {
	out := requestTerm{methods: t.methods.intersect(u.methods), conditions: slices.Concat(t.conditions, u.conditions)}
	slices.SortStableFunc(out.conditions, compareConditions)
	out.conditions = slices.CompactFunc(out.conditions, func(a, b condition) bool { return compareConditions(a, b) == 0 })
	for i := 1; i < len(out.conditions); i++ {
		a, b := out.conditions[i-1], out.conditions[i]
		if a.kind == b.kind && a.header == b.header && (a.value == b.value || a.kind == headerIs && !a.not && !b.not) {
			return out, false // a condition and its opposite, or two values of one header
		}
	}
	return out, !out.methods.empty()
}

// within reports whether t is in u for all that is known of the conditions.
func (t requestTerm) within(u requestTerm) bool {
	has := func(c condition) bool {
		return slices.ContainsFunc(t.conditions, func(d condition) bool { return compareConditions(c, d) == 0 })
	}
	return t.methods.within(u.methods) && !slices.ContainsFunc(u.conditions, func(c condition) bool { return !has(c) })
}

func (s requestSet) intersect(o requestSet) (out requestSet) {
	for _, t := range s {
		for _, u := range o {
			if both, some := t.intersect(u); some {
				out = append(out, both)
			}
			if len(out) > maxTerms*maxTerms {
				return out
			}
		}
	}
	return out.reduced()
}

func (s requestSet) union(o requestSet) requestSet { return slices.Concat(s, o).reduced() }

// complement gives the requests outside. A set above maxTerms is too large and
// not the complement: nobody may go on with it.
func (s requestSet) complement() requestSet {
	out := everyRequest
	for _, t := range s {
		var other requestSet
		if m := t.methods.complement(); !m.empty() {
			other = append(other, requestTerm{methods: m})
		}
		for _, c := range t.conditions {
			c.not = !c.not
			other = append(other, requestTerm{methods: everyMethod, conditions: []condition{c}})
		}
		if out = out.intersect(other); len(out) > maxTerms {
			return out
		}
	}
	return out
}

// reduced joins terms that differ in their methods alone and leaves out what
// others cover.
func (s requestSet) reduced() (out requestSet) {
	for _, t := range s {
		i := slices.IndexFunc(out, func(u requestTerm) bool {
			return slices.EqualFunc(t.conditions, u.conditions, func(a, b condition) bool { return compareConditions(a, b) == 0 })
		})
		if i < 0 {
			out = append(out, t)
		} else {
			out[i].methods = out[i].methods.union(t.methods)
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		t := out[i]
		if slices.ContainsFunc(out, func(u requestTerm) bool { return len(u.conditions) < len(t.conditions) && t.within(u) }) {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

// say gives the set in the words of a policy. The reason is that of the first
// term that has none.
func (s requestSet) say() (out []policy.HTTPMatch, reason string) {
	if len(s) > maxTerms {
		return nil, "its classes leave too many combinations of conditions"
	}
	for _, t := range s {
		m := policy.HTTPMatch{Method: t.methods.expression()}
		for _, c := range t.conditions {
			if reason = c.addTo(&m); reason != "" {
				return nil, reason
			}
		}
		out = append(out, m)
	}
	return out, ""
}

// addTo adds a condition to a match; the reason says why it cannot.
func (c condition) addTo(m *policy.HTTPMatch) (reason string) {
	field := &m.Path
	switch {
	case c.not:
		return "requests that \"" + c.text + "\" finds would have to be denied, and policies permit requests: reset a class of \"match not request\" instead"
	case c.kind == headerIs:
		m.Headers = append(m.Headers, policy.HTTPHeader{Name: c.header, Value: c.value})
		return ""
	case c.kind == hasHeader:
		m.Headers = append(m.Headers, policy.HTTPHeader{Name: c.header})
		return ""
	case c.kind == hostMatches:
		field = &m.Host
	}
	if *field != "" {
		return "\"" + c.text + "\" comes on top of another pattern for the same value, and a policy has room for one"
	}
	*field = c.value
	return ""
}
