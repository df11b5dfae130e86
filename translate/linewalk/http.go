package linewalk

import (
	"regexp"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

// Request judges a request by an HTTP policy-map: the first class that it fits
// decides, and what no class resets goes on.
func Request(c *grammar.Config, policyMap string, r *policy.HTTPRequest) (permit bool) {
	for _, class := range c.HTTPPolicyMap(policyMap).Classes {
		if inHTTPClass(c, c.HTTPClassMap(class.Class.Text), r) {
			return class.Action != grammar.HTTPReset
		}
	}
	return true
}

func inHTTPClass(c *grammar.Config, m *grammar.HTTPClassMap, r *policy.HTTPRequest) bool {
	for _, part := range m.Matches {
		if (hasPart(c, part, r) != part.Not) == m.MatchAny {
			return m.MatchAny
		}
	}
	return !m.MatchAny
}

func hasPart(c *grammar.Config, part grammar.HTTPMatch, r *policy.HTTPRequest) bool {
	text, there := r.Path, true
	switch {
	case part.Kind == grammar.HTTPMethod:
		return strings.ToUpper(part.Method.Text) == r.Method
	case part.Kind == grammar.HTTPHeader && part.Header.Text == "host":
		text = r.Host
	case part.Kind == grammar.HTTPHeader:
		text, there = r.Headers[part.Header.Text]
	}
	for _, p := range c.RegexMap(part.Regex.Text).Patterns {
		if there && regexp.MustCompile(p.Text).MatchString(text) {
			return true
		}
	}
	return false
}
