package kube

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aclium/translate/policy"
)

// The part of policy.networking.k8s.io/v1alpha2 that aclium writes
// (sigs.k8s.io/network-policy-api v0.2.0).
type (
	clusterObject struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta `json:"metadata"`
		Spec            clusterSpec       `json:"spec"`
	}
	clusterSpec struct {
		Tier     string         `json:"tier"`
		Priority int            `json:"priority"`
		Subject  clusterPeer    `json:"subject"`
		Ingress  []*clusterRule `json:"ingress,omitempty"`
		Egress   []*clusterRule `json:"egress,omitempty"`
	}
	clusterRule struct {
		Name      string            `json:"name,omitempty"`
		Action    string            `json:"action"`
		From      []clusterPeer     `json:"from,omitempty"`
		To        []clusterPeer     `json:"to,omitempty"`
		Protocols []clusterProtocol `json:"protocols,omitempty"`
	}
	// A clusterPeer has exactly one field.
	clusterPeer struct {
		Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
		Pods       *clusterPods          `json:"pods,omitempty"`
		Networks   []string              `json:"networks,omitempty"`
	}
	clusterPods struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       metav1.LabelSelector `json:"podSelector"`
	}
	// A clusterProtocol has exactly one field.
	clusterProtocol struct {
		TCP  *clusterPorts `json:"tcp,omitempty"`
		UDP  *clusterPorts `json:"udp,omitempty"`
		SCTP *clusterPorts `json:"sctp,omitempty"`
	}
	clusterPorts struct {
		DestinationPort clusterPort `json:"destinationPort"`
	}
	clusterPort struct {
		Number int           `json:"number,omitempty"`
		Range  *clusterRange `json:"range,omitempty"`
	}
	clusterRange struct {
		Start int `json:"start"` // less than End
		End   int `json:"end"`
	}
)

// Limits of the schema.
const (
	maxClusterItems    = 25 // rules, peers, protocols, networks
	maxClusterName     = 100
	maxClusterPriority = 1000
)

// clusterPolicies encodes a tier with an order as ClusterNetworkPolicies of the
// Admin tier, one for each policy, and a union behind it as NetworkPolicies.
func clusterPolicies(s policy.Stack) (out []Object, err error) {
	for i := range s {
		var more []Object
		switch s[i].Combine {
		case policy.Ordered:
			more, err = clusterTier(&s[i])
		case policy.Union:
			more, err = union("NetworkPolicy", networkBody)(policy.Stack{s[i]})
		default:
			err = fmt.Errorf("a tier of lists in series, which no ClusterNetworkPolicies are")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, Prioritize(out)
}

// Prioritize gives the ClusterNetworkPolicies among the objects priorities from
// 0 in their order, each its own: of equal ones nobody knows which is asked
// first.
func Prioritize(objects []Object) error {
	next := 0
	for i := range objects {
		c, ok := objects[i].Body.(*clusterObject)
		if !ok {
			continue
		}
		if next > maxClusterPriority {
			return fmt.Errorf("more than %d ClusterNetworkPolicies, and there are no more priorities: the enforcer and -t calico take the lists as they are", maxClusterPriority+1)
		}
		c.Spec.Priority = next
		next++
	}
	return nil
}

func clusterTier(t *policy.Tier) (out []Object, err error) {
	names := map[string]int{}
	for i := range t.Policies {
		p := &t.Policies[i]
		o := Object{Kind: "ClusterNetworkPolicy", Name: objectName(p, "", names), Lists: listsOf(p)}
		if o.Body, err = clusterBody(&o, p); err != nil {
			return nil, fmt.Errorf("policy %s on %s: %w", p.ACL, p.Subject.Name, err)
		}
		out = append(out, o)
	}
	return out, nil
}

func clusterBody(o *Object, p *policy.Policy) (any, error) {
	switch {
	case len(p.Subject.Selectors) != 1 || p.Subject.Nodes:
		return nil, fmt.Errorf("a subject that is not one set of pods")
	case p.Family != policy.Dual || !p.Open:
		return nil, fmt.Errorf("a policy of one family or with an implicit end, which a ClusterNetworkPolicy does not have")
	case len(p.Rules) > maxClusterItems:
		return nil, fmt.Errorf("%d rules, and a ClusterNetworkPolicy holds %d", len(p.Rules), maxClusterItems)
	}
	subject, err := clusterPodsOf(p.Subject.Selectors[0])
	if err != nil {
		return nil, err
	}
	out := &clusterObject{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy.networking.k8s.io/v1alpha2", Kind: o.Kind}, Metadata: metadata(o, p),
		Spec: clusterSpec{Tier: "Admin", Subject: subject},
	}
	for i := range p.Rules {
		r, err := newClusterRule(&p.Rules[i], p.Direction)
		if err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i, p.Rules[i].Text, err)
		}
		if p.Direction == policy.Ingress {
			out.Spec.Ingress = append(out.Spec.Ingress, r)
		} else {
			out.Spec.Egress = append(out.Spec.Egress, r)
		}
	}
	return out, nil
}

