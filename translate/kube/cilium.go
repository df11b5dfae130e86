package kube

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aclium/translate/policy"
)

// The part of cilium.io/v2 that aclium writes. Peers of one rule are of one
// kind each, as Cilium demands.
type (
	ciliumObject struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta `json:"metadata"`
		Spec            ciliumSpec        `json:"spec"`
	}
	ciliumSpec struct {
		// Exactly one of the two is set.
		EndpointSelector *metav1.LabelSelector `json:"endpointSelector,omitempty"`
		NodeSelector     *metav1.LabelSelector `json:"nodeSelector,omitempty"`
		Ingress          []ciliumRule          `json:"ingress,omitempty"`
		IngressDeny      []ciliumRule          `json:"ingressDeny,omitempty"`
		Egress           []ciliumRule          `json:"egress,omitempty"`
		EgressDeny       []ciliumRule          `json:"egressDeny,omitempty"`
		DefaultDeny      ciliumDefaultDeny     `json:"enableDefaultDeny"`
	}
	// ciliumDefaultDeny says in which directions the object denies what it
	// does not permit; without it an object whose rules are all gone would
	// deny nothing.
	ciliumDefaultDeny struct {
		Ingress bool `json:"ingress"`
		Egress  bool `json:"egress"`
	}
	ciliumRule struct {
		FromEndpoints []metav1.LabelSelector `json:"fromEndpoints,omitempty"`
		FromEntities  []string               `json:"fromEntities,omitempty"`
		FromCIDRSet   []ciliumCIDR           `json:"fromCIDRSet,omitempty"`
		ToEndpoints   []metav1.LabelSelector `json:"toEndpoints,omitempty"`
		ToEntities    []string               `json:"toEntities,omitempty"`
		ToCIDRSet     []ciliumCIDR           `json:"toCIDRSet,omitempty"`
		ToFQDNs       []ciliumName           `json:"toFQDNs,omitempty"`
		ToPorts       []ciliumPorts          `json:"toPorts,omitempty"`
		ICMPs         []ciliumICMP           `json:"icmps,omitempty"`
	}
	ciliumCIDR struct {
		CIDR   string   `json:"cidr"`
		Except []string `json:"except,omitempty"`
	}
	ciliumPorts struct {
		Ports []ciliumPort `json:"ports"`
		Rules *ciliumL7    `json:"rules,omitempty"`
	}
	ciliumPort struct {
		Port     string `json:"port"`
		EndPort  int32  `json:"endPort,omitempty"`
		Protocol string `json:"protocol"`
	}
	ciliumICMP struct {
		Fields []ciliumICMPField `json:"fields"`
	}
	ciliumICMPField struct {
		Family string `json:"family"`
		Type   int    `json:"type"`
	}
)

// Cilium's limits on one item (pkg/policy/api/rule_validation.go, 1.20).
const (
	maxPorts  = 40
	maxFields = 40
)

func ciliumBody(o *Object, p *policy.Policy, selector []policy.Term) (any, error) {
	pods := labelSelector(ciliumTerms(selector))
	out := &ciliumObject{
		TypeMeta: metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: "CiliumNetworkPolicy"},
		Metadata: metadata(o, p),
		Spec: ciliumSpec{
			EndpointSelector: &pods,
			DefaultDeny:      ciliumDefaultDeny{p.Direction == policy.Ingress, p.Direction == policy.Egress},
		},
	}
	for i := range p.Rules {
		rules, err := ciliumRules(&p.Rules[i], p.Direction)
		if err != nil {
			return nil, err
		}
		if p.Direction == policy.Egress && namesPeers(p) {
			rules = watchDNS(rules)
		}
		into := out.Spec.section(p.Direction, p.Rules[i].Action)
		*into = append(*into, rules...)
	}
	// A direction whose section is missing is not filtered; an empty rule in
	// it permits nobody.
	if into := out.Spec.section(p.Direction, policy.Permit); len(*into) == 0 {
		*into = append(*into, ciliumRule{})
	}
	return out, nil
}

func (s *ciliumSpec) section(d policy.Direction, a policy.Action) *[]ciliumRule {
	switch {
	case d == policy.Ingress && a == policy.Permit:
		return &s.Ingress
	case d == policy.Ingress:
		return &s.IngressDeny
	case a == policy.Permit:
		return &s.Egress
	}
	return &s.EgressDeny
}

// ciliumTerms writes the keys as Cilium has them: a pod's labels come from
// Kubernetes.
func ciliumTerms(terms []policy.Term) []policy.Term {
	out := make([]policy.Term, len(terms))
	for i, t := range terms {
		t.Key = "k8s:" + t.Key
		out[i] = t
	}
	return out
}

// ciliumRules gives one rule for each kind of peer and of service.
func ciliumRules(r *policy.Rule, d policy.Direction) ([]ciliumRule, error) {
	peers, err := ciliumPeers(peersOf(r, d), d)
	if err != nil {
		return nil, err
	}
	services, err := ciliumServices(r)
	if err != nil {
		return nil, err
	}
	var out []ciliumRule
	for _, p := range peers {
		for _, s := range services {
			rule := p
			rule.ToPorts, rule.ICMPs = s.ToPorts, s.ICMPs
			out = append(out, rule)
		}
	}
	return out, nil
}

