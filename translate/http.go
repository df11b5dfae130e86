package translate

import (
	"fmt"
	"slices"
	"strings"

	"aclium/grammar"
	"aclium/translate/policy"
)

/*
An HTTP policy-map under an inspected class says what becomes of the requests of
its TCP connections. The first class that matches a request decides: allow lets
it go on, reset ends the connection; what no class resets goes on, as IOS does.

	requests = everything
	for each class, from the last to the first:
	    allow, or nothing:  requests = requests + class
	    reset:              requests = requests - class

The class then permits TCP with these requests. A rule that denies the rest of
what the class matches stands behind it, so that a request which is not among
them does not come to a later class.
*/

// lookInto restricts the rule of a class to the requests that its HTTP policy
// lets go on.
func (b *program) lookInto(final *policy.Rule, p grammar.Name) {
	if p.Text == "" {
		return
	}
	m := b.config.HTTPPolicyMap(p.Text)
	if m == nil {
		b.undefined(p, "http policy-map", b.httpPolicyNames())
		return
	}
	text := "service-policy http " + p.Text
	set, reason := b.requests(m)
	if reason == "" && len(set) == 0 {
		reason = "every request is reset: use drop"
	}
	var matches []policy.HTTPMatch
	if reason == "" {
		matches, reason = set.say()
	}
	switch {
	case final.Action != policy.Permit:
	case reason != "":
		b.refuse(final, p.Pos, text, text+": "+reason)
	case slices.ContainsFunc(matches, func(m policy.HTTPMatch) bool { return m.Method+m.Path+m.Host == "" && m.Headers == nil }):
		b.note(final.ID, p.Pos, text, policy.NoEffect, "no request is reset, and what no class resets goes on")
	default:
		final.Match.HTTP = matches
	}
}

func (b *program) httpPolicyNames() (out []definition) {
	for _, m := range b.config.HTTPPolicyMaps {
		out = append(out, definition{m.Name, m.Pos})
	}
	return out
}

// requests gives the requests that go on.
func (b *program) requests(m *grammar.HTTPPolicyMap) (out requestSet, reason string) {
	out = everyRequest
	for _, c := range slices.Backward(m.Classes) {
		set, why := b.httpClass(c.Class)
		switch {
		case why != "":
			return nil, why
		case c.Action == grammar.HTTPReset:
			set = set.complement()
			if len(set) <= maxTerms {
				set = out.intersect(set)
			}
			out = set
		default:
			out = out.union(set)
		}
		if len(out) > maxTerms {
			return nil, "its classes leave too many combinations of conditions"
		}
	}
	return out, ""
}

// httpClass gives the requests of a class-map.
func (b *program) httpClass(n grammar.Name) (out requestSet, reason string) {
	m := b.config.HTTPClassMap(n.Text)
	if m == nil {
		var all []definition
		for _, d := range b.config.HTTPClassMaps {
			all = append(all, definition{d.Name, d.Pos})
		}
		b.undefined(n, "http class-map", all)
		return nil, ""
	}
	if s := meaningful(m.Other); s != nil {
		return nil, s.Words + " is not supported"
	}
	if len(m.Matches) == 0 {
		b.note(policy.RuleID{ACL: "class-map " + m.Name}, m.Pos, "", policy.NoEffect, "the class-map matches nothing")
		return nil, ""
	}
	if !m.MatchAny {
		out = everyRequest
	}
	for _, part := range m.Matches {
		set, why := b.httpMatch(part)
		switch {
		case why != "":
			return nil, fmt.Sprintf("%q cannot be said: %s", part.Text, why)
		case m.MatchAny:
			out = out.union(set)
		default:
			out = out.intersect(set)
		}
		if len(out) > maxTerms {
			return nil, "class-map " + m.Name + " has too many combinations of conditions"
		}
	}
	return out, ""
}

// httpMatch gives the requests of one match.
func (b *program) httpMatch(part grammar.HTTPMatch) (out requestSet, reason string) {
	switch {
	case part.Kind == grammar.HTTPMethod:
		out = requestSet{{methods: methods{names: []string{strings.ToUpper(part.Method.Text)}}}}
	default:
		if out, reason = b.regexMatch(part); reason != "" {
			return nil, reason
		}
	}
	if part.Not {
		out = out.complement()
	}
	return out, ""
}

func (b *program) regexMatch(part grammar.HTTPMatch) (out requestSet, reason string) {
	m := b.config.RegexMap(part.Regex.Text)
	if m == nil {
		var all []definition
		for _, d := range b.config.RegexMaps {
			all = append(all, definition{d.Name, d.Pos})
		}
		b.undefined(part.Regex, "parameter-map type regex", all)
		return nil, ""
	}
	p, err := patternOf(m)
	switch {
	case err != nil:
		return nil, err.Error()
	case p.none:
		return nil, "parameter-map " + m.Name + " has no pattern"
	case part.Kind == grammar.HTTPAnyHeader:
		return nil, "a policy looks at headers by their names"
	case part.Kind == grammar.HTTPHeader && part.Header.Text != "host":
		return p.header(part)
	}
	if p.every {
		return everyRequest, "" // a request has a target, and in HTTP/1.1 a host
	}
	c := condition{kind: uriMatches, value: p.whole, text: part.Text}
	if part.Kind == grammar.HTTPHeader {
		c.kind = hostMatches
	}
	return requestSet{{methods: everyMethod, conditions: []condition{c}}}, ""
}

// header gives the requests whose header has one of a few values, or is there.
func (p *pattern) header(part grammar.HTTPMatch) (out requestSet, reason string) {
	if p.every {
		c := condition{kind: hasHeader, header: part.Header.Text, text: part.Text}
		return requestSet{{methods: everyMethod, conditions: []condition{c}}}, ""
	}
	if p.exact == nil || slices.Contains(p.exact, "") {
		return nil, "a policy compares a header with whole values: write ^VALUE$, or .* for a header that is there"
	}
	for _, value := range p.exact {
		c := condition{kind: headerIs, header: part.Header.Text, value: value, text: part.Text}
		out = append(out, requestTerm{methods: everyMethod, conditions: []condition{c}})
	}
	return out, ""
}

var allButTCP = policy.BytesWhere(func(v uint8) bool { return v != policy.TCP })

// restricted gives the rules of a hit. What carries no requests passes as
// before.
func restricted(r policy.Rule, m policy.Match) []policy.Rule {
	http := r.Match.HTTP
	r.Match = m
	if http == nil {
		return []policy.Rule{r}
	}
	var carrying, others []policy.Service
	for _, s := range m.Services {
		rest := s
		if s.Protocols.Has(policy.TCP) {
			s.Protocols = policy.Bytes(policy.TCP)
			carrying = append(carrying, s)
		}
		if rest.Protocols = rest.Protocols.Intersect(allButTCP); rest.Protocols != (policy.ByteSet{}) {
			others = append(others, rest)
		}
	}
	var out []policy.Rule
	if len(carrying) > 0 {
		r.Match.Services = carrying
		deny := r
		deny.Action, deny.Police = policy.Deny, nil
		r.Match.HTTP = http
		out = append(out, r, deny)
	}
	if r.Match.HTTP = nil; len(others) > 0 || len(out) == 0 {
		r.Match.Services = others
		out = append(out, r)
	}
	return out
}
