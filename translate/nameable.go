package translate

import (
	"slices"
	"strings"

	"aclium/translate/policy"
)

// This file takes care of labels that a target has no word for: those that
// stand for more than a pod's own. A selector that looks at one is not written,
// because as a label of the pod it would mean other pods.

// Keys of labels that stand for more than a pod's own labels; Cilium's words.
const (
	namespaceLabels = "io.cilium.k8s.namespace.labels."
	accountKey      = "io.cilium.k8s.policy.serviceaccount"
	clusterKey      = "io.cilium.k8s.policy.cluster"
)

// unnamedKey gives what the selector looks at and the target has no word for.
func (t *Target) unnamedKey(s policy.Selector) string {
	for _, term := range s {
		switch {
		case term.Key == accountKey && !t.Accounts:
			return "their service account"
		case term.Key == clusterKey && !t.Clusters:
			return "their cluster"
		}
	}
	return ""
}

// onNamespaceLabels reports whether a subject is told apart by labels of its
// namespace.
func onNamespaceLabels(c conj) bool {
	return slices.ContainsFunc(c, func(t policy.Term) bool { return strings.HasPrefix(t.Key, namespaceLabels) })
}

// named gives the policies without selectors that the target has no words for.
// A permit loses them; a deny that a later permit may meet, or a subject, keeps
// its list out.
func (o *orderer) named(policies []policy.Policy) (out []policy.Policy) {
	for i := range policies {
		p, bad := o.namedIn(&policies[i])
		if bad != nil {
			o.refused = map[*policy.Policy]bool{}
			o.refuse(*bad)
			p.Rules = nil
			o.options.Withheld = append(slices.Clone(o.options.Withheld), *p)
			continue
		}
		out = append(out, *p)
	}
	return out
}

func (o *orderer) namedIn(p *policy.Policy) (*policy.Policy, *refusal) {
	t := &o.options.Target
	for _, s := range p.Subject.Selectors {
		if key := t.unnamedKey(s); key != "" && !p.Subject.Nodes {
			return p, &refusal{list: p, reason: "the pods of " + p.Subject.Name + " cannot be told apart by " + key + " in " + t.Name}
		}
	}
	out, cloned := *p, false
	for i := range p.Rules {
		source, why := t.namedPeers(&p.Rules[i].Match.Source)
		destination, why2 := t.namedPeers(&p.Rules[i].Match.Destination)
		if why += why2; why == "" {
			continue
		}
		if p.Rules[i].Action != policy.Permit && o.meetsLater(p, i) {
			return &out, &refusal{p, &p.Rules[i], why}
		}
		if p.Rules[i].Action == policy.Permit {
			o.note(p, &p.Rules[i], policy.Refused, "left out: %s", why)
		}
		if !cloned {
			out.Rules, cloned = slices.Clone(p.Rules), true
		}
		out.Rules[i].Match.Source, out.Rules[i].Match.Destination = source, destination
	}
	return &out, nil
}

// namedPeers gives the peers without selectors that the target has no words
// for, and why there are some.
func (t *Target) namedPeers(p *policy.Peers) (out policy.Peers, why string) {
	out = *p
	out.Selectors = nil
	for _, s := range p.Selectors {
		if key := t.unnamedKey(s); key != "" {
			why = "pods cannot be told apart by " + key
			continue
		}
		out.Selectors = append(out.Selectors, s)
	}
	return out, why
}
