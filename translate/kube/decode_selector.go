package kube

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"aclium/translate/policy"
)

// namespaceLabelPrefix stands before the keys of a namespace's labels, which
// an endpoint carries beside its own (Cilium's notation).
const namespaceLabelPrefix = "io.cilium.k8s.namespace.labels."

// podKey keeps the keys of a pod's labels.
func podKey(v value, key string) string {
	if key == policy.NamespaceKey || len(validation.IsQualifiedName(key)) > 0 {
		v.fail("%q is no key of a pod's label", key)
	}
	return key
}

// namespaceKey gives the key under which an endpoint carries a label of its
// namespace.
func namespaceKey(v value, key string) string {
	if len(validation.IsQualifiedName(key)) > 0 {
		v.fail("%q is no key of a label", key)
	}
	if key == corev1.LabelMetadataName {
		return policy.NamespaceKey
	}
	return namespaceLabelPrefix + key
}

// selector reads a label selector of the API: matchLabels and matchExpressions,
// all of which must hold.
func (v value) selector(keyOf func(value, string) string) policy.Selector {
	f := v.fields("matchLabels", "matchExpressions")
	out := policy.Selector{}
	labels := f.at("matchLabels")
	texts := fields{value: labels, named: labels.mapping()}
	for _, key := range keysOf(labels) {
		at := value{object: v.object, node: key, path: labels.path}
		text := texts.at(key.Value).text()
		labelValue(at, text)
		out = append(out, policy.Term{Key: keyOf(at, key.Value), Op: policy.In, Values: []string{text}})
	}
	for _, e := range f.at("matchExpressions").list() {
		out = append(out, e.term(keyOf))
	}
	return out
}

func labelValue(v value, text string) {
	if problems := validation.IsValidLabelValue(text); len(problems) > 0 {
		v.fail("%q is no value of a label: %s", text, problems[0])
	}
}

// term reads one of the matchExpressions.
func (v value) term(keyOf func(value, string) string) policy.Term {
	f := v.fields("key", "operator", "values")
	t := policy.Term{Key: keyOf(f.at("key"), f.at("key").text())}
	word := f.at("operator").word("In", "NotIn", "Exists", "DoesNotExist")
	if err := t.Op.UnmarshalText([]byte(word)); err != nil {
		f.at("operator").fail("%v", err)
	}
	values := f.at("values")
	for _, item := range values.list() {
		labelValue(item, item.text())
		t.Values = append(t.Values, item.text())
	}
	if needs := t.Op == policy.In || t.Op == policy.NotIn; needs != (len(t.Values) > 0) {
		values.fail("operator %s with %d values", word, len(t.Values))
	}
	slices.Sort(t.Values)
	t.Values = slices.Compact(t.Values)
	return t
}
