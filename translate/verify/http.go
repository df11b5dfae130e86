package verify

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"aclium/translate/policy"
)

// A condition is one thing that is asked of a request. Two regular expressions
// are told to be equal only when they are written alike, so a difference may
// be no difference; every one is confirmed by a request before it is shown.
type condition struct {
	kind        byte
	name, value string
}

// The kinds of conditions.
const (
	onMethod = iota + 1
	onPath
	onHost
	hasHeader
	headerIs
)

func conditionsOf(m *policy.HTTPMatch) (out []condition) {
	for _, c := range []condition{{onMethod, "", m.Method}, {onPath, "", m.Path}, {onHost, "", m.Host}} {
		if c.value != "" {
			out = append(out, c)
		}
	}
	for _, h := range m.Headers {
		name := strings.ToLower(h.Name)
		out = append(out, condition{hasHeader, name, ""})
		if h.Value != "" {
			out = append(out, condition{headerIs, name, h.Value})
		}
	}
	return out
}

// requests holds where the connection's request fits one of the matches. A
// connection without a request yet fits a permit and no deny.
func (s *space) requests(matches []policy.HTTPMatch, action policy.Action) ref {
	if matches == nil {
		return yes
	}
	fs := make([]ref, len(matches))
	for i := range matches {
		all := []ref{s.is(s.request, 1)}
		for _, c := range conditionsOf(&matches[i]) {
			all = append(all, s.is(s.conditions[c], 1))
		}
		fs[i] = s.all(all)
	}
	if action == policy.Permit {
		fs = append(fs, s.is(s.request, 0))
	}
	return s.any(fs)
}

// literal reports whether just one value meets the condition.
func (c condition) literal() bool {
	return c.kind == headerIs || c.kind < hasHeader && regexp.QuoteMeta(c.value) == c.value
}

// requestFor gives a request that meets exactly the given conditions; nil when
// none is found, which does not prove that there is none.
func requestFor(meets map[condition]bool) *policy.HTTPRequest {
	r := &policy.HTTPRequest{Headers: map[string]string{}}
	defaults := map[int]string{onMethod: "GET", onPath: "/", onHost: "example.com"}
	for kind, text := range map[int]*string{onMethod: &r.Method, onPath: &r.Path, onHost: &r.Host} {
		value, ok := valueFor(byte(kind), defaults[kind], meets)
		if !ok {
			return nil
		}
		*text = value
	}
	for c, met := range meets {
		switch {
		case !met:
		case c.kind == headerIs:
			r.Headers[c.name] = c.value
		case c.kind == hasHeader && r.Headers[c.name] == "":
			r.Headers[c.name] = freshWord
		}
	}
	return r
}

// valueFor gives a text that meets the conditions of one kind and no others.
func valueFor(kind byte, usual string, meets map[condition]bool) (string, bool) {
	candidates := []string{usual, freshWord, "/" + freshWord}
	for c := range meets {
		if c.kind == kind {
			candidates = append(candidates, textsOf(c.value)...)
		}
	}
	slices.Sort(candidates[3:])
	for _, text := range candidates {
		good := true
		for c, met := range meets {
			good = good && (c.kind != kind || meetsText(c, text) == met)
		}
		if good {
			return text, true
		}
	}
	return "", false
}

// meetsText asks the model, so that there is one meaning of an expression.
func meetsText(c condition, text string) bool {
	m := policy.HTTPMatch{Path: c.value}
	return m.Matches(&policy.HTTPRequest{Path: text})
}

// maxTexts bounds how many texts are made from one expression.
const maxTexts = 64

// textsOf gives some of the texts that a regular expression matches.
func textsOf(expression string) []string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	return texts(re)
}

func texts(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return classTexts(re)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"o"}
	case syntax.OpStar, syntax.OpQuest:
		return append([]string{""}, texts(re.Sub[0])...)
	case syntax.OpRepeat:
		return repeated(texts(re.Sub[0]), max(re.Min, 0))
	case syntax.OpPlus, syntax.OpCapture:
		return texts(re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, texts(sub)...)
		}
		return out[:min(len(out), maxTexts)]
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			out = joined(out, texts(sub))
		}
		return out
	}
	return []string{""}
}

func classTexts(re *syntax.Regexp) (out []string) {
	for i := 0; i+1 < len(re.Rune) && len(out) < maxTexts; i += 2 {
		out = append(out, string(re.Rune[i]), string(re.Rune[i+1]))
	}
	return out
}

func repeated(one []string, times int) []string {
	out := []string{""}
	for range min(times, maxTexts) {
		out = joined(out, one)
	}
	return out
}

func joined(heads, tails []string) (out []string) {
	for _, h := range heads {
		for _, t := range tails {
			if len(out) < maxTexts {
				out = append(out, h+t)
			}
		}
	}
	return out
}
