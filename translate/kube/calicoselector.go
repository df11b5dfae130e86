package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aclium/translate/policy"
)

/*
Calico's selectors are expressions over labels:

	or   = and { "||" and }          and = not { "&&" not }
	not  = { "!" } ( "(" or ")" | "all()" | "has(" key ")" | key op )
	op   = "==" 'v' | "!=" 'v' | "in" { 'v', ... } | "not in" { 'v', ... }

They become unions of selectors, each a conjunction of terms: the complement of
a term is a term, so a negation goes down to the terms by de Morgan's rules.
*/

// maxSelectors bounds what an expression may grow to.
const maxSelectors = 128

// maxNesting bounds the parentheses and negations of an expression.
const maxNesting = 64

// expression is a union of conjunctions in both colours, so that a negation
// costs nothing but an exchange.
type expression struct{ yes, no []policy.Selector }

var (
	everything = expression{yes: []policy.Selector{{}}}
	calicoWord = regexp.MustCompile(`^(?:[ \t]*)(&&|\|\||==|!=|not[ \t]+in[ \t]*\{|in[ \t]*\{|all\([ \t]*\)|global\([ \t]*\)|has\([ \t]*[a-zA-Z0-9_./-]+[ \t]*\)|[!(){},]|"[^"]*"|'[^']*'|[a-zA-Z0-9_./-]+)`)
)

// expressionParser reads one expression, by its words.
type expressionParser struct {
	words []string
	at    int
	key   func(string) (string, error)
}

// parseExpression reads an expression; the empty one is everything. key gives
// the key under which an endpoint carries a label.
func parseExpression(text string, key func(string) (string, error)) (expression, error) {
	words, err := splitExpression(text)
	if err != nil || len(words) == 0 {
		return everything, err
	}
	p := &expressionParser{words: words, key: key}
	e, err := p.or(0)
	if err == nil && p.at < len(words) {
		err = fmt.Errorf("%q is not expected", words[p.at])
	}
	return e, err
}

func splitExpression(text string) (words []string, err error) {
	for rest := text; strings.Trim(rest, " \t") != ""; {
		m := calicoWord.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("cannot read %q", rest)
		}
		words = append(words, m[1])
		rest = rest[len(m[0]):]
	}
	return words, nil
}

func (p *expressionParser) next() string {
	if p.at == len(p.words) {
		return ""
	}
	p.at++
	return p.words[p.at-1]
}

func (p *expressionParser) accept(word string) bool {
	if p.at < len(p.words) && p.words[p.at] == word {
		p.at++
		return true
	}
	return false
}

func (p *expressionParser) or(depth int) (expression, error) {
	e, err := p.and(depth)
	for err == nil && p.accept("||") {
		var f expression
		if f, err = p.and(depth); err == nil {
			e, err = e.or(f)
		}
	}
	return e, err
}

func (p *expressionParser) and(depth int) (expression, error) {
	e, err := p.not(depth)
	for err == nil && p.accept("&&") {
		var f expression
		if f, err = p.not(depth); err == nil {
			e, err = e.and(f)
		}
	}
	return e, err
}

func (p *expressionParser) not(depth int) (expression, error) {
	if depth > maxNesting {
		return expression{}, fmt.Errorf("more than %d parentheses within each other", maxNesting)
	}
	if p.accept("!") {
		e, err := p.not(depth + 1)
		return e.not(), err
	}
	if p.accept("(") {
		e, err := p.or(depth + 1)
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("want a closing parenthesis")
		}
		return e, err
	}
	return p.operation()
}

// operation reads a condition on one label.
func (p *expressionParser) operation() (expression, error) {
	word := p.next()
	switch {
	case strings.HasPrefix(word, "all("):
		return everything, nil
	case strings.HasPrefix(word, "global("):
		return expression{}, fmt.Errorf("global() selects what is in no namespace, which the model does not know")
	case strings.HasPrefix(word, "has("):
		return p.term(strings.Trim(word[4:len(word)-1], " \t"), policy.Exists, nil)
	case word == "" || strings.Trim(word[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") != "":
		return expression{}, fmt.Errorf("want a condition, and not %q", word)
	}
	switch op := p.next(); {
	case op == "==":
		return p.compare(word, policy.In)
	case op == "!=":
		return p.compare(word, policy.NotIn)
	case strings.HasPrefix(op, "in"):
		return p.set(word, policy.In)
	case strings.HasPrefix(op, "not"):
		return p.set(word, policy.NotIn)
	default:
		return expression{}, fmt.Errorf("want ==, !=, in or not in after %q: other comparisons are no selectors of Kubernetes", word)
	}
}

func (p *expressionParser) term(label string, op policy.Op, values []string) (expression, error) {
	if label == calicoOrchestrator {
		every := policy.Term{Key: label, Op: op, Values: values}.Matches(map[string]string{label: "k8s"})
		return map[bool]expression{true: everything, false: everything.not()}[every], nil
	}
	key, err := p.key(label)
	if err != nil {
		return expression{}, err
	}
	slices.Sort(values)
	t := policy.Term{Key: key, Op: op, Values: slices.Compact(values)}
	return expression{yes: []policy.Selector{{t}}, no: []policy.Selector{{t.Negate()}}}, nil
}

func (p *expressionParser) compare(label string, op policy.Op) (expression, error) {
	value, ok := quoted(p.next())
	if !ok {
		return expression{}, fmt.Errorf("want a text in quotes to compare %q with", label)
	}
	return p.term(label, op, []string{value})
}

// set reads the values behind an opening brace. Nothing is in an empty set.
func (p *expressionParser) set(label string, op policy.Op) (expression, error) {
	var values []string
	for !p.accept("}") {
		value, ok := quoted(p.next())
		if !ok {
			return expression{}, fmt.Errorf("want a text in quotes in the set for %q", label)
		}
		values = append(values, value)
		if !p.accept(",") && (p.at == len(p.words) || p.words[p.at] != "}") {
			return expression{}, fmt.Errorf("want a comma or a closing brace in the set for %q", label)
		}
	}
	switch {
	case len(values) > 0:
		return p.term(label, op, values)
	case op == policy.In:
		return everything.not(), nil
	}
	return everything, nil
}

func quoted(word string) (string, bool) {
	if len(word) < 2 || word[0] != '"' && word[0] != '\'' {
		return "", false
	}
	return word[1 : len(word)-1], true
}

func (e expression) not() expression { return expression{yes: e.no, no: e.yes} }

func (e expression) and(f expression) (out expression, err error) {
	out.no = slices.Concat(e.no, f.no)
	for _, a := range e.yes {
		for _, b := range f.yes {
			out.yes = append(out.yes, slices.Concat(a, b))
		}
	}
	if len(out.yes) > maxSelectors || len(out.no) > maxSelectors {
		err = fmt.Errorf("is a union of more than %d selectors", maxSelectors)
	}
	return out, err
}

func (e expression) or(f expression) (expression, error) {
	out, err := e.not().and(f.not())
	return out.not(), err
}