func newClusterRule(r *policy.Rule, d policy.Direction) (*clusterRule, error) {
	out := &clusterRule{
		Name:   fmt.Sprintf("%.*s", maxClusterName, r.Text),
		Action: map[policy.Action]string{policy.Permit: "Accept", policy.Deny: "Deny", policy.Next: "Pass"}[r.Action],
	}
	if r.Match.Fragments || r.Match.HTTP != nil {
		return nil, fmt.Errorf("fragments or requests, which a ClusterNetworkPolicy cannot name")
	}
	peers, err := clusterPeers(peersOf(r, d), d)
	if err != nil {
		return nil, err
	}
	if d == policy.Ingress {
		out.From = peers
	} else {
		out.To = peers
	}
	out.Protocols, err = clusterProtocols(r.Match.Services)
	return out, err
}

func clusterPodsOf(s policy.Selector) (clusterPeer, error) {
	namespaces, pods := splitNamespace(s)
	n := labelSelector(namespaces)
	if len(pods) == 0 {
		return clusterPeer{Namespaces: &n}, nil
	}
	return clusterPeer{Pods: &clusterPods{n, labelSelector(pods)}}, podsAlone(pods)
}

func clusterPeers(p *policy.Peers, d policy.Direction) (out []clusterPeer, err error) {
	if len(p.Masked)+len(p.Entities)+len(p.FQDNs)+len(p.Outside) > 0 || d == policy.Ingress && (p.Any || len(p.Addresses) > 0) {
		return nil, fmt.Errorf("peers that a ClusterNetworkPolicy cannot name")
	}
	if p.Any {
		return []clusterPeer{{Namespaces: &metav1.LabelSelector{}}, {Networks: []string{"0.0.0.0/0", "::/0"}}}, nil
	}
	for _, s := range p.Selectors {
		peer, err := clusterPodsOf(s)
		if err != nil {
			return nil, err
		}
		out = append(out, peer)
	}
	var networks []string
	for _, r := range p.Addresses {
		networks = append(networks, prefixes(r)...)
	}
	for ; len(networks) > 0; networks = networks[min(len(networks), maxClusterItems):] {
		out = append(out, clusterPeer{Networks: networks[:min(len(networks), maxClusterItems)]})
	}
	if len(out) == 0 || len(out) > maxClusterItems {
		return nil, fmt.Errorf("%d peers, and a rule holds 1 to %d", len(out), maxClusterItems)
	}
	return out, nil
}

// clusterProtocols gives the protocols, nil for every one.
func clusterProtocols(services []policy.Service) (out []clusterProtocol, err error) {
	for i := range services {
		s := &services[i]
		if s.Protocols.All() && !s.LooksAtL4() {
			return nil, nil
		}
		name, err := protocolName(s)
		if err != nil {
			return nil, err
		}
		ranges := s.DestinationPorts
		if ranges.All() {
			ranges = policy.Ranges{{First: 1, Last: 65535}} // a protocol needs some field
		}
		for _, r := range ranges {
			ports := &clusterPorts{clusterPort{Range: &clusterRange{int(r.First), int(r.Last)}}}
			if r.First == r.Last {
				ports.DestinationPort = clusterPort{Number: int(r.First)}
			}
			out = append(out, map[string]clusterProtocol{"TCP": {TCP: ports}, "UDP": {UDP: ports}, "SCTP": {SCTP: ports}}[name])
		}
	}
	if len(out) == 0 || len(out) > maxClusterItems {
		return nil, fmt.Errorf("%d ranges of ports, and a rule holds 1 to %d", len(out), maxClusterItems)
	}
	return out, nil
}
