package kube

import (
	"fmt"

	"aclium/translate/policy"
)

// clusterwide encodes CiliumClusterwideNetworkPolicies: one for each policy,
// whatever namespaces its subject is in.
func clusterwide(s policy.Stack) (out []Object, err error) {
	names := map[string]int{}
	policies := s.Policies()
	for i := range policies {
		p := lean(&policies[i])
		if len(p.Subject.Selectors) != 1 {
			return nil, fmt.Errorf("policy %s: %d selectors, want one", p.ACL, len(p.Subject.Selectors))
		}
		o := Object{Kind: "CiliumClusterwideNetworkPolicy", Name: objectName(p, "", names), Lists: listsOf(p)}
		body, err := ciliumBody(&o, p, clusterSubject(p))
		if err != nil {
			return nil, fmt.Errorf("policy %s on %s: %w", p.ACL, p.Subject.Name, err)
		}
		c := body.(*ciliumObject)
		c.Kind = o.Kind
		if p.Subject.Nodes {
			// A node's labels carry no source.
			nodes := labelSelector(p.Subject.Selectors[0])
			c.Spec.NodeSelector, c.Spec.EndpointSelector = &nodes, nil
		}
		o.Body = c
		out = append(out, o)
	}
	return out, nil
}

// clusterSubject gives the terms of a subject. Every pod has a namespace; what
// else Cilium calls an endpoint, as the node's own health check, has none.
func clusterSubject(p *policy.Policy) []policy.Term {
	s := p.Subject.Selectors[0]
	if p.Subject.Nodes || namesNamespace(s) {
		return s
	}
	return append([]policy.Term{{Key: policy.NamespaceKey, Op: policy.Exists}}, s...)
}
