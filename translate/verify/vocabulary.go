package verify

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// A vocabulary is what the policies of one direction mention of things that
// have no end of values.
type vocabulary struct {
	subject, peer endWords
	portNames     map[string]bool
	conditions    map[condition]bool
	// schedules are by what they say, reflexive lists by their names.
	schedules map[string]*policy.Schedule
	reflexive map[string]bool
	// hops says that somebody looks at the hop limit.
	hops bool
	// nodes says that some subject is a node.
	nodes bool
	// aliased says that the label of a namespace's name is asked for.
	aliased bool
}

// endWords are the labels and names that are asked of one end.
type endWords struct {
	labels, nodeLabels map[string]map[string]bool
	names              map[string]bool
}

func newVocabulary() vocabulary {
	words := func() endWords {
		return endWords{labels: map[string]map[string]bool{}, nodeLabels: map[string]map[string]bool{}, names: map[string]bool{}}
	}
	v := vocabulary{subject: words(), peer: words(), portNames: map[string]bool{}, conditions: map[condition]bool{}}
	v.schedules, v.reflexive = map[string]*policy.Schedule{}, map[string]bool{}
	for _, e := range []*endWords{&v.subject, &v.peer} {
		v.learn(e.labels, []policy.Selector{{{Key: policy.NamespaceKey, Op: policy.Exists}}})
	}
	return v
}

// namespaceName is the label of a namespace that the API server sets to its
// name.
const namespaceName = namespaceLabels + "kubernetes.io/metadata.name"

// namespaceLabels is before the keys of a namespace's labels.
const namespaceLabels = "io.cilium.k8s.namespace.labels."

// canonicalKey gives one key for both names of a pod's namespace.
func canonicalKey(key string) string {
	if key == namespaceName {
		return policy.NamespaceKey
	}
	return key
}

func (v *vocabulary) learn(labels map[string]map[string]bool, selectors []policy.Selector) {
	for _, selector := range selectors {
		for _, t := range selector {
			v.aliased = v.aliased || t.Key == namespaceName
			key := canonicalKey(t.Key)
			if labels[key] == nil {
				labels[key] = map[string]bool{}
			}
			for _, v := range t.Values {
				labels[key][v] = true
			}
		}
	}
}

// policy adds what a policy mentions.
func (v *vocabulary) policy(p *policy.Policy) {
	labels := v.subject.labels
	if p.Subject.Nodes {
		labels, v.nodes = v.subject.nodeLabels, true
	}
	v.learn(labels, p.Subject.Selectors)
	for i := range p.Rules {
		v.rule(&p.Rules[i], p.Direction)
	}
}

func (v *vocabulary) rule(r *policy.Rule, d policy.Direction) {
	own, other := &r.Match.Destination, &r.Match.Source
	if d == policy.Egress {
		own, other = other, own
	}
	v.peers(&v.subject, own)
	v.peers(&v.peer, other)
	for _, s := range r.Match.Services {
		for _, name := range s.PortNames {
			v.portNames[name] = true
		}
	}
	v.hops = v.hops || r.Match.HopLimit != nil
	if t := r.Match.Time; t != nil {
		v.schedules[said(t)] = t
	}
	if name := r.Match.Evaluate; name != "" {
		v.reflexive[name] = true
	}
	for i := range r.Match.HTTP {
		for _, c := range conditionsOf(&r.Match.HTTP[i]) {
			v.conditions[c] = true
		}
	}
}

func (v *vocabulary) peers(e *endWords, p *policy.Peers) {
	v.learn(e.labels, p.Selectors)
	for _, pattern := range p.FQDNs {
		e.names[pattern] = true
	}
}

// inventory adds the labels that decide who has which address.
func (v *vocabulary) inventory(inv *inventory.Inventory) {
	for i := range inv.Workloads {
		w := []policy.Selector{inv.Workloads[i].Selector}
		v.learn(v.subject.labels, w)
		v.learn(v.peer.labels, w)
	}
}

func (v *vocabulary) sortedConditions() []condition {
	return slices.SortedFunc(maps.Keys(v.conditions), func(a, b condition) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
}
