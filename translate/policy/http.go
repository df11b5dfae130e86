package policy

import (
	"regexp"
	"strings"
	"sync"
)

// An HTTPRequest is what a proxy sees of one request.
type HTTPRequest struct {
	Method string `json:"method"`
	// Path is the request target without its host, with the query.
	Path string `json:"path"`
	Host string `json:"host"`
	// Headers holds one value for each name, which is in lower case.
	Headers map[string]string `json:"headers,omitempty"`
}

// An HTTPMatch is a set of requests: all of its conditions must hold. The zero
// value holds every request.
type HTTPMatch struct {
	// Method, Path and Host are regular expressions (RE2) that must match the
	// whole value; empty matches every value.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Host   string `json:"host,omitempty"`
	// Headers must all be there.
	Headers []HTTPHeader `json:"headers,omitempty"`
}

// An HTTPHeader is a condition on one header: its name, in whatever case, and
// its exact value; an empty value asks for no more than the header.
type HTTPHeader struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Matches reports whether the request is in the set.
func (m *HTTPMatch) Matches(r *HTTPRequest) bool {
	if !matchesWhole(m.Method, r.Method) || !matchesWhole(m.Path, r.Path) || !matchesWhole(m.Host, r.Host) {
		return false
	}
	for _, h := range m.Headers {
		value, ok := r.Headers[strings.ToLower(h.Name)]
		if !ok || h.Value != "" && h.Value != value {
			return false
		}
	}
	return true
}

// compiled keeps regular expressions: a request is matched with many.
var compiled sync.Map

// matchesWhole matches nothing when the expression is not one.
func matchesWhole(expression, text string) bool {
	if expression == "" {
		return true
	}
	known, ok := compiled.Load(expression)
	if !ok {
		re, err := regexp.Compile("^(?s:" + expression + ")$")
		if err != nil {
			return false
		}
		known, _ = compiled.LoadOrStore(expression, re)
	}
	return known.(*regexp.Regexp).MatchString(text)
}
