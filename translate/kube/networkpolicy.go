package kube

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"aclium/translate/policy"
)

// networkObject is a NetworkPolicy without the status that the type's zero
// value would print.
type networkObject struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta              `json:"metadata"`
	Spec            networkingv1.NetworkPolicySpec `json:"spec"`
}

func networkBody(o *Object, p *policy.Policy, selector []policy.Term) (any, error) {
	if err := podsAlone(selector); err != nil {
		return nil, err
	}
	out := &networkObject{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		Metadata: metadata(o, p),
		Spec:     networkingv1.NetworkPolicySpec{PodSelector: labelSelector(selector)},
	}
	ingress := p.Direction == policy.Ingress
	if ingress {
		out.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	} else {
		out.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		peers, some, err := networkPeers(peersOf(r, p.Direction))
		if err != nil {
			return nil, err
		}
		ports, some2, err := networkPorts(r)
		if err != nil {
			return nil, err
		}
		switch {
		case !some || !some2: // nobody: an empty list would mean everybody
		case ingress:
			out.Spec.Ingress = append(out.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers, Ports: ports})
		default:
			out.Spec.Egress = append(out.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peers, Ports: ports})
		}
	}
	return out, nil
}

func peersOf(r *policy.Rule, d policy.Direction) *policy.Peers {
	if d == policy.Ingress {
		return &r.Match.Source
	}
	return &r.Match.Destination
}

// networkPeers gives the peers, nil for everybody; some is false for nobody.
func networkPeers(p *policy.Peers) (out []networkingv1.NetworkPolicyPeer, some bool, err error) {
	if len(p.Masked)+len(p.Entities)+len(p.FQDNs) > 0 {
		return nil, false, fmt.Errorf("peers that a NetworkPolicy cannot name")
	}
	if p.Any {
		return nil, true, nil
	}
	for _, s := range p.Selectors {
		namespaces, pods := splitNamespace(s)
		if err := podsAlone(pods); err != nil {
			return nil, false, err
		}
		n, l := labelSelector(namespaces), labelSelector(pods)
		peer := networkingv1.NetworkPolicyPeer{NamespaceSelector: &n}
		if len(pods) > 0 {
			peer.PodSelector = &l
		}
		out = append(out, peer)
	}
	for _, b := range blocks(p.Addresses) {
		ip := &networkingv1.IPBlock{CIDR: b.cidr.String()}
		for _, e := range b.except {
			ip.Except = append(ip.Except, e.String())
		}
		out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: ip})
	}
	return out, len(out) > 0, nil
}

// namespaceLabels is the prefix under which the labels of a pod's namespace
// stand among its own; the word is Cilium's.
const namespaceLabels = "io.cilium.k8s.namespace.labels."

// podsAlone wants terms on labels that pods carry themselves.
func podsAlone(terms []policy.Term) error {
	for _, t := range terms {
		if strings.HasPrefix(t.Key, namespaceLabels) || t.Key == serviceAccountKey || t.Key == clusterKey {
			return fmt.Errorf("pods told apart by %s, which is no label of theirs", t.Key)
		}
	}
	return nil
}

// clusterKey is the label under which a pod's cluster stands; Cilium's word.
const clusterKey = "io.cilium.k8s.policy.cluster"

// splitNamespace divides a selector into terms on the namespace, which carries
// its name under a key of its own, and the others.
func splitNamespace(s policy.Selector) (namespaces, pods []policy.Term) {
	for _, t := range s {
		key, of := strings.CutPrefix(t.Key, namespaceLabels)
		switch {
		case t.Key == policy.NamespaceKey:
			t.Key = corev1.LabelMetadataName
			namespaces = append(namespaces, t)
		case of:
			t.Key = key
			namespaces = append(namespaces, t)
		default:
			pods = append(pods, t)
		}
	}
	return namespaces, pods
}

func labelSelector(terms []policy.Term) (out metav1.LabelSelector) {
	for _, t := range terms {
		if t.Op == policy.In && len(t.Values) == 1 && out.MatchLabels[t.Key] == "" {
			if out.MatchLabels == nil {
				out.MatchLabels = map[string]string{}
			}
			out.MatchLabels[t.Key] = t.Values[0]
			continue
		}
		out.MatchExpressions = append(out.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: t.Key, Operator: metav1.LabelSelectorOperator(t.Op.String()), Values: t.Values,
		})
	}
	return out
}

// networkPorts gives the ports, nil for every protocol; some is false when the
// rule has no service.
func networkPorts(r *policy.Rule) (out []networkingv1.NetworkPolicyPort, some bool, err error) {
	if r.Action != policy.Permit {
		return nil, false, fmt.Errorf("a NetworkPolicy has no deny")
	}
	for i := range r.Match.Services {
		s := &r.Match.Services[i]
		if s.Protocols.All() && !s.LooksAtL4() {
			return nil, true, nil
		}
		name, err := protocolName(s)
		if err != nil {
			return nil, false, err
		}
		protocol := corev1.Protocol(name)
		if s.DestinationPorts.All() {
			out = append(out, networkingv1.NetworkPolicyPort{Protocol: &protocol})
			continue
		}
		for _, r := range s.DestinationPorts {
			first := intstr.FromInt32(int32(r.First))
			port := networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &first}
			if r.Last > r.First {
				last := int32(r.Last)
				port.EndPort = &last
			}
			out = append(out, port)
		}
	}
	return out, len(out) > 0, nil
}

var protocolNames = map[uint8]string{policy.TCP: "TCP", policy.UDP: "UDP", policy.SCTP: "SCTP"}

// protocolName gives the protocol of a service that names one, with no
// condition but destination ports.
func protocolName(s *policy.Service) (string, error) {
	if s.Protocols.Len() == 1 && s.SourcePorts.All() && s.ICMP.All() && s.Flags.All() && !s.DestinationPorts.Has(0) || s.DestinationPorts.All() && s.Protocols.Len() == 1 && !s.LooksAtL4() {
		for number, name := range protocolNames {
			if s.Protocols.Has(number) {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("a service that no port list can name")
}
