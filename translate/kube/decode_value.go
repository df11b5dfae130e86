package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"aclium/translate/policy"
)

// A value is one node of an object and the way to it. Its methods give up on
// a mistake by a panic, which object.try turns into an error.
type value struct {
	object *object
	// node is nil where a field is absent or null.
	node *yaml.Node
	path string
	// parent is where a mistake about an absent field is shown.
	parent *yaml.Node
}

// fail gives up.
func (v value) fail(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if v.path != "" {
		msg = v.path + ": " + msg
	}
	panic(&Error{Source: v.source(), Object: v.object.title(), Msg: msg})
}

// source gives the place of the value.
func (v value) source() policy.Source {
	n := v.node
	if n == nil {
		n = v.parent
	}
	s := policy.Source{File: v.object.stream.name}
	if n != nil {
		s.Line, s.Column = n.Line, n.Column
	}
	return s
}

// present reports whether the field is there and not null.
func (v value) present() bool { return v.node != nil }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// take counts a node against the stream's limit and follows aliases.
func (v value) take() value {
	s := v.object.stream
	if s.nodes--; s.nodes < 0 {
		v.fail("the text is too large: more than %d values", maxNodes)
	}
	for v.node != nil && v.node.Kind == yaml.AliasNode {
		if s.nodes--; s.nodes < 0 {
			v.fail("the text is too large: more than %d values", maxNodes)
		}
		v.node = v.node.Alias
	}
	return v
}

// want gives up on a value that is not of the kind.
func (v value) want(kind yaml.Kind, words string) {
	if v.node.Kind != kind {
		v.fail("want %s", words)
	}
}

// fields are those of one mapping.
type fields struct {
	value
	named map[string]*yaml.Node
}

// fields reads a mapping that has no other fields than the known ones. An
// absent value has none of them.
func (v value) fields(known ...string) fields {
	f := fields{value: v, named: v.mapping()}
	for _, key := range keysOf(v) {
		if !slices.Contains(known, key.Value) {
			v.node = key
			v.fail("unknown field %q, want one of %s", key.Value, strings.Join(known, ", "))
		}
	}
	return f
}

// keysOf gives the keys of a mapping in the order of the text.
func keysOf(v value) (out []*yaml.Node) {
	if v = v.take(); !v.present() {
		return nil
	}
	for i := 0; i < len(v.node.Content); i += 2 {
		out = append(out, v.node.Content[i])
	}
	return out
}

// mapping reads a mapping whose keys are texts, each there once.
func (v value) mapping() map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if v = v.take(); !v.present() {
		return out
	}
	v.want(yaml.MappingNode, "a mapping")
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v
		key.node = v.node.Content[i]
		if key.node.Kind != yaml.ScalarNode || key.node.ShortTag() != "!!str" {
			key.fail("want a text as the key of a mapping")
		}
		if _, twice := out[key.node.Value]; twice {
			key.fail("field %q is written twice", key.node.Value)
		}
		out[key.node.Value] = v.node.Content[i+1]
	}
	return out
}

// at gives a field.
func (f fields) at(name string) value {
	path := name
	if f.path != "" {
		path = f.path + "." + name
	}
	out := value{object: f.object, node: f.named[name], path: path, parent: f.node}
	if out = out.take(); out.node != nil && isNull(out.node) {
		out.node = nil
	}
	return out
}

// peek gives the text of a field before the kind of the mapping is known.
func (v value) peek(name string) string {
	return fields{value: v, named: v.mapping()}.at(name).text()
}

// list reads a sequence; an absent one is empty.
func (v value) list() (out []value) {
	if v = v.take(); !v.present() {
		return nil
	}
	v.want(yaml.SequenceNode, "a list")
	for i, n := range v.node.Content {
		item := value{object: v.object, node: n, path: fmt.Sprintf("%s[%d]", v.path, i)}.take()
		if isNull(item.node) {
			item.fail("want no null in a list")
		}
		out = append(out, item)
	}
	return out
}

// oldBool are the plain words that YAML 1.1, which the tools of Kubernetes
// read, takes for truth values.
var oldBool = regexp.MustCompile(`^(?i:y|yes|n|no|on|off)$`)

// text reads a text; an absent one is empty.
func (v value) text() string {
	if v = v.take(); !v.present() {
		return ""
	}
	v.want(yaml.ScalarNode, "a text")
	plain := v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if v.node.ShortTag() != "!!str" || plain && oldBool.MatchString(v.node.Value) {
		v.fail("want a text, and %s is none without quotes", v.node.Value)
	}
	return v.node.Value
}

// word reads one of the words.
func (v value) word(words ...string) string {
	text := v.text()
	if !slices.Contains(words, text) {
		v.fail("%q is not known here, want one of %s", text, strings.Join(words, ", "))
	}
	return text
}

// truth reads a truth value; an absent one is false.
func (v value) truth() bool {
	if v = v.take(); !v.present() {
		return false
	}
	if v.node.Kind != yaml.ScalarNode || v.node.Value != "true" && v.node.Value != "false" || v.node.ShortTag() != "!!bool" {
		v.fail("want true or false")
	}
	return v.node.Value == "true"
}

var decimal = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)

// isNumber reports whether the value is written as a number.
func (v value) isNumber() bool {
	v = v.take()
	return v.present() && v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!int"
}

// number reads a whole number between the limits.
func (v value) number(least, most int) int {
	v = v.take()
	if !v.present() || !v.isNumber() || !decimal.MatchString(v.node.Value) {
		v.fail("want a number from %d to %d", least, most)
	}
	return v.within(v.node.Value, least, most)
}

// within reads the digits of a number between the limits.
func (v value) within(text string, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || !decimal.MatchString(text) || n < least || n > most {
		v.fail("want a number from %d to %d, and not %s", least, most, text)
	}
	return n
}

// texts reads a mapping of texts.
func (v value) texts() map[string]string {
	out := map[string]string{}
	f := fields{value: v, named: v.mapping()}
	for _, key := range keysOf(v) {
		out[key.Value] = f.at(key.Value).text()
	}
	return out
}

// refuse gives up where the field is there, because the model has no word for it.
func (v value) refuse(why string) {
	if v.present() {
		v.fail("%s", why)
	}
}
