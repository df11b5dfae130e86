package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aclium/translate/policy"
)

var (
	// The forms that Kubernetes accepts; lengths are looked at apart.
	labelName  = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	labelHost  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	namespaces = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	setTerm    = regexp.MustCompile(`^(\S+)\s+(in|notin)\s*\(([^()]*)\)$`)
)

func checkKey(key string) error {
	host, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		host, name = "", key
	}
	if !labelName.MatchString(name) || len(name) > 63 || prefixed && (!labelHost.MatchString(host) || len(host) > 253) {
		return fmt.Errorf("%q is no key of a label, want one such as app or app.kubernetes.io/name", key)
	}
	return nil
}

func checkValue(value string) error {
	if value != "" && !labelName.MatchString(value) || len(value) > 63 {
		return fmt.Errorf("%q is no value of a label, want up to 63 letters, digits, dots, dashes and underscores", value)
	}
	return nil
}

func checkNamespace(name string) error {
	if !namespaces.MatchString(name) || len(name) > 63 {
		return fmt.Errorf("%q is no name of a namespace, want up to 63 lower-case letters, digits and dashes", name)
	}
	return nil
}

// parseTerms reads terms in the form of Kubernetes: "app=web,tier in (a,b),
// env!=dev,zone notin (x,y),canary,!legacy". sep stands between them.
func parseTerms(text string, sep rune) (out []policy.Term, err error) {
	for _, part := range splitTerms(text, sep) {
		t, err := parseTerm(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// splitTerms cuts a text at the separators that stand in no parentheses.
func splitTerms(text string, sep rune) (out []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == sep && depth <= 0:
			out, from = append(out, text[from:i]), i+1
		}
	}
	if rest := text[from:]; strings.TrimSpace(rest) != "" || from > 0 {
		out = append(out, rest)
	}
	return out
}

func parseTerm(text string) (policy.Term, error) {
	var t policy.Term
	key, value, equal := strings.Cut(text, "=")
	set := setTerm.FindStringSubmatch(text)
	switch {
	case set != nil:
		t.Key, t.Op = set[1], policy.In
		if set[2] == "notin" {
			t.Op = policy.NotIn
		}
		for v := range strings.SplitSeq(set[3], ",") {
			t.Values = append(t.Values, strings.TrimSpace(v))
		}
	case equal && strings.HasSuffix(key, "!"):
		t = policy.Term{Key: strings.TrimSuffix(key, "!"), Op: policy.NotIn, Values: []string{value}}
	case equal:
		t = policy.Term{Key: key, Op: policy.In, Values: []string{strings.TrimPrefix(value, "=")}}
	case strings.HasPrefix(text, "!"):
		t = policy.Term{Key: text[1:], Op: policy.DoesNotExist}
	default:
		t = policy.Term{Key: text, Op: policy.Exists}
	}
	return checkTerm(t)
}

// checkTerm gives the term without blanks and with sorted values.
func checkTerm(t policy.Term) (policy.Term, error) {
	t.Key = strings.TrimSpace(t.Key)
	if err := checkKey(t.Key); err != nil {
		return t, err
	}
	for i, v := range t.Values {
		t.Values[i] = strings.TrimSpace(v)
		if err := checkValue(t.Values[i]); err != nil {
			return t, err
		}
	}
	slices.Sort(t.Values)
	t.Values = slices.Compact(t.Values)
	return t, nil
}

func equals(key, value string) policy.Term {
	return policy.Term{Key: key, Op: policy.In, Values: []string{value}}
}

// canonicalSelector sorts the terms, the namespace first, and drops repeated
// ones.
func canonicalSelector(s policy.Selector) policy.Selector {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b policy.Term) int {
		return cmp.Or(rankOf(a)-rankOf(b), cmp.Compare(a.Key, b.Key), cmp.Compare(a.String(), b.String()))
	})
	return slices.CompactFunc(s, func(a, b policy.Term) bool { return a.String() == b.String() })
}

func rankOf(t policy.Term) int {
	if t.Key == policy.NamespaceKey {
		return 0
	}
	return 1
}