// ciliumPeers gives the peers, one rule for each kind; none for nobody.
func ciliumPeers(p *policy.Peers, d policy.Direction) (out []ciliumRule, err error) {
	if p.Any {
		return []ciliumRule{side(d, ciliumRule{FromEntities: []string{"all"}})}, nil
	}
	if len(p.Addresses)+len(p.Masked) > 0 || d == policy.Ingress && len(p.FQDNs) > 0 {
		return nil, fmt.Errorf("peers that a CiliumNetworkPolicy cannot name")
	}
	var endpoints []metav1.LabelSelector
	for _, s := range p.Selectors {
		terms := ciliumTerms(s)
		if !namesNamespace(s) {
			// Without it a selector means the object's own namespace.
			terms = append(terms, policy.Term{Key: "k8s:" + policy.NamespaceKey, Op: policy.Exists})
		}
		endpoints = append(endpoints, labelSelector(terms))
	}
	if len(endpoints) > 0 {
		out = append(out, side(d, ciliumRule{FromEndpoints: endpoints}))
	}
	if len(p.FQDNs) > 0 {
		out = append(out, ciliumRule{ToFQDNs: ciliumNames(p.FQDNs)})
	}
	var entities []string
	for _, e := range p.Entities {
		entities = append(entities, e.String())
	}
	if len(entities) > 0 {
		out = append(out, side(d, ciliumRule{FromEntities: entities}))
	}
	if cidrs := ciliumCIDRs(p.Outside); len(cidrs) > 0 {
		out = append(out, side(d, ciliumRule{FromCIDRSet: cidrs}))
	}
	return out, nil
}

func namesNamespace(s policy.Selector) bool {
	for _, t := range s {
		if t.Key == policy.NamespaceKey {
			return true
		}
	}
	return false
}

func ciliumCIDRs(ranges []policy.AddrRange) (out []ciliumCIDR) {
	for _, b := range blocks(ranges) {
		c := ciliumCIDR{CIDR: b.cidr.String()}
		for _, e := range b.except {
			c.Except = append(c.Except, e.String())
		}
		out = append(out, c)
	}
	return out
}

// side turns a rule on sources into one on destinations for egress.
func side(d policy.Direction, r ciliumRule) ciliumRule {
	if d == policy.Ingress {
		return r
	}
	return ciliumRule{ToEndpoints: r.FromEndpoints, ToEntities: r.FromEntities, ToCIDRSet: r.FromCIDRSet}
}

// ciliumServices gives the services, split so that no item is too long and
// ports never stand beside ICMP. An empty one is every protocol.
func ciliumServices(r *policy.Rule) (out []ciliumRule, err error) {
	var ports []ciliumPort
	var fields []ciliumICMPField
	for i := range r.Match.Services {
		s := &r.Match.Services[i]
		switch {
		case s.Protocols.All() && !s.LooksAtL4() && r.Match.HTTP == nil:
			return []ciliumRule{{}}, nil
		case s.Protocols == policy.Bytes(policy.ICMP), s.Protocols == policy.Bytes(policy.ICMPv6):
			more, err := ciliumFields(s)
			if err != nil {
				return nil, err
			}
			fields = append(fields, more...)
		default:
			more, err := ciliumPortList(s)
			if err != nil {
				return nil, err
			}
			ports = append(ports, more...)
		}
	}
	var portRule ciliumRule
	for ; len(ports) > 0; ports = ports[min(len(ports), maxPorts):] {
		portRule.ToPorts = append(portRule.ToPorts, ciliumPorts{ports[:min(len(ports), maxPorts)], ciliumHTTP(r.Match.HTTP)})
	}
	if len(portRule.ToPorts) > 0 {
		out = append(out, portRule)
	}
	for ; len(fields) > 0; fields = fields[min(len(fields), maxFields):] {
		out = append(out, ciliumRule{ICMPs: []ciliumICMP{{fields[:min(len(fields), maxFields)]}}})
	}
	return out, nil
}

// ciliumPortList writes all ports as 1-65535: "0" would mean every port too,
// but also where a protocol has none.
func ciliumPortList(s *policy.Service) (out []ciliumPort, err error) {
	name, err := protocolName(s)
	if err != nil {
		return nil, err
	}
	ranges := s.DestinationPorts
	if ranges.All() {
		ranges = policy.Ranges{{First: 1, Last: 65535}}
	}
	for _, r := range ranges {
		p := ciliumPort{Port: strconv.Itoa(int(r.First)), Protocol: name}
		if r.Last > r.First {
			p.EndPort = int32(r.Last)
		}
		out = append(out, p)
	}
	return out, nil
}

func ciliumFields(s *policy.Service) (out []ciliumICMPField, err error) {
	family := "IPv4"
	if s.Protocols.Has(policy.ICMPv6) {
		family = "IPv6"
	}
	for _, r := range s.ICMP {
		if r.First&255 != 0 || r.Last&255 != 255 {
			return nil, fmt.Errorf("an ICMP code, which Cilium cannot name")
		}
		for t := int(r.First >> 8); t <= int(r.Last>>8); t++ {
			out = append(out, ciliumICMPField{family, t})
		}
	}
	return out, nil
}
